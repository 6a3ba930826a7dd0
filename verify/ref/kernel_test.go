package ref

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/posenc"
)

// Values of torch.nn.functional 2.6.0 in float64, gelu's left tail by mpmath at
// 40 digits (torch's 1 + erf is 0 there).
func TestActivations(t *testing.T) {
	for _, c := range []struct{ x, gelu, tanh, silu float64 }{
		{-10, -7.61985302416052607e-23, 0, -0.0004539786870243439},
		{-3, -0.00404969409489028358, -0.0036373920817729943, -0.14227761953270035},
		{-0.5, -0.154268769362993448, -0.15428599017485606, -0.1887703343990727},
		{0, 0, 0, 0},
		{0.5, 0.345731230637006552, 0.34571400982514394, 0.3112296656009273},
		{1, 0.841344746068542949, 0.8411919906082768, 0.7310585786300049},
		{4, 3.99987331503266752, 3.9999297540518075, 3.928055160151634},
	} {
		for _, f := range []struct {
			name string
			want float64
		}{{"gelu", c.gelu}, {"gelu_tanh", c.tanh}, {"silu", c.silu}} {
			act, err := (&RunnerOf[float64]{}).activation(&family.MLP{Act: f.name})
			if err != nil {
				t.Fatal(err)
			}
			if got := act(c.x); math.Abs(got-f.want) > 1e-13*math.Abs(f.want) {
				t.Errorf("%s(%v) = %v, want %v", f.name, c.x, got, f.want)
			}
		}
	}
	if got := silu(-1000.0); got != 0 {
		t.Errorf("silu(-1000) = %v, want 0", got)
	}
	if _, err := (&RunnerOf[float64]{}).activation(&family.MLP{Act: "relu6"}); err == nil {
		t.Error("an unknown activation was accepted")
	}
}

func TestNormalise(t *testing.T) {
	x, w, b := []float64{1, 2, 3, 4}, []float64{1, 1, 2, 1}, []float64{0, 0, 0, 10}
	y := make([]float64, 4)
	normalise(family.RMS, 0.5, x, y, w, nil) // mean of squares 7.5, + 0.5 = 8
	for i, want := range []float64{1 / math.Sqrt(8), 2 / math.Sqrt(8), 6 / math.Sqrt(8), 4 / math.Sqrt(8)} {
		if math.Abs(y[i]-want) > 1e-15 {
			t.Errorf("RMS[%d] = %v, want %v", i, y[i], want)
		}
	}
	normalise(family.LayerNorm, 0.75, x, y, w, b) // mean 2.5, variance 1.25, + 0.75 = 2
	for i, want := range []float64{-1.5 / math.Sqrt2, -0.5 / math.Sqrt2, 2 * 0.5 / math.Sqrt2, 1.5/math.Sqrt2 + 10} {
		if math.Abs(y[i]-want) > 1e-15 {
			t.Errorf("LayerNorm[%d] = %v, want %v", i, y[i], want)
		}
	}
}

func TestSoftmax(t *testing.T) {
	row := []float64{1000, math.Inf(-1), 1000 + math.Log(3)}
	softmax(row)
	for i, want := range []float64{0.25, 0, 0.75} {
		if math.Abs(row[i]-want) > 1e-13 {
			t.Errorf("softmax[%d] = %v, want %v", i, row[i], want)
		}
	}
	none := []float64{math.Inf(-1), math.Inf(-1)}
	softmax(none)
	if none[0] != 0 || none[1] != 0 {
		t.Errorf("softmax of no visible key = %v, want zeros", none)
	}
}

// The table of turns gives what posenc's own Turn gives, in both pairings,
// with a pass-through tail, an attention factor and a removed plane.
func TestRotateAgreesWithPosenc(t *testing.T) {
	positions := []int64{0, 1, 77, 1 << 20}
	for _, pairing := range []posenc.Pairing{posenc.Halves, posenc.Interleaved} {
		r := posenc.Rotary{HeadDim: 8, Dim: 6, Pairing: pairing,
			Spectrum: posenc.Spectrum{InvFreq: []float64{1, 0.1, 0}, Gain: 1.2, Removed: []bool{false, true, false}}}
		x := make([]float64, len(positions)*3*8)
		for i := range x {
			x[i] = math.Sin(float64(i) + 0.3)
		}
		want := append([]float64(nil), x...)
		for i, pos := range positions {
			for h := range 3 {
				r.Turn(want[(i*3+h)*8:(i*3+h+1)*8], 0, []float64{float64(pos)})
			}
		}
		newTurns[float64](&family.Attention{Rotary: r}, positions, nil, false).rotate(&r, x, 3)
		for i := range x {
			if x[i] != want[i] {
				t.Fatalf("%v: coordinate %d is %v, want %v", pairing, i, x[i], want[i])
			}
		}
	}
}

