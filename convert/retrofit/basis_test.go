package retrofit

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/gemm"
	"github.com/pecvt/pecvt/posenc"
)

// inBasis are weights behind exp(x) of one key/value head.
func inBasis(s *Shape, w *Weights[float64], g int, x []float32) *Weights[float64] {
	d := s.HeadDim
	one := make([]float64, d*d)
	for i := range d {
		one[i*d+i] = 1
	}
	out := w.Clone()
	through(s, g, gemm.Of(d, d, d, turned(x, one, d)), w, out)
	return out
}

// TestBasisGradient: ⟨S, X⟩/2 against central differences along exp(X), and that a basis is
// nothing where nothing turns.
func TestBasisGradient(t *testing.T) {
	for _, name := range []string{"gqa", "mha", "biases", "interleaved", "partial", "window", "capped", "sinks", "slopes", "spectra per head", "away"} {
		c := layerCases()[name]
		s := &c.shape
		d := s.HeadDim
		p, keys := c.pair()
		grad := c.studentW.NewWeights()
		p.KL(c.h, keys, c.rows, grad)
		rng := rand.New(rand.NewPCG(1, 2))
		for g := range s.KVHeads {
			x := make([]float32, d*d)
			for i := range d {
				for j := range i {
					v := float32(rng.Float64() - .5)
					x[i*d+j], x[j*d+i] = v, -v
				}
			}
			at := func(e float32, student *Turn) float64 {
				y := make([]float32, len(x))
				for i, v := range x {
					y[i] = e * v
				}
				q := NewPair(NewLayer(s, c.sourceW, &c.source, c.positions), NewLayer(s, inBasis(s, c.studentW, g, y), student, c.positions))
				q.away = p.away
				return mean(q.KL(c.h, keys, c.rows, nil))
			}
			const h = 1. / 256
			want := (8*(at(h, &c.student)-at(-h, &c.student)) - (at(2*h, &c.student) - at(-2*h, &c.student))) / (12 * h)
			out := make([]float64, d*d)
			skew(s, g, out, grad, c.studentW)
			var got float64
			for i, v := range out {
				got += v * float64(x[i]) / 2
			}
			if math.Abs(got-want) > 1e-6*math.Abs(want) || math.Abs(want) < 1e-6 {
				t.Errorf("%s, head %d: %v, by differences %v", name, g, got, want)
			}
			still := c.student
			still.InvFreq, still.Removed = spectrum(s, 100, 0), nil
			if a, b := at(0, &still), at(1, &still); math.Abs(a-b) > 1e-8 || a < 1e-4 {
				t.Errorf("%s, head %d: KL %v without a rotation, in a basis %v", name, g, a, b)
			}
		}
	}
}

// TestBasisStays: after many steps B is orthogonal still, and what is folded is B W.
func TestBasisStays(t *testing.T) {
	s := &Shape{Hidden: 6, Heads: 4, KVHeads: 2, HeadDim: 8, RotaryDim: 8, Scale: 1}
	rng := rand.New(rand.NewPCG(3, 4))
	w := &Weights[float32]{Q: narrow(uniform(rng, 32*6, 1)), K: narrow(uniform(rng, 16*6, 1)), QBias: narrow(uniform(rng, 32, 1)), KBias: narrow(uniform(rng, 16, 1))}
	const steps = 2000
	b := newBasis(s, w, .12, steps)
	for range steps {
		b.update(&Weights[float32]{Q: narrow(uniform(rng, 32*6, 1)), K: narrow(uniform(rng, 16*6, 1)), QBias: narrow(uniform(rng, 32, 1)), KBias: narrow(uniform(rng, 16, 1))})
	}
	for g, m := range b.b {
		moved := 0.0
		for i := range 8 {
			for j := range 8 {
				var dot float64
				for k := range 8 {
					dot += m[i*8+k] * m[j*8+k]
				}
				if i == j {
					dot--
					moved = max(moved, 1-m[i*8+i])
				}
				if math.Abs(dot) > 1e-5 {
					t.Errorf("head %d: rows %d and %d: %v", g, i, j, dot)
				}
			}
		}
		if moved < .01 {
			t.Errorf("head %d: B did not move", g)
		}
		// query head 2g+1 and its bias, number by number
		head := 2*g + 1
		for i := range 8 {
			for c := range 7 {
				at := func(w *Weights[float32], row int) float64 {
					if c == 6 {
						return float64(w.QBias[head*8+row])
					}
					return float64(w.Q[(head*8+row)*6+c])
				}
				var want float64
				for k := range 8 {
					want += m[i*8+k] * at(b.own, k)
				}
				if got := at(w, i); math.Abs(got-want) > 1e-5*(1+math.Abs(want)) {
					t.Errorf("head %d, row %d, column %d: %v, B W has %v", head, i, c, got, want)
				}
			}
		}
	}
}

