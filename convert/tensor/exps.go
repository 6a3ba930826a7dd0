package tensor

// Exps32 replaces each x by Exp32(x − top), top being none of them's less, and
// returns their sum, added in float64.
func Exps32(x []float32, top float32) float64 {
	var sum float64
	if n := len(x) &^ 7; vectors && n > 0 {
		if wide {
			sum = expsWide32(n, &x[0], top)
		} else {
			sum = exps32(n, &x[0], top)
		}
		x = x[n:]
	}
	for i, v := range x {
		e := Exp32(v - top)
		x[i] = e
		sum += float64(e)
	}
	return sum
}