// memory is a checkpoint of float64 tensors in memory.
type memory map[string][]float64

func (m memory) Lookup(name string) (store.Info, bool) {
	v, ok := m[name]
	return store.Info{Name: name, DType: tensor.F64, Shape: []int64{int64(len(v))}}, ok
}

func (m memory) Read(name string, begin, end int64) ([]byte, error) {
	out := make([]byte, 8*len(m[name]))
	return out[begin:end], tensor.Encode64(out, m[name], tensor.F64)
}

func (m memory) Place(string) (store.Place, bool) { return store.Place{}, false }

func (m memory) Release(string) {}

func random(n int) []float64 {
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	out := make([]float64, n)
	for i := range out {
		out[i] = rng.NormFloat64()
	}
	return out
}

// Sizes on both sides of every block border, against the plain triple loop.
func TestLinear(t *testing.T) {
	for _, c := range []struct{ n, in, out int }{{1, 3, 1}, {1, 576, 100}, {5, 64, 16}, {7, 65, 17}, {128, 31, 33}, {129, 70, 15}, {300, 96, 130}} {
		src := memory{"w": random(c.in * c.out), "b": random(c.out)}
		bias := family.Weight{Tensor: "b", Shape: []int64{int64(c.out)}}
		l := family.Linear{Weight: family.Weight{Tensor: "w", Shape: []int64{int64(c.out), int64(c.in)}}, Bias: &bias}
		x, y := random(c.n*c.in), make([]float64, c.n*c.out)
		if err := New(nil, src).linear(context.Background(), &l, x, c.n, y, newScratch[float64]()); err != nil {
			t.Fatal(err)
		}
		want := make([]float64, len(y))
		for i := range c.n {
			for o := range c.out {
				sum := src["b"][o]
				for k := range c.in {
					sum += src["w"][o*c.in+k] * x[i*c.in+k]
				}
				want[i*c.out+o] = sum
			}
		}
		near(t, "linear", y, want, 1e-13)
	}
}

// Attention against its definition, with a window, grouped heads, a cache and
// hidden keys, over more queries than one block.
func TestAttend(t *testing.T) {
	const rows, seq, past, heads, kv, d = 2, 70, 9, 4, 2, 6
	for _, window := range []int{0, 1, 8, 75, 1000} {
		a := family.Attention{Heads: heads, KVHeads: kv, QKDim: d, VDim: d, Scale: 0.7, Window: window}
		in := &batch{rows: rows, seq: seq, past: past, hidden: make([][]bool, rows)}
		in.hidden[1] = make([]bool, seq+past)
		for j := range 12 {
			in.hidden[1][j] = true
		}
		q, k, v := random(rows*seq*heads*d), random(rows*kv*(seq+past)*d), random(rows*kv*(seq+past)*d+1)
		got, want := make([]float64, len(q)), make([]float64, len(q))
		if err := attend(context.Background(), &a, in, q, k, v, nil, nil, got, newScratch[float64]()); err != nil {
			t.Fatal(err)
		}
		for b := range rows {
			for i := range seq {
				for h := range heads {
					plainAttention(a, in, b, i, h, q, k, v, want)
				}
			}
		}
		near(t, "attention", got, want, 1e-13)
	}
}

func plainAttention(a family.Attention, in *batch, b, i, h int, q, k, v, out []float64) {
	d, total := a.QKDim, in.total()
	query := q[((b*in.seq+i)*a.Heads+h)*d:][:d]
	var weights, sum = make([]float64, total), 0.0
	for j := range weights {
		gap := in.past + i - j
		if gap < 0 || (a.Window > 0 && gap >= a.Window) || (in.hidden[b] != nil && in.hidden[b][j]) {
			continue
		}
		s := 0.0
		for c := range d {
			s += query[c] * k[((b*a.KVHeads+h/2)*total+j)*d+c]
		}
		weights[j] = math.Exp(a.Scale * s)
		sum += weights[j]
	}
	for j, w := range weights {
		for c := range d {
			if w > 0 {
				out[((b*in.seq+i)*a.Heads+h)*d+c] += w / sum * v[((b*a.KVHeads+h/2)*total+j)*d+c]
			}
		}
	}
}

func TestParallelStopsAtTheFirstError(t *testing.T) {
	boom := errors.New("boom")
	for _, small := range []bool{true, false} {
		err := parallel(context.Background(), 1000, small, func(_, i int) error {
			if i == 3 {
				return boom
			}
			return nil
		})
		if !errors.Is(err, boom) {
			t.Errorf("small %v: %v, want boom", small, err)
		}
	}
}
