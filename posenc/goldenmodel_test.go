package posenc_test

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/posenctest"
)

// goldenModel is a whole reference model in float64, written for the goldens of
// the official GRAPE models and of transformers' ALiBi families alone: just
// enough around the attention that its encoding can be judged by hidden states.
type goldenModel struct {
	heads, headDim int
	encoding       func(layer int) posenctest.Hybrid
	attn           func(layer int) projections
	block          func(layer int, x, attn []float64) []float64
	attnNorm       func(layer int, x []float64) []float64
	normAfter      bool // q and k norms follow the rotation (GRAPE-M)
	phase          func(layer int) *posenc.ContextPhase
}

// projections is one layer's attention, weights as (out, in).
type projections struct {
	q, k, v, o     linear
	qNorm, kNorm   []float64
	kShift, vShift *posenc.Shift
}

type linear struct {
	w posenc.Matrix
	b []float64
}

func (l linear) of(x []float64) []float64 {
	y := l.w.Apply(x)
	for i, b := range l.b {
		y[i] += b
	}
	return y
}

// rows takes rows of a fused projection.
func (l linear) rows(at ...int) linear {
	out := linear{w: posenc.Matrix{Rows: len(at), Cols: l.w.Cols}}
	for _, i := range at {
		out.w.Data = append(out.w.Data, l.w.Row(i)...)
		if l.b != nil {
			out.b = append(out.b, l.b[i])
		}
	}
	return out
}

// attention runs one layer's attention for a sequence of normalised inputs.
func (m goldenModel) attention(layer int, xs [][]float64) [][]float64 {
	p, enc, d := m.attn(layer), m.encoding(layer), m.headDim
	at := make([][]float64, len(xs))
	if phase := m.phase; phase != nil {
		c := phase(layer)
		state := c.Start()
		for t, x := range xs {
			phi := make([]float64, len(state))
			c.Next(state, phi, x)
			at[t] = phi
		}
	}
	var places [][]float64
	if m.phase != nil {
		places = at
	}
	tokens := make([][]posenc.Token, m.heads)
	var kState, vState [][]float64
	if p.kShift != nil {
		kState = p.kShift.Start(d)
	}
	if p.vShift != nil {
		vState = p.vShift.Start(d)
	}
	for t, x := range xs {
		q, k, v := p.q.of(x), p.k.of(x), p.v.of(x)
		for h := range m.heads {
			tok := posenc.Token{Pos: int64(t), X: x, Q: q[h*d : (h+1)*d], K: k[h*d : (h+1)*d], V: v[h*d : (h+1)*d]}
			if p.kShift != nil {
				p.kShift.Next(kState[h], h, tok.K, x)
			}
			if p.vShift != nil {
				p.vShift.Next(vState[h], h, tok.V, x)
			}
			if m.normAfter { // the norm's weight does not commute with the planes: turn here
				place := at[t]
				if place == nil {
					place = []float64{float64(t)}
				}
				enc.Rotation.Turn(tok.Q, h, place)
				enc.Rotation.Turn(tok.K, h, place)
			}
			if p.qNorm != nil {
				tok.Q, tok.K = rmsNorm(tok.Q, p.qNorm, 1e-5), rmsNorm(tok.K, p.kNorm, 1e-5)
			}
			tokens[h] = append(tokens[h], tok)
		}
	}
	if m.normAfter {
		enc.Rotation = nil
	}
	joined := make([][]float64, len(xs))
	for h := range m.heads {
		scores := enc.Scores(tokens[h], places, len(xs), h, h, 1/math.Sqrt(float64(d)))
		for i := range xs {
			out := make([]float64, d)
			for j, w := range softmax(scores[i*len(xs) : i*len(xs)+i+1]) {
				for c, v := range tokens[h][j].V {
					out[c] += w * v
				}
			}
			joined[i] = append(joined[i], out...)
		}
	}
	for i, y := range joined {
		joined[i] = p.o.of(y)
	}
	return joined
}

// run returns the output of every layer.
func (m goldenModel) run(layers int, xs [][]float64) (outputs [][][]float64) {
	for layer := range layers {
		normed := make([][]float64, len(xs))
		for t, x := range xs {
			normed[t] = m.attnNorm(layer, x)
		}
		attn := m.attention(layer, normed)
		next := make([][]float64, len(xs))
		for t, x := range xs {
			next[t] = m.block(layer, x, attn[t])
		}
		xs = next
		outputs = append(outputs, xs)
	}
	return outputs
}

func rmsNorm(x, w []float64, eps float64) []float64 {
	sum := 0.0
	for _, v := range x {
		sum += v * v
	}
	r := 1 / math.Sqrt(sum/float64(len(x))+eps)
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = v * r * w[i]
	}
	return out
}

func layerNorm(x, w, b []float64) []float64 {
	mean, variance := 0.0, 0.0
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		variance += (v - mean) * (v - mean) / float64(len(x))
	}
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = (v - mean) / math.Sqrt(variance+1e-5) * w[i]
		if b != nil {
			out[i] += b[i]
		}
	}
	return out
}

func softmax(s []float64) []float64 {
	largest, sum := math.Inf(-1), 0.0
	for _, v := range s {
		largest = max(largest, v)
	}
	out := make([]float64, len(s))
	for i, v := range s {
		out[i] = math.Exp(v - largest)
		sum += out[i]
	}
	for i := range out {
		out[i] /= sum
	}
	return out
}

func gelu(x float64) float64 { return x / 2 * (1 + math.Erf(x/math.Sqrt2)) }

func geluTanh(x float64) float64 {
	return x / 2 * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
}

func plus(a, b []float64) []float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = a[i] + b[i]
	}
	return out
}

// weights reads a golden's files.
type weights struct {
	t *testing.T
	*safetensors.Checkpoint
}

func open(t *testing.T, name, file string) weights {
	t.Helper()
	c, err := safetensors.OpenCheckpoint(filepath.Join("..", "testdata", "golden", name, file))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return weights{t, c}
}

func (w weights) has(name string) bool {
	_, ok := w.Lookup(name)
	return ok
}

func (w weights) vec(name string) []float64 {
	w.t.Helper()
	v, err := w.Float64(name)
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

// mat reads a tensor as a matrix; one of rank 1 is a row.
func (w weights) mat(name string) posenc.Matrix {
	w.t.Helper()
	info, _ := w.Lookup(name)
	m := posenc.Matrix{Rows: 1, Data: w.vec(name)}
	if len(info.Shape) > 1 {
		m.Rows = int(info.Shape[0])
	}
	m.Cols = len(m.Data) / m.Rows
	return m
}

func (w weights) linear(name string) linear {
	w.t.Helper()
	l := linear{w: w.mat(name + ".weight")}
	if w.has(name + ".bias") {
		l.b = w.vec(name + ".bias")
	}
	return l
}

// ids returns input_ids, (2, 40).
func (w weights) ids() [][]int64 {
	w.t.Helper()
	raw, err := w.Bytes("input_ids")
	if err != nil {
		w.t.Fatal(err)
	}
	flat := make([]int64, len(raw)/8)
	if err := tensor.DecodeInt64(flat, raw, tensor.I64); err != nil {
		w.t.Fatal(err)
	}
	return [][]int64{flat[:len(flat)/2], flat[len(flat)/2:]}
}
