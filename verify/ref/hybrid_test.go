package ref

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/posenctest"
)

// hybrid is one official checkpoint's attention turned into what no checkpoint
// has at once: two key/value heads for four queries, spectra per head of both
// signs, norms on either side of the rotation, a window, and the bias asked for.
func hybrid(t testing.TB, dir string, after bool, edit func(a *family.Attention, w func(name string, from, rows int64) family.Weight)) (*family.Model, *safetensors.Checkpoint) {
	m, src := checkpoint(t, dir)
	for i, a := range m.Attentions() {
		a.KVHeads, a.NormAfter, a.Window = 2, after, 11
		half := func(l *family.Linear) {
			l.Weight.Shape, l.Weight.Rows = []int64{32, 64}, []family.Range{{Begin: 8, End: 40}}
		}
		half(&a.K)
		half(&a.V)
		a.Rotary = posenc.Rotary{HeadDim: 16, Dim: 12, Pairing: posenc.Interleaved, Spectrum: posenc.Spectrum{InvFreq: make([]float64, 6), Gain: 1.1}}
		a.Spectra = &family.HeadSpectra{InvFreq: [][]float64{{-1, -0.3, -0.1, 0, 0.02, 0.7}, {0.4, 0.2, 0, -0.9, -0.05, 0.001}}}
		edit(a, func(name string, from, rows int64) family.Weight {
			name = fmt.Sprintf("transformer.h.%d.%s.weight", i, name)
			info, ok := src.Lookup(name)
			if !ok {
				t.Fatalf("no tensor %q", name)
			}
			return family.Weight{Tensor: name, Shape: []int64{rows, info.Shape[1]}, Rows: []family.Range{{Begin: from, End: from + rows}}, Stored: info.Shape}
		})
	}
	return m, src
}

func gates(rows, n int) [][]float64 {
	out := make([][]float64, rows)
	for i := range out {
		out[i] = random(n + i)[i:]
	}
	return out
}

// All that a layer may carry, together: the attention's context is that of
// posenc's definition, and the laws of caches and padding hold.
func TestHybrids(t *testing.T) {
	type weights = func(name string, from, rows int64) family.Weight
	slopes := []float64{0.5, 0.25, 0.03, 0.11}
	full := func(a *family.Attention, w weights) { // contextual, shifted, gated by both sides
		a.Phase = &family.PhaseGate{Gate: family.Linear{Weight: w("attn.c_q", 0, 2)}, C: 0.7}
		a.KShift = &family.Shift{Gate: family.Linear{Weight: w("attn.c_q", 5, 2)}}
		a.VShift = &family.Shift{Gate: family.Linear{Weight: w("attn.c_q", 9, 2)}}
		a.HeadNorm = a.KNorm
		a.Bias = &family.Bias{Kind: family.Gated, Slopes: slopes, U: gates(4, 16), V: gates(4, 16)}
	}
	path := func(tie string) func(a *family.Attention, w weights) {
		return func(a *family.Attention, w weights) {
			a.Bias = &family.Bias{Kind: family.Path, Slopes: slopes, PDim: 16, Tie: tie, Eps: 0x1p-23}
			if tie == "" {
				a.Bias.PDim, a.Bias.P = 6, &family.Linear{Weight: w("attn.c_q", 20, 24)}
			}
		}
	}
	forget := func(a *family.Attention, w weights) {
		a.Bias = &family.Bias{Kind: family.Forget, Gate: &family.Linear{Weight: w("attn.c_q", 30, 4)}}
	}
	kernel := func(power bool) func(a *family.Attention, w weights) {
		return func(a *family.Attention, _ weights) {
			a.Bias = &family.Bias{Kind: family.Kerple, Power: power, Slopes: []float64{0.5, 0, 3, 0.2}, R2: []float64{0.4, 1, 1.7, 2}}
		}
	}
	cases := []struct {
		name  string
		after bool
		edit  func(a *family.Attention, w weights)
	}{
		{"all/before", false, full}, {"all/after", true, full},
		{"fox/before", false, forget}, {"fox/after", true, forget},
		{"path", true, path("")}, {"path-q/after", true, path("q")}, {"path-q/before", false, path("q")}, {"path-k", true, path("k")}, {"path-v", false, path("v")},
		{"kerple-log", false, kernel(false)}, {"kerple-power", true, kernel(true)},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m, src := hybrid(t, "golden/grape-rope", c.after, c.edit)
			r := New(m, src)
			const n = 20
			ids := tokens(m, 2, n)
			taps := map[string][]float64{}
			whole, err := r.Forward(context.Background(), Input{IDs: ids}, Options{KeepHidden: true, Tap: func(name string, v []float64, _ []int) { taps[name] = slices.Clone(v) }})
			if err != nil {
				t.Fatal(err)
			}
			for i := range m.Blocks {
				prefix := fmt.Sprintf("/layers.%d/", i)
				want := definition(t, r, m.Blocks[i].Attn(), func(name string) []float64 { return taps[prefix+name] }, 2, n)
				near(t, prefix+"attn/context", taps[prefix+"attn/context"], want, 1e-13)
			}
			inPieces(t, m, r, ids, whole, slices.Repeat([]int{1}, n))
			inPieces(t, m, r, ids, whole, []int{6, 5})
			inner := [][]int64{{0, 0, 0}, {0, 0, 0}}
			mask := [][]int64{{0, 0, 0}, {0, 0, 0}}
			for b := range ids {
				inner[b] = append(inner[b], ids[b]...)
				mask[b] = append(mask[b], slices.Repeat([]int64{1}, n)...)
			}
			padded := forward(t, r, Input{IDs: inner, Mask: mask})
			for b := range ids {
				near(t, "left padding", part(padded.Logits, b, n+3, m.Vocab, 3, n+3), part(whole.Logits, b, n, m.Vocab, 0, n), exact)
			}
		})
	}
}

