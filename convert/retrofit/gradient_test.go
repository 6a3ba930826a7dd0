package retrofit

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
)

// layerCase is a pair of layers and their input, all random.
type layerCase struct {
	shape             Shape
	qBias, kBias      bool
	source, student   Turn
	positions         int
	rows              []int
	sourceW, studentW *Weights[float64]
	h                 []float64
	trained           int // positions that the source was trained at; 0 is all
}

// spectrum is base^(−2p/r) for every key/value head, planes from cut on at 0.
func spectrum(s *Shape, base float64, cut int) [][]float64 {
	rows := make([][]float64, s.KVHeads)
	for g := range rows {
		rows[g] = make([]float64, s.planes())
		for p := range rows[g] {
			if p < cut {
				rows[g][p] = math.Pow(base, -2*float64(p)/float64(s.RotaryDim))
			}
		}
	}
	return rows
}

func uniform(rng *rand.Rand, n int, width float64) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = width * (2*rng.Float64() - 1)
	}
	return x
}

// layerCases are the forms that a family can have.
func layerCases() map[string]*layerCase {
	llama := Shape{Hidden: 10, Heads: 4, KVHeads: 2, HeadDim: 8, RotaryDim: 8, Scale: 1 / math.Sqrt(8)}
	list := map[string]*layerCase{}
	add := func(name string, s Shape, edit func(c *layerCase)) {
		c := &layerCase{shape: s, positions: 40, rows: []int{0, 1, 3, 3, 9, 12, 17, 18, 20, 21, 22, 23, 24, 25, 26, 27, 29, 33, 39}}
		c.source = Turn{InvFreq: spectrum(&s, 100, 99), Gain: 1}
		c.student = Turn{InvFreq: spectrum(&s, 100, 2), Gain: 1}
		if edit != nil {
			edit(c)
		}
		rng := rand.New(rand.NewPCG(7, uint64(len(name))))
		q, k := c.shape.Heads*s.HeadDim, c.shape.KVHeads*s.HeadDim
		c.h = uniform(rng, c.positions*s.Hidden, 1.5)
		c.sourceW = &Weights[float64]{Q: uniform(rng, q*s.Hidden, .6), K: uniform(rng, k*s.Hidden, .6)}
		if c.qBias {
			c.sourceW.QBias = uniform(rng, q, .6)
		}
		if c.kBias {
			c.sourceW.KBias = uniform(rng, k, .6)
		}
		c.studentW = c.sourceW.Clone()
		for _, part := range c.studentW.parts() {
			for i := range part {
				part[i] += .1 * (rng.Float64() - .5)
			}
		}
		list[name] = c
	}
	norm := func(seed uint64) *HeadNorm {
		return &HeadNorm{Weight: uniform(rand.New(rand.NewPCG(seed, 1)), 8, 1.5), Eps: 1e-5}
	}
	add("gqa", llama, nil)
	mha := llama
	mha.KVHeads = 4
	add("mha", mha, nil)
	add("norms", llama, func(c *layerCase) { c.shape.QNorm, c.shape.KNorm = norm(1), norm(2) })
	add("biases", llama, func(c *layerCase) { c.qBias, c.kBias = true, true })
	add("norms and biases", llama, func(c *layerCase) {
		c.shape.QNorm, c.shape.KNorm, c.qBias, c.kBias = norm(3), norm(4), true, true
	})
	add("norms over all heads", llama, func(c *layerCase) {
		wide := func(seed uint64, n int) *HeadNorm {
			return &HeadNorm{Weight: uniform(rand.New(rand.NewPCG(seed, 1)), n, 1.5), Eps: 1e-5}
		}
		c.shape.QNorm, c.shape.KNorm, c.qBias, c.kBias = wide(5, 32), wide(6, 16), true, true
	})
	add("a norm over all heads of keys alone", llama, func(c *layerCase) {
		c.shape.QNorm, c.shape.KNorm = norm(7), &HeadNorm{Weight: uniform(rand.New(rand.NewPCG(8, 1)), 16, 1.5), Eps: 1e-5}
	})
	add("interleaved", llama, func(c *layerCase) { c.shape.Pairing = posenc.Interleaved })
	partial := llama
	partial.RotaryDim = 4
	add("partial", partial, func(c *layerCase) { c.student.InvFreq = spectrum(&partial, 100, 1) })
	add("partial interleaved", partial, func(c *layerCase) {
		c.shape.Pairing, c.student.InvFreq = posenc.Interleaved, spectrum(&partial, 100, 1)
	})
	add("window", llama, func(c *layerCase) { c.shape.Window = 7 })
	add("sinks", llama, func(c *layerCase) { c.shape.Sinks = []float64{.5, -3, 0, 2} })
	add("sinks above all scores, window", llama, func(c *layerCase) { c.shape.Sinks, c.shape.Window = []float64{9, 30, 12, -40}, 7 })
	// bounds that no projection is near: at the bend differences say nothing
	add("clipped", llama, func(c *layerCase) { c.shape.Clip = 1.1 })
	add("clipped, norms and biases", llama, func(c *layerCase) {
		c.shape.Clip, c.shape.QNorm, c.shape.KNorm, c.qBias, c.kBias = 1.25, norm(9), norm(10), true, true
	})
	add("capped", llama, func(c *layerCase) { c.shape.Cap = .8 })
	add("capped, slopes, window", llama, func(c *layerCase) {
		c.shape.Cap, c.shape.Window, c.student.Slopes = 1.5, 7, []float64{.5, .25, .125, 0}
	})
	scale := &family.QueryScale{Beta: .3, Length: 7}
	add("queries scaled by position", llama, func(c *layerCase) { c.source.QueryScale, c.student.QueryScale = scale, scale })
	add("the student's queries scaled", llama, func(c *layerCase) { c.student.QueryScale = scale })
	add("the source's queries scaled", llama, func(c *layerCase) { c.source.QueryScale = scale })
	add("the student's queries scaled, norms, biases, cap, slopes", llama, func(c *layerCase) {
		c.student.QueryScale, c.shape.QNorm, c.shape.KNorm, c.qBias, c.kBias = scale, norm(13), norm(14), true, true
		c.shape.Cap, c.student.Slopes = 1.5, []float64{.5, .25, .125, 0}
	})
	add("slopes", llama, func(c *layerCase) { c.student.Slopes = []float64{.5, .25, .125, 0} })
	add("gain", llama, func(c *layerCase) { c.student.Gain = 1.2 })
	// of 40 positions the source was trained at 12: its slower planes turn less than once
	add("away", llama, func(c *layerCase) { c.trained = 12 })
	add("away, scaled, capped, gain, sinks", llama, func(c *layerCase) {
		c.trained, c.shape.Cap, c.source.Gain, c.shape.Sinks = 12, .8, 1.2, []float64{.5, -3, 0, 2}
		c.source.QueryScale, c.student.QueryScale = scale, scale
	})
	add("away, the student's queries scaled", llama, func(c *layerCase) { c.trained, c.student.QueryScale = 12, &family.QueryScale{Beta: .2, Length: 12} })
	add("away, norms, biases, slopes", llama, func(c *layerCase) {
		c.trained, c.shape.QNorm, c.shape.KNorm, c.qBias, c.kBias = 5, norm(11), norm(12), true, true
		c.source.Slopes = []float64{.5, .25, .125, 0}
	})
	add("away, window", llama, func(c *layerCase) { c.trained, c.shape.Window = 12, 15 })
	add("away, spectra per head", llama, func(c *layerCase) {
		c.trained, c.source.InvFreq[1], c.student.InvFreq[1] = 12, []float64{1, .7, .1, 0}, []float64{1, .7, 0, 0}
	})
	add("away, spectra that differ in slow planes", llama, func(c *layerCase) {
		c.trained, c.source.InvFreq[1] = 12, append(append([]float64{}, c.source.InvFreq[0][:3]...), .02)
	})
	add("removed", llama, func(c *layerCase) { c.student.Removed = []bool{false, false, true, true} })
	add("spectra per head", llama, func(c *layerCase) { c.student.InvFreq[1] = []float64{1, 0, .1, 0} })
	return list
}

