package posenctest

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/pecvt/pecvt/posenc"
)

// TestLoweredAt128k measures the lowered forms at 131 072 positions as a kernel
// runs them: coordinates in the type, products summed in float32, content of 64
// coordinates in front. The error is that of a score against its row's own
// diagonal, which is all that softmax sees of the bias; it stays below
// Lowering.Error plus the float32 sum's rounding: d roundings of the content's
// size and width of the largest partial sum behind it.
func TestLoweredAt128k(t *testing.T) {
	const length, d, scale = 1 << 17, 64, 0.125
	rng := rand.New(rand.NewPCG(9, 10))
	slopes, err := posenc.Slopes(8)
	if err != nil {
		t.Fatal(err)
	}
	u := posenc.NewMatrix(8, d)
	for i := range u.Data {
		u.Data[i] = rng.NormFloat64()
	}
	u = posenc.NormalizeRows(u, 1e-6)
	gated := posenc.Gated{Omega: scaledBy(slopes, 1/math.Ln2), U: u}
	fox, err := posenc.FoXFromALiBi(slopes, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range []struct {
		name string
		posenc.Bias
		term bool
	}{{"alibi", posenc.NewALiBi(slopes), false}, {"grape-a:key", gated, false}, {"fox", fox, true}} {
		for _, p := range []Precision{Float32, Float16, BFloat16} {
			l, err := Lower(b.Bias, scale, p, length)
			if err != nil {
				t.Fatal(err)
			}
			for _, head := range []int{0, 7} {
				worst, allowed := farthestError(b.Bias, l, p, head, length, d, scale, b.term, rng)
				t.Logf("%-12s %-9s slope %-9g %2d coordinates: off by %.2g, bound %.2g", b.name, p, slopes[head], l.Width, worst, allowed)
				if !(worst <= allowed) {
					t.Errorf("%s in %s, head %d: off by %.3g, bound %.3g", b.name, p, head, worst, allowed)
				}
			}
		}
	}
}

// farthestError returns the largest error of the last row's scores for keys at
// distances 0 to 64 and powers of two, with the bound where it is largest.
func farthestError(b posenc.Bias, l *Lowering, p Precision, head, length, d int, scale float64, term bool, rng *rand.Rand) (worst, allowed float64) {
	content := func() []float64 {
		x := make([]float64, d)
		for i := range x {
			x[i] = p.Round(rng.NormFloat64())
		}
		return x
	}
	wq, wk := b.Width()
	state := b.Start()
	features := func(pos int64, k []float64) (q, key []float64) {
		q, key = make([]float64, wq), make([]float64, wk)
		if term { // FoX's gates are constant here: its sum so far
			state[0] = posenc.LogSigmoid(b.(posenc.FoX).C[head]) * float64(pos)
		}
		b.Features(q, key, head, posenc.Token{Pos: pos, X: []float64{0}, Q: k, K: k}, state)
		return q, key
	}
	i := int64(length - 1)
	q, kOwn := content(), content()
	qf, ownFeatures := features(i, kOwn)
	qx := make([]float64, l.Width)
	l.Query(qx, head, i, qf)
	score := func(pos int64, k, f []float64) (lowered, direct, rounding float64) {
		kx := make([]float64, l.Width)
		l.Key(kx, head, pos, f)
		sum, size, largest := float32(0), 0.0, 0.0
		for c := range d {
			sum += float32(q[c]) * float32(k[c])
			size += math.Abs(q[c] * k[c])
		}
		for c := range l.Width {
			sum += float32(qx[c]) * float32(kx[c])
			largest = max(largest, math.Abs(float64(sum)), math.Abs(qx[c]*kx[c]))
		}
		s := []float64{scale * dot(q, k)}
		b.Add(s, head, posenc.BiasInput{Query: []int64{i}, Key: []int64{pos}, QueryFeatures: [][]float64{qf}, KeyFeatures: [][]float64{f}})
		return scale * float64(sum), s[0], 0x1p-24 * scale * (float64(d)*size + float64(2*l.Width)*largest)
	}
	ownLowered, ownDirect, ownRounding := score(i, kOwn, ownFeatures)
	for n := int64(0); n < int64(length); n++ {
		if n > 64 && n&(n-1) != 0 {
			continue
		}
		k := content()
		_, f := features(i-n, k)
		lowered, direct, rounding := score(i-n, k, f)
		rate := 0.0
		switch b := b.(type) {
		case posenc.ALiBi:
			rate = b.Slope[head]
		case posenc.Gated:
			rate = max(f[0], ownFeatures[0])
		case posenc.FoX:
			rate = -ownFeatures[0]
		}
		bound := l.Error(float64(n), float64(i-n), rate) + l.Error(0, float64(i), rate) +
			rounding + ownRounding
		if off := math.Abs((lowered - ownLowered) - (direct - ownDirect)); off > worst {
			worst = off
		}
		allowed = max(allowed, bound)
	}
	return worst, allowed
}

func TestDigits(t *testing.T) {
	for _, c := range []struct {
		p            Precision
		length, want int
	}{
		{Float64, 1 << 20, 1}, {Float32, 1 << 24, 1}, {Float32, 1<<24 + 2, 0},
		{Float16, 2049, 1}, {Float16, 2050, 2}, {Float16, 1 << 17, 2}, {Float16, 524544, 2}, {Float16, 524545, 0},
		{BFloat16, 257, 1}, {BFloat16, 258, 2}, {BFloat16, 65792, 2}, {BFloat16, 65793, 3}, {BFloat16, 1 << 24, 3}, {BFloat16, 1 << 25, 0},
	} {
		n, err := c.p.digits(c.length)
		if n != c.want || (err == nil) != (c.want > 0) {
			t.Errorf("%s, %d positions: %d digits, %v; want %d", c.p, c.length, n, err, c.want)
			continue
		}
		for _, pos := range []int64{0, 1, 255, 256, int64(c.length) - 1} {
			sum := 0.0
			for d := range n {
				v := digit(pos, d, n)
				if c.p.Round(v) != v {
					t.Errorf("%s: digit %d of %d is %v", c.p, d, pos, v)
				}
				sum += v * base(d)
			}
			if n > 0 && pos < int64(c.length) && sum != float64(pos) {
				t.Errorf("%s: the digits of %d make %v", c.p, pos, sum)
			}
		}
	}
}