// definition computes a layer's attention from its projections, one number at
// a time, as posenctest.Hybrid defines the scores. value looks a tap of the layer
// up; "attn/q_proj" and the like have shape (batch, positions, heads, d).
func definition(t *testing.T, r *Runner, a *family.Attention, value func(string) []float64, batch, n int) []float64 {
	t.Helper()
	const hidden = 64
	d, kv := a.QKDim, a.KVHeads
	x, qs, ks, vs := value("attn_norm"), value("attn/q_proj"), value("attn/k_proj"), value("attn/v_proj")
	out := make([]float64, len(qs))
	decode := func(w *family.Weight) []float64 {
		v, err := r.vector(w)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	dot := func(a, b []float64) (s float64) {
		for i := range a {
			s += a[i] * b[i]
		}
		return s
	}
	rms := func(norm *family.Norm, x []float64) []float64 {
		y, w := slices.Clone(x), decode(&norm.Weight)
		scale := math.Sqrt(dot(x, x)/float64(len(x)) + norm.Eps)
		for i := range y {
			y[i] *= w[i] / scale
		}
		return y
	}
	shifted := func(s *family.Shift, y, input []float64, g int) [][]float64 {
		rows := make([][]float64, n)
		for i := range rows {
			rows[i] = slices.Clone(y[(i*kv+g)*d:][:d])
			if s == nil {
				continue
			}
			gate := posenc.Sigmoid(dot(decode(&s.Gate.Weight)[g*hidden:][:hidden], input[i*hidden:][:hidden]))
			for c := range d {
				before := 0.0
				if i > 0 {
					before = y[((i-1)*kv+g)*d+c]
				}
				rows[i][c] = gate*before + (1-gate)*rows[i][c]
			}
		}
		return rows
	}
	bias, err := r.bias(a)
	if err != nil {
		t.Fatal(err)
	}
	for b := range batch {
		input := x[b*n*hidden : (b+1)*n*hidden]
		for h := range a.Heads {
			g := h / (a.Heads / kv)
			k, v := shifted(a.KShift, ks[b*n*kv*d:(b+1)*n*kv*d], input, g), shifted(a.VShift, vs[b*n*kv*d:(b+1)*n*kv*d], input, g)
			spectrum := a.Rotary
			spectrum.InvFreq = a.Spectra.InvFreq[g]
			phi := 0.0
			var list []posenc.Token
			var q, turnedQ, turnedK [][]float64
			for i := range n {
				q = append(q, qs[((b*n+i)*a.Heads+h)*d:][:d])
				at := []float64{float64(i)}
				if a.Phase != nil {
					at[0] = phi
					w := decode(&a.Phase.Gate.Weight)[g*hidden:][:hidden]
					phi += posenc.Sigmoid(dot(w, input[i*hidden:][:hidden]) / a.Phase.C)
				}
				token := posenc.Token{Pos: int64(i), X: input[i*hidden:][:hidden], Q: rms(a.QNorm, q[i]), K: rms(a.KNorm, k[i]), V: v[i]}
				list = append(list, token)
				tq, tk := slices.Clone(q[i]), slices.Clone(k[i])
				if !a.NormAfter {
					tq, tk = slices.Clone(token.Q), slices.Clone(token.K)
				}
				spectrum.Turn(tq, 0, at)
				spectrum.Turn(tk, 0, at)
				if a.NormAfter {
					tq, tk = rms(a.QNorm, tq), rms(a.KNorm, tk)
				}
				turnedQ, turnedK = append(turnedQ, tq), append(turnedK, tk)
			}
			scores := make([]float64, n*n)
			bias.Add(scores, h, posenctest.Block(bias, h, list, n))
			for i := range n {
				sum := 0.0
				weights := make([]float64, n)
				for j := max(i-a.Window+1, 0); j <= i; j++ {
					weights[j] = math.Exp(a.Scale*dot(turnedQ[i], turnedK[j]) + scores[i*n+j])
					sum += weights[j]
				}
				to := out[((b*n+i)*a.Heads+h)*d:][:d]
				for j := range n {
					for c := range d {
						to[c] += weights[j] / sum * v[j][c]
					}
				}
			}
		}
	}
	return out
}