// TestBasisFinds: of a source that is the student behind an orthogonal matrix, the same
// steps with a basis leave less than without.
func TestBasisFinds(t *testing.T) {
	c := layerCases()["gqa"]
	s := &c.shape
	d := s.HeadDim
	rng := rand.New(rand.NewPCG(5, 6))
	own := c.sourceW
	for g := range s.KVHeads {
		x := make([]float32, d*d)
		for i := range d {
			for j := range i {
				v := float32(.6 * (rng.Float64() - .5))
				x[i*d+j], x[j*d+i] = v, -v
			}
		}
		c.sourceW = inBasis(s, c.sourceW, g, x)
	}
	h := narrow(c.h)
	run := func(with bool) (before, after float64) {
		w := &Weights[float32]{Q: narrow(own.Q), K: narrow(own.K)}
		source := &Weights[float32]{Q: narrow(c.sourceW.Q), K: narrow(c.sourceW.K)}
		p := NewPair(NewLayer(s, source, &c.source, c.positions), NewLayer(s, w, &c.source, c.positions))
		keys := p.Sequence(h, c.positions)
		before = mean(p.KL(h, keys, c.rows, nil))
		const steps = 60
		var down interface{ update(*Weights[float32]) } = newAdam(w, .12, steps)
		if with {
			down = newBasis(s, w, .12, steps)
		}
		grad := w.NewWeights()
		for range steps {
			p.KL(h, keys, c.rows, grad)
			down.update(grad)
		}
		return before, mean(p.KL(h, keys, c.rows, nil))
	}
	before, plain := run(false)
	_, with := run(true)
	if t.Logf("KL %.5f, of %.5f; with a basis %.5f", plain, before, with); with > .7*plain || plain > before {
		t.Error("the basis is not found")
	}
}

// TestFitBasis: every layer of a model gets better; on one core and on several, with the
// same bytes; and it is another work than the fit of the weights alone.
func TestFitBasis(t *testing.T) {
	fit := func(name string) *Calibration {
		t.Helper()
		c, err := calibrateStories(t, context.Background(), "models/stories260K", func(o *CalibrateOptions, _ *Walk) {
			o.Fit, o.Steps, o.Rate = name, 20, 0
		})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	plain, first := fit(FitWeights), fit(FitBasis)
	for i, l := range first.Layers {
		t.Logf("layer %d: %.4f, with a basis %.4f, of %.4f", i, plain.Layers[i].After, l.After, l.Before)
		if !l.Kept || l.After == plain.Layers[i].After {
			t.Errorf("layer %d: %+v", i, l)
		}
	}
	if plain.Options.Fit != "" || first.Options.Fit != FitBasis || plain.Fingerprint == first.Fingerprint {
		t.Errorf("fits %q and %q", plain.Options.Fit, first.Options.Fit)
	}
	old := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(old)
	same(t, first, fit(FitBasis))
}

// TestCanFit: what stands between projection and rotation.
func TestCanFit(t *testing.T) {
	m, _ := open(t, "golden/qwen3")
	if err := CanFit(m, FitBasis); !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), "layer 0: norms of queries and keys") {
		t.Error(err)
	}
	if err := CanFit(m, FitWeights); err != nil || UsualFit(m) != FitWeights {
		t.Error(err, UsualFit(m))
	}
	if err := CanFit(m, "bases"); err == nil || err.Error() != `fit "bases": expected wqk or basis` {
		t.Error(err)
	}
	m, _ = open(t, "golden/qwen2")
	if err := CanFit(m, FitBasis); err != nil || UsualFit(m) != FitBasis {
		t.Error(err, UsualFit(m))
	}
	m.Blocks[1].Attn().Clip = 8
	if err := CanFit(m, FitBasis); !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), "layer 1: bounds") {
		t.Error(err)
	}
	// layers without attention have nothing between; they are refused as such, by name
	m, _ = open(t, "families/bamba")
	if err := CanFit(m, FitBasis); err != nil || UsualFit(m) != FitBasis {
		t.Error(err, UsualFit(m))
	}
	_, err := calibrateStories(t, context.Background(), "golden/qwen3", func(o *CalibrateOptions, _ *Walk) { o.Fit = FitBasis })
	if !errors.Is(err, posenc.ErrUnsupported) {
		t.Error(err)
	}
}
