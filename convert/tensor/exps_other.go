//go:build !amd64 || purego

package tensor

// There is no vector code: these are never called.
const vectors, wide = false, false

func exps32(int, *float32, float32) float64                { panic("no vector code") }
func expsWide32(int, *float32, float32) float64            { panic("no vector code") }
func gates32(int, *float32, *float32)                      { panic("no vector code") }
func max32(int, *float32) float32                          { panic("no vector code") }
func scale32(int, *float32, float32)                       { panic("no vector code") }
func between32(int, *float32, *float32, *float32, float32) { panic("no vector code") }
func dot32(int, *float32, *float32) float64                { panic("no vector code") }
func moments32(int, *float32, *float32, *float32, float32, float32) float64 {
	panic("no vector code")
}
func descend32(int, *float32, *float32, *float32, float32, float32, float32) { panic("no vector code") }
