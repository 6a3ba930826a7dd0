package tensor

// Max32 is the largest of x, NaN where one is; x is not empty.
func Max32(x []float32) float32 {
	top := x[0]
	if n := len(x) &^ 7; vectors && n > 0 {
		top = max32(n, &x[0])
		x = x[n:]
	}
	for _, v := range x {
		if v > top || v != v { // NaN stays
			top = v
		}
	}
	return top
}

// Scale32 multiplies each x by f.
func Scale32(x []float32, f float32) {
	if n := len(x) &^ 7; vectors && n > 0 {
		scale32(n, &x[0], f)
		x = x[n:]
	}
	for i := range x {
		x[i] *= f
	}
}

// Between32 writes f·(x − y), of as many numbers, to dst, which may be either.
func Between32(dst, x, y []float32, f float32) {
	dst, y = dst[:len(x)], y[:len(x)]
	if n := len(x) &^ 7; vectors && n > 0 {
		between32(n, &dst[0], &x[0], &y[0], f)
		dst, x, y = dst[n:], x[n:], y[n:]
	}
	for i, v := range x {
		dst[i] = (v - y[i]) * f
	}
}

// Dot32 is Σ x y of as many numbers, in float64. Its last digits depend on the
// processor.
func Dot32(x, y []float32) float64 {
	var sum float64
	y = y[:len(x)]
	if n := len(x) &^ 7; vectors && n > 0 {
		sum = dot32(n, &x[0], &y[0])
		x, y = x[n:], y[n:]
	}
	for i, v := range x {
		sum += float64(v) * float64(y[i])
	}
	return sum
}

// SiLU32 is x σ(x) = x / (1 + e^−x) (arXiv 1702.03118), by Exp32 of −|x|.
func SiLU32(x float32) float32 {
	if x >= 0 {
		return x / (1 + Exp32(-x))
	}
	e := Exp32(x)
	return x * e / (1 + e)
}

// Gate32 multiplies each up by SiLU32 of its gate; there are as many.
func Gate32(up, gate []float32) {
	gate = gate[:len(up)]
	if n := len(up) &^ 7; vectors && n > 0 {
		gates32(n, &up[0], &gate[0])
		up, gate = up[n:], gate[n:]
	}
	for i, v := range gate {
		up[i] *= SiLU32(v)
	}
}
