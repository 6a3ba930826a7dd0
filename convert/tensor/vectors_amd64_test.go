//go:build !purego

package tensor

// byCode runs a test with each form of the code that this machine has: the plain one,
// AVX2's and AVX-512's.
func byCode(test func(code string)) {
	before, beforeWide := vectors, wide
	defer func() { vectors, wide = before, beforeWide }()
	vectors, wide = false, false
	test("plain")
	if vectors = before; before {
		test("AVX2")
	}
	if wide = beforeWide; wide {
		test("AVX-512")
	}
}
