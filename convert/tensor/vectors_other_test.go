//go:build !amd64 || purego

package tensor

func byCode(test func(code string)) { test("plain") }
