package retrofit

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestSomeGradient: with keys that are drawn the gradient is that of the estimate, against
// central differences, in every form of layer.
func TestSomeGradient(t *testing.T) {
	for name, c := range layerCases() {
		p, keys := c.pair()
		of := drawSome[float64](rand.New(rand.NewPCG(4, 4)), c.rows[4:8], .4, 2)
		if n := len(of.places); n < 8 || n >= c.rows[7]+1 {
			t.Fatalf("%d keys of %d were drawn", n, c.rows[7]+1)
		}
		grad := c.studentW.NewWeights()
		p.estimate(c.h, keys, c.rows[4:8], of, grad)
		var largest float64
		for _, part := range grad.parts() {
			for _, g := range part {
				largest = max(largest, math.Abs(g))
			}
		}
		if largest < 1e-5 {
			t.Fatalf("%s: the largest derivative is %v", name, largest)
		}
		const h = 2e-5
		for n, part := range c.studentW.parts() {
			for i := 0; i < len(part); i += 1 + len(part)/20 {
				at := func(x float64) float64 {
					old := part[i]
					part[i] += x
					defer func() { part[i] = old }()
					return mean(p.estimate(c.h, keys, c.rows[4:8], of, nil))
				}
				want := (8*(at(h)-at(-h)) - (at(2*h) - at(-2*h))) / (12 * h)
				if got := grad.parts()[n][i]; math.Abs(got-want) > 2e-6*largest {
					t.Errorf("%s: part %d, %d: %v, by differences %v", name, n, i, got, want)
				}
			}
		}
	}
}

// TestAllKeys: where all keys are there and count once, the estimate is the divergence.
func TestAllKeys(t *testing.T) {
	for name, c := range layerCases() {
		p, keys := c.pair()
		all := &some[float64]{places: make([]int, c.positions), logs: make([]float64, c.positions)}
		for i := range all.places {
			all.places[i] = i
		}
		want, got := c.studentW.NewWeights(), c.studentW.NewWeights()
		kl := slices.Clone(p.KL(c.h, keys, c.rows, want))
		for i, x := range p.estimate(c.h, keys, c.rows, all, got) {
			if math.Abs(x-kl[i]) > 1e-13 {
				t.Fatalf("%s: %v with all keys by name, %v without", name, x, kl[i])
			}
		}
		for n, part := range want.parts() {
			for i, x := range part {
				if math.Abs(got.parts()[n][i]-x) > 1e-13 {
					t.Fatalf("%s: part %d, %d: derivative %v with all keys by name, %v without", name, n, i, got.parts()[n][i], x)
				}
			}
		}
	}
}

// TestSomeStandForAll: the sum of what the drawn keys count for is, on average, one for
// each key, wherever it stands; the keys next to a query and the first are always there.
func TestSomeStandForAll(t *testing.T) {
	const n, draws, chance, near = 300, 4000, .2, 3
	rng := rand.New(rand.NewPCG(6, 6))
	rows := []int{0, 3, 100, 101, n - 1}
	sums := make([]float64, n)
	for range draws {
		s := drawSome[float64](rng, rows, chance, near)
		if !slices.IsSorted(s.places) {
			t.Fatal("not in order")
		}
		for i, j := range s.places {
			sums[j] += math.Exp(s.logs[i])
		}
	}
	for j, sum := range sums {
		sure := j < earliest || j > n-1-near || j > 100-near && j <= 101
		limit := 5 * math.Sqrt((1-chance)/chance/draws) // five deviations of the mean
		if sure {
			limit = 0
		}
		if math.Abs(sum/draws-1) > limit {
			t.Errorf("key %d counts as %v", j, sum/draws)
		}
	}
	if drawSome[float64](rng, rows, chanceOf(keysOf, 1), nearest) != nil || drawSome[float64](rng, rows, chanceOf(8192, 1e-9), nearest) != nil {
		t.Error("keys of a short sequence or of a last step are left out")
	}
	var total float64
	for step := range 200 {
		f, rows := rateAt(step, 200), drawRows(rng, 96, 8192, false)
		if s := drawSome[float64](rng, rows, chanceOf(rows[95]+1, f), nearestOf(f)); s != nil {
			total += float64(len(s.places)) / 200
		} else {
			total += float64(rows[95]) / 200
		}
	}
	if want := drawn(8192, 96); math.Abs(total/want-1) > .15 {
		t.Errorf("%v of 8192 keys are there, reckoned with %v", total, want)
	}
}

// TestMeanOfEstimates: the mean of the gradients by drawn keys is the whole gradient, but for the
// little by which the logarithm of a mean differs from the mean of logarithms.
func TestMeanOfEstimates(t *testing.T) {
	s := Shape{Hidden: 12, Heads: 2, KVHeads: 1, HeadDim: 8, RotaryDim: 8, Scale: 1 / math.Sqrt(8)}
	const n, draws = 400, 300
	rng := rand.New(rand.NewPCG(9, 9))
	source, student := Turn{InvFreq: spectrum(&s, 1000, 99), Gain: 1}, Turn{InvFreq: spectrum(&s, 1000, 2), Gain: 1}
	w := &Weights[float64]{Q: uniform(rng, 16*12, .5), K: uniform(rng, 8*12, .5)}
	h := uniform(rng, n*12, 1.5)
	p := NewPair(NewLayer(&s, w, &source, n), NewLayer(&s, w, &student, n))
	keys := p.Sequence(h, n)
	rows := drawRows(rng, 24, n, false)
	whole, part, sum := w.NewWeights(), w.NewWeights(), w.NewWeights()
	kl := mean(p.KL(h, keys, rows, whole))
	var about float64
	for range draws {
		about += mean(p.estimate(h, keys, rows, drawSome[float64](rng, rows, .3, 4), part)) / draws
		sum.add(part)
	}
	if math.Abs(about/kl-1) > .1 {
		t.Errorf("KL %v, by drawn keys %v", kl, about)
	}
	for n, name := range []string{"W_q", "W_k"} {
		a, b := whole.parts()[n], sum.parts()[n]
		if cos := dot(a, b) / math.Sqrt(dot(a, a)*dot(b, b)); cos < .98 {
			t.Errorf("%s: cosine %v of the mean gradient and the whole one", name, cos)
		}
		if long := math.Sqrt(dot(b, b)/dot(a, a)) / draws; math.Abs(long-1) > .1 {
			t.Errorf("%s: the mean gradient is %v of the whole one", name, long)
		}
	}
}