func (c *layerCase) pair() (*Pair[float64], *heads[float64]) {
	p := NewPair(NewLayer(&c.shape, c.sourceW, &c.source, c.positions), NewLayer(&c.shape, c.studentW, &c.student, c.positions))
	if c.trained > 0 {
		p.away = newAway(p.source, c.trained, c.positions)
	}
	return p, p.Sequence(c.h, c.positions)
}

// TestGradient: closed-form gradients against central differences.
func TestGradient(t *testing.T) {
	for name, c := range layerCases() {
		t.Run(name, func(t *testing.T) {
			p, keys := c.pair()
			grad := c.studentW.NewWeights()
			p.KL(c.h, keys, c.rows, grad)
			var largest float64
			for _, part := range grad.parts() {
				for _, g := range part {
					largest = max(largest, math.Abs(g))
				}
			}
			if largest < 1e-4 {
				t.Fatalf("the largest derivative is %v", largest)
			}
			const h = 2e-5
			for n, part := range c.studentW.parts() {
				for i := 0; i < len(part); i += 1 + len(part)/60 {
					at := func(x float64) float64 {
						old := part[i]
						part[i] += x
						defer func() { part[i] = old }()
						return mean(p.KL(c.h, keys, c.rows, nil))
					}
					// five points: the error is of order h⁴
					want := (8*(at(h)-at(-h)) - (at(2*h) - at(-2*h))) / (12 * h)
					if got := grad.parts()[n][i]; math.Abs(got-want) > 1e-6*largest {
						t.Errorf("part %d, %d: %v, by differences %v", n, i, got, want)
					}
				}
			}
		})
	}
}

