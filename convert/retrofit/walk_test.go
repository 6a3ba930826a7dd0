package retrofit

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/gemm"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/convert/tensor"
)

// testWalk is a forward pass of llama-like models: RMS norms, gated SiLU.
type testWalk struct {
	m     *family.Model
	src   family.Source
	turns []Turn
	// weights decoded so far, by tensor
	cache map[string][]float32
}

func newTestWalk(m *family.Model, src family.Source) (*testWalk, error) {
	turns, err := Turns(m)
	if err != nil {
		return nil, err
	}
	return &testWalk{m: m, src: src, turns: turns, cache: map[string][]float32{}}, nil
}

// open loads a model of testdata/golden or testdata/models.
func open(t testing.TB, path string) (*family.Model, *safetensors.Checkpoint) {
	t.Helper()
	ckpt, err := safetensors.OpenCheckpoint(filepath.Join("..", "..", "testdata", filepath.FromSlash(path)))
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

func (w *testWalk) weight(v *family.Weight) []float32 {
	key := fmt.Sprint(v.Tensor, v.Rows)
	if x, ok := w.cache[key]; ok {
		return x
	}
	x, err := v.Float32(w.src)
	if err != nil {
		panic(err)
	}
	w.cache[key] = x
	return x
}

func (w *testWalk) Embed(ids []int64) ([]float32, error) {
	h := w.m.Hidden
	table := w.weight(&w.m.Embed)
	x := make([]float32, len(ids)*h)
	for i, id := range ids {
		if id < 0 || int(id) >= w.m.Vocab {
			return nil, fmt.Errorf("token %d of %d", id, w.m.Vocab)
		}
		copy(x[i*h:(i+1)*h], table[int(id)*h:])
	}
	return x, nil
}

func (w *testWalk) norm(n *family.Norm, x []float32) []float32 {
	weight, h := w.weight(&n.Weight), w.m.Hidden
	y := make([]float32, len(x))
	spread(len(x)/h, func(begin, end int) {
		for i := begin; i < end; i++ {
			row := x[i*h : (i+1)*h]
			var sum float64
			for _, v := range row {
				sum += float64(v) * float64(v)
			}
			r := float32(1 / math.Sqrt(sum/float64(h)+n.Eps))
			for j, v := range row {
				y[i*h+j] = v * r * weight[j]
			}
		}
	})
	return y
}

func (w *testWalk) Input(layer int, x []float32) ([]float32, error) {
	return w.norm(w.m.Blocks[layer].AttnNorm, x), nil
}

func (w *testWalk) linear(l *family.Linear, x []float32) []float32 {
	out, in := int(l.Weight.Shape[0]), int(l.Weight.Shape[1])
	n := len(x) / in
	y := make([]float32, n*out)
	gemm.Share(1, gemm.Of(n, in, in, x), gemm.Of(out, in, in, w.weight(&l.Weight)).T(), 0, gemm.Of(n, out, out, y))
	if l.Bias != nil {
		b := w.weight(l.Bias)
		for i := range y {
			y[i] += b[i%out]
		}
	}
	return y
}

func (w *testWalk) Advance(layer int, x []float32) error {
	b := &w.m.Blocks[layer]
	h, err := w.Input(layer, x)
	if err != nil {
		return err
	}
	s, err := shapeOf(w.m, w.src, layer)
	if err != nil {
		return err
	}
	weights, err := weightsOf(w.m, w.src, layer)
	if err != nil {
		return err
	}
	n, d := len(x)/w.m.Hidden, s.HeadDim
	l := NewLayer(s, weights, &w.turns[layer], n)
	var q, k heads[float32]
	rows := make([]int, n)
	for i := range rows {
		rows[i] = i
	}
	l.queries(&q, h, rows)
	l.keys(&k, h, n)
	v := w.linear(&b.Attn().V, h)
	kv, width := s.KVHeads*d, s.Heads*d
	mixed := make([]float32, n*width)
	blocks, _ := divide(rows, s.Window, (*some[float32])(nil).upTo)
	buffers := make([][]float32, workerCount())
	each(s.Heads*len(blocks), func(worker, i int) {
		head, b := i/len(blocks), blocks[len(blocks)-1-i%len(blocks)]
		g := head / s.share()
		m := b.end - b.begin
		scores := room(&buffers[worker], m*b.keys)
		gemm.Mul(float32(s.Scale), q.of(head, b.begin, m, d), k.of(g, b.first, b.keys, d).T(), 0, gemm.Of(m, b.keys, b.keys, scores))
		for r := range m {
			first, seen := b.sees(b.begin+r, s.Window, (*some[float32])(nil).upTo)
			row := scores[r*b.keys : (r+1)*b.keys]
			for j := range seen {
				row[first+j] -= float32(l.Turn.slope(head) * float64(seen-1-j))
			}
			softmax(row[first:first+seen], s.sink(head))
			clear(row[:first])
			clear(row[first+seen:])
		}
		gemm.Mul(1, gemm.Of(m, b.keys, b.keys, scores), gemm.Of(b.keys, d, kv, v[b.first*kv+g*d:]), 0, gemm.Of(m, d, width, mixed[b.begin*width+head*d:]))
	})
	for i, y := range w.linear(&b.Attn().O, mixed) {
		x[i] += y
	}
	h = w.norm(b.MLPNorm, x)
	gate, up := w.linear(&b.MLP().Gate, h), w.linear(&b.MLP().Up, h)
	spread(len(gate), func(begin, end int) {
		for i := begin; i < end; i++ {
			g := gate[i]
			up[i] *= g / (1 + float32(math.Exp(float64(-g))))
		}
	})
	for i, y := range w.linear(&b.MLP().Down, up) {
		x[i] += y
	}
	return nil
}

// logProbs are log-probabilities of every position, (S, vocab) in chunks.
func (w *testWalk) logProbs(ids []int64, visit func(pos int, row []float32)) error {
	x, err := w.Embed(ids)
	if err != nil {
		return err
	}
	for i := range w.m.Blocks {
		if err := w.Advance(i, x); err != nil {
			return err
		}
	}
	h := w.m.Hidden
	for at := 0; at < len(ids); at += 256 {
		end := min(at+256, len(ids))
		logits := w.linear(&w.m.Head, w.norm(&w.m.FinalNorm, x[at*h:end*h]))
		for i := at; i < end; i++ {
			row := logits[(i-at)*w.m.Vocab : (i-at+1)*w.m.Vocab]
			top := row[0]
			for _, v := range row {
				top = max(top, v)
			}
			var sum float64
			for _, v := range row {
				sum += float64(tensor.Exp32(v - top))
			}
			lse := top + float32(math.Log(sum))
			for j := range row {
				row[j] -= lse
			}
			visit(i, row)
		}
	}
	return nil
}

// perplexity of the last n tokens; 0 is all.
func perplexity(w *testWalk, ids []int64, n int) (float64, error) {
	var sum float64
	count := 0
	err := w.logProbs(ids, func(pos int, row []float32) {
		if pos+1 < len(ids) && (n == 0 || pos+1 >= len(ids)-n) {
			sum -= float64(row[ids[pos+1]])
			count++
		}
	})
	return math.Exp(sum / float64(count)), err
}

// withTurns is a copy of a model that places positions otherwise.
func withTurns(m *family.Model, turns []Turn) *family.Model {
	c := m.Clone()
	for i, a := range c.Attentions() {
		a.Rotary.Spectrum.Gain, a.Rotary.Spectrum.Removed = turns[i].Gain, turns[i].Removed
		a.Rotary.Spectrum.InvFreq = turns[i].InvFreq[0]
		a.Spectra = &family.HeadSpectra{InvFreq: turns[i].InvFreq}
		if turns[i].Slopes != nil {
			a.Bias = &family.Bias{Kind: family.ALiBi, Slopes: turns[i].Slopes}
		}
	}
	return c
}

// measureOn measures selections of a model on a text.
func measureOn(m *family.Model, src family.Source, ids []int64) Measure {
	var rows [][]float32
	return func(_ context.Context, s *Selection) (Measured, error) {
		var out Measured
		own, err := newTestWalk(m, src)
		if err != nil {
			return out, err
		}
		other, err := newTestWalk(withTurns(m, s.Turns()), src)
		if err != nil {
			return out, err
		}
		other.cache = own.cache
		if rows == nil {
			if err := own.logProbs(ids, func(_ int, row []float32) { rows = append(rows, append([]float32(nil), row...)) }); err != nil {
				return out, err
			}
		}
		var nll, sourceNLL, kl float64
		err = other.logProbs(ids, func(pos int, row []float32) {
			for j, v := range rows[pos] {
				kl += math.Exp(float64(v)) * float64(v-row[j])
			}
			if pos+1 < len(ids) {
				nll -= float64(row[ids[pos+1]])
				sourceNLL -= float64(rows[pos][ids[pos+1]])
			}
		})
		n := float64(len(ids) - 1)
		return Measured{PPL: math.Exp(nll / n), SourcePPL: math.Exp(sourceNLL / n), KL: kl / (n + 1)}, err
	}
}
