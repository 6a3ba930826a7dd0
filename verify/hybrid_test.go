package verify

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/verify/interp"
	"github.com/pecvt/pecvt/verify/ort"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// qwen3 is the golden model with per-head norms, 4 query heads on 2 key/value
// heads, and rotation; it is put into dir for a graph to read its weights.
func qwen3(t *testing.T, dir string) (*family.Model, *safetensors.Checkpoint) {
	t.Helper()
	for _, name := range []string{"config.json", "model.safetensors"} {
		data, err := os.ReadFile(filepath.Join("../testdata/golden/qwen3", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ckpt, err := safetensors.OpenCheckpoint(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ckpt.Close() })
	m, err := families.Load(ckpt)
	if err != nil {
		t.Fatal(err)
	}
	return m, ckpt
}

// rowsOf are n rows of a weight from first on, as a gate.
func rowsOf(w family.Weight, first, n int) family.Linear {
	return family.Linear{Weight: family.Weight{Tensor: w.Tensor, Shape: []int64{int64(n), w.Shape[1]}, Stored: w.Stored,
		Rows: []family.Range{{Begin: int64(first), End: int64(first + n)}}}}
}

func randomRows(n, width int) [][]float64 {
	r := rand.New(rand.NewPCG(1, 2))
	out := make([][]float64, n)
	for i := range out {
		for range width {
			out[i] = append(out[i], r.NormFloat64())
		}
	}
	return out
}

// hybrids put together what no bundled model has together.
var hybrids = map[string]func(a *family.Attention){
	"alibi on a rotation, grouped": func(a *family.Attention) {
		a.Bias = &family.Bias{Kind: family.ALiBi, Slopes: []float64{0.3, 0.11, 0.043, 0.017}}
	},
	"rounded alibi, powers of two": func(a *family.Attention) {
		a.Bias = &family.Bias{Kind: family.ALiBi, Slopes: []float64{0.5, 0.25, 0.125, 0.0625}, RoundBF16: true}
	},
	"query gates": func(a *family.Attention) {
		a.Bias = &family.Bias{Kind: family.Gated, Slopes: []float64{0.3, 0.11, 0.043, 0.017}, V: randomRows(a.Heads, a.QKDim)}
	},
	"key gates, norms after the rotation": func(a *family.Attention) {
		a.NormAfter = true
		a.Bias = &family.Bias{Kind: family.Gated, Slopes: []float64{0.3, 0.11, 0.043, 0.017}, U: randomRows(a.Heads, a.QKDim)}
	},
	"both gates, partial and interleaved": func(a *family.Attention) {
		a.Rotary.Pairing, a.Rotary.Dim = posenc.Interleaved, 4
		a.Rotary.InvFreq = a.Rotary.InvFreq[:2]
		rows := randomRows(2*a.Heads, a.QKDim)
		a.Bias = &family.Bias{Kind: family.Gated, Slopes: []float64{0.3, 0.11, 0.043, 0.017}, U: rows[:a.Heads], V: rows[a.Heads:]}
	},
	"forget gates in a window": func(a *family.Attention) {
		a.Window = 9
		gate := rowsOf(a.Q.Weight, 3, a.Heads)
		a.Bias = &family.Bias{Kind: family.Forget, Gate: &gate}
	},
	"path vectors of queries": func(a *family.Attention) {
		a.Bias = &family.Bias{Kind: family.Path, Slopes: []float64{0.3, 0.11, 0.043, 0.017}, Tie: "q", PDim: a.QKDim, Eps: 0x1p-23}
	},
	"path vectors of values, shifted": func(a *family.Attention) {
		a.VShift = &family.Shift{Gate: rowsOf(a.Q.Weight, 5, a.KVHeads)}
		a.Bias = &family.Bias{Kind: family.Path, Slopes: []float64{0.3, 0.11, 0.043, 0.017}, Tie: "v", PDim: a.QKDim, Eps: 0x1p-23}
	},
	"path vectors projected": func(a *family.Attention) {
		a.Bias = &family.Bias{Kind: family.Path, Slopes: []float64{0.3, 0.11, 0.043, 0.017}, P: &a.Q, PDim: a.QKDim, Eps: 0x1p-23}
	},
	"a power of distance, grouped": func(a *family.Attention) {
		a.Bias = &family.Bias{Kind: family.Kerple, Power: true, Slopes: []float64{0.3, 0.11, 1.7, 0}, R2: []float64{0.4, 1.5, 1, 2}}
	},
	"a logarithm of distance in a window": func(a *family.Attention) {
		a.Window = 9
		a.Bias = &family.Bias{Kind: family.Kerple, Slopes: []float64{0.3, 2.5, 0, 16}, R2: []float64{0.4, 3, 1, 0.01}}
	},
	"spectra per group": func(a *family.Attention) {
		a.Spectra = &family.HeadSpectra{InvFreq: [][]float64{a.Rotary.InvFreq, make([]float64, a.Rotary.Planes())}}
		for p, v := range a.Rotary.InvFreq {
			a.Spectra.InvFreq[1][p] = -0.7 * v
		}
	},
	"planes dropped per group": func(a *family.Attention) {
		a.Rotary.Gain = 1.25
		a.Spectra = &family.HeadSpectra{InvFreq: [][]float64{append([]float64(nil), a.Rotary.InvFreq...), append([]float64(nil), a.Rotary.InvFreq...)}}
		a.Spectra.InvFreq[0][1], a.Spectra.InvFreq[1][0] = 0, 0
	},
	"the same planes dropped": func(a *family.Attention) {
		one := append([]float64(nil), a.Rotary.InvFreq...)
		one[1] = 0
		a.Spectra = &family.HeadSpectra{InvFreq: [][]float64{one, one}}
	},
	"phases per group with spectra, forget gates, shifts": func(a *family.Attention) {
		a.Spectra = &family.HeadSpectra{InvFreq: [][]float64{a.Rotary.InvFreq, make([]float64, a.Rotary.Planes())}}
		a.Phase = &family.PhaseGate{Gate: rowsOf(a.K.Weight, 1, a.KVHeads), C: 2}
		gate := rowsOf(a.Q.Weight, 3, a.Heads)
		a.Bias = &family.Bias{Kind: family.Forget, Gate: &gate}
		a.KShift = &family.Shift{Gate: rowsOf(a.Q.Weight, 7, a.KVHeads)}
		a.VShift = &family.Shift{Gate: rowsOf(a.Q.Weight, 9, a.KVHeads)}
	},
	"one phase, gain and a removed plane": func(a *family.Attention) {
		a.Rotary.Gain = 1.25
		a.Rotary.Removed = make([]bool, a.Rotary.Planes())
		a.Rotary.Removed[1] = true
		a.Phase = &family.PhaseGate{Gate: rowsOf(a.K.Weight, 1, 1), C: 2}
	},
}

// TestHybrids runs what no bundled model has together against the reference, in
// both forms of a bias.
func TestHybrids(t *testing.T) {
	for name, set := range hybrids {
		for _, form := range []string{onnxops.BiasAuto, onnxops.BiasMask} {
			t.Run(name+"/"+form, func(t *testing.T) {
				t.Parallel()
				s := newHybrid(t, set, form)
				if form == onnxops.BiasMask && s.model.Blocks[0].Attn().Bias == nil {
					return
				}
				s.tables()
				if a := s.model.Blocks[0].Attn(); s.report.Checks[0].Verdict != report.Pass && a.Phase == nil && a.Rotary.Dim > 0 {
					t.Errorf("tables: %+v", s.report.Checks[0])
				}
				if err := s.makeAll(ofRunners); err != nil {
					t.Fatal(err)
				}
				for _, c := range s.report.Checks {
					if c.Verdict == report.Fail {
						t.Errorf("%s of %s: %s", c.Name, c.Runner, c.Detail)
					}
				}
				if len(s.report.Checks) < 14 {
					t.Errorf("%d checks", len(s.report.Checks))
				}
			})
		}
	}
}

// newHybrid is a session on an edited qwen3.
func newHybrid(t *testing.T, set func(a *family.Attention), form string) *session {
	t.Helper()
	return newOf(t, func(b *family.Block) { set(b.Attn()) }, onnxops.Options{Bias: form})
}

// newOf is a verification of the golden model with other layers.
func newOf(t *testing.T, set func(b *family.Block), o onnxops.Options) *session {
	t.Helper()
	dir := t.TempDir()
	m, ckpt := qwen3(t, dir)
	for i := range m.Blocks {
		set(&m.Blocks[i])
	}
	o.MaxLength, o.Encoding = 1500, "hybrid"
	if _, err := onnxops.Write(dir, m, ckpt, o); err != nil {
		t.Fatal(err)
	}
	info, err := run.ReadGraph(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := &session{ctx: context.Background(), dir: dir, opts: Options{Provider: ort.ProviderCPU, OptLevel: ort.OptAll, Tokens: 30, Threads: 1},
		info: info, model: m, ckpt: ckpt, meant: ckpt, ref: run.NewRef(m, ckpt), report: &report.Report{}}
	if s.ids, err = s.promptIDs(); err != nil {
		t.Fatal(err)
	}
	if err := s.openRunners(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, r := range s.others {
			r.Close()
		}
		s.profiles.Remove()
	})
	return s
}

// TestLongSums: far into a text, running sums are large and only their
// differences count. A prompt after sums of −100000 (forget gates) and of 100000
// positions (phases) gives the logits it gives at the beginning.
func TestLongSums(t *testing.T) {
	set := hybrids["phases per group with spectra, forget gates, shifts"]
	for _, form := range []string{onnxops.BiasLowered, onnxops.BiasMask} {
		s := newHybrid(t, set, form)
		in := run.Prompt(s.ids, 0)
		for _, r := range s.others {
			g := r.(interface {
				run.Runner
				run.CacheReader
			})
			first, _, err := g.Run(s.ctx, in, nil)
			if err != nil {
				t.Fatal(err)
			}
			past := map[string]*interp.Array{}
			for name, a := range s.info.EmptyCaches(1) {
				value := map[string]float64{"forget": -100000.37, "phase": 100000.37}[filepath.Ext(name)[1:]]
				if len(a.Shape) == 3 && a.Shape[2] == 2 && value != 0 { // a running sum as high and low part
					high := float64(float32(value))
					for i := 0; i < len(a.F); i += 2 {
						a.F[i], a.F[i+1] = high, float64(float32(value-high))
					}
				}
				past[presentOf(s, name)] = a
			}
			later, _, err := g.Run(s.ctx, in, g.State(past))
			if err != nil {
				t.Fatal(err)
			}
			m, err := report.Compare(later, first, nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s, %s: %.2g of the largest logit", form, g.Name(), m.MaxRel)
			if !(m.MaxRel < 2e-6) {
				t.Errorf("%s, %s: off by %v of the largest logit", form, g.Name(), m.MaxRel)
			}
		}
	}
}

// presentOf is the output that an input takes.
func presentOf(s *session, past string) string {
	for _, c := range s.info.Caches {
		if c.Past == past {
			return c.Present
		}
	}
	return ""
}