// TestSameLayer: a student that is its source has KL 0 and no gradient.
func TestSameLayer(t *testing.T) {
	for name, c := range layerCases() {
		p := NewPair(NewLayer(&c.shape, c.sourceW, &c.source, c.positions), NewLayer(&c.shape, c.sourceW.Clone(), &c.source, c.positions))
		grad := c.sourceW.NewWeights()
		for _, kl := range p.KL(c.h, p.Sequence(c.h, c.positions), c.rows, grad) {
			if kl != 0 {
				t.Fatalf("%s: KL %v of a layer with itself", name, kl)
			}
		}
		for n, part := range grad.parts() {
			for _, g := range part {
				if g != 0 {
					t.Fatalf("%s: part %d: derivative %v at the minimum", name, n, g)
				}
			}
		}
	}
}

// TestScores: the KL by the definition of posenc, one head and row at a time.
func TestScores(t *testing.T) {
	for name, c := range layerCases() {
		p, keys := c.pair()
		got := p.KL(c.h, keys, c.rows, nil)
		for n := range c.shape.Heads {
			for i, pos := range c.rows {
				a := c.attention(c.sourceW, &c.source, n, pos, c.trained)
				b := c.attention(c.studentW, &c.student, n, pos, 0)
				var want float64
				for j := range a {
					if a[j] > 0 {
						want += a[j] * math.Log(a[j]/b[j])
					}
				}
				if d := math.Abs(got[n*len(c.rows)+i] - want); d > 1e-12 {
					t.Errorf("%s: head %d row %d: KL off by %v from %v", name, n, i, d, want)
				}
			}
		}
	}
}

// attention is a row of the softmax as the model's formulas say it; where trained is not
// 0, planes that turn at most once over trained positions take no distance for more than
// trained − 1.
func (c *layerCase) attention(w *Weights[float64], turn *Turn, head, pos, trained int) []float64 {
	s := &c.shape
	g := head / (s.Heads / s.KVHeads)
	// the planes of held turn as at position as, the others as at position at
	held := func(p int) bool { return trained > 0 && turn.InvFreq[g][p]*float64(trained) <= 2*math.Pi }
	vector := func(w, bias []float64, norm *HeadNorm, head, at, as int) []float64 {
		all := make([]float64, len(w)/s.Hidden) // every head's
		for row := range all {
			for j := range s.Hidden {
				all[row] += w[row*s.Hidden+j] * c.h[at*s.Hidden+j]
			}
			if bias != nil {
				all[row] += bias[row]
			}
		}
		if s.Clip > 0 {
			for row, x := range all {
				all[row] = math.Max(-s.Clip, math.Min(s.Clip, x))
			}
		}
		if norm != nil {
			n := len(norm.Weight)
			for from := 0; from < len(all); from += n {
				var squares float64
				for _, x := range all[from : from+n] {
					squares += x * x
				}
				for i := range n {
					all[from+i] *= norm.Weight[i] / math.Sqrt(squares/float64(n)+norm.Eps)
				}
			}
		}
		x := all[head*s.HeadDim : (head+1)*s.HeadDim]
		fast, slow := slices.Clone(turn.InvFreq[g]), slices.Clone(turn.InvFreq[g])
		for p := range fast {
			if held(p) {
				fast[p] = 0
			} else {
				slow[p] = 0
			}
		}
		for _, part := range []struct {
			invFreq  []float64
			gain     float64
			position int
		}{{fast, turn.Gain, at}, {slow, 1, as}} {
			r := posenc.Rotary{Spectrum: posenc.Spectrum{InvFreq: part.invFreq, Gain: part.gain}, HeadDim: s.HeadDim, Dim: s.RotaryDim, Pairing: s.Pairing}
			if part.gain == turn.Gain {
				r.Removed = turn.Removed
			}
			r.Turn(x, 0, []float64{float64(part.position)})
		}
		return x
	}
	query := func(as int) []float64 {
		q := vector(w.Q, w.QBias, s.QNorm, head, pos, as)
		if scale := turn.QueryScale; scale != nil {
			for i := range q {
				q[i] *= 1 + scale.Beta*math.Log(1+float64(pos/int(scale.Length)))
			}
		}
		return q
	}
	out := make([]float64, pos+1)
	var sum float64
	for j := range out {
		if s.Window > 0 && pos-j >= s.Window {
			continue
		}
		q, k := query(pos), vector(w.K, w.KBias, s.KNorm, g, j, j)
		if trained > 0 && pos-j >= trained {
			q, k = query(trained-1), vector(w.K, w.KBias, s.KNorm, g, j, 0)
		}
		var score float64
		for i := range q {
			score += q[i] * k[i]
		}
		if score *= s.Scale; s.Cap > 0 {
			score = s.Cap * math.Tanh(score/s.Cap)
		}
		out[j] = math.Exp(score - turn.slope(head)*float64(pos-j))
		sum += out[j]
	}
	if s.Sinks != nil { // a share like a key's
		out = append(out, math.Exp(s.Sinks[head]))
		sum += out[pos+1]
	}
	for j := range out {
		out[j] /= sum
	}
	return out
}
