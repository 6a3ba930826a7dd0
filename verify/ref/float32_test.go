package ref

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/posenc"
)

// unit is float32's unit roundoff.
var unit = math.Ldexp(1, -24)

// The pass in float32 differs from the reference, in every kind of model, by
// float32's rounding: more than one, and no more than some hundreds.
func TestFloat32(t *testing.T) {
	dirs := []string{"models/stories260K", "golden/llama-tied-bf16", "golden/llama-sharded-f16", "golden/starcoder2", "golden/falcon-multiquery", "golden/stablelm-parallel",
		"golden/grape-fox-rope", "golden/grape-m-ctx-heads", "golden/grape-rope-subln", "golden/grape-ap-v1-pqtie"}
	for _, f := range layered {
		dirs = append(dirs, f.dir)
	}
	for _, dir := range dirs {
		t.Run(dir, func(t *testing.T) {
			m, src := checkpoint(t, dir)
			ids := tokens(m, 2, 40)
			want := forward(t, New(m, src), Input{IDs: ids})
			got, err := New32(m, src).Forward(context.Background(), Input32{IDs: ids}, Options32{KeepHidden: true})
			if err != nil {
				t.Fatal(err)
			}
			if r := relative(t, wide(got.Logits), want.Logits); r < unit/4 || r > 300*unit {
				t.Errorf("logits differ by %.2f u: expected float32's rounding", r/unit)
			} else {
				t.Logf("logits: %.1f u", r/unit)
			}
			if r := relative(t, wide(got.Hidden[0]), want.Hidden[0]); r > 4*unit {
				t.Errorf("embeddings differ by %.2f u", r/unit)
			}
			for i, h := range got.Hidden {
				if r := relative(t, wide(h), want.Hidden[i]); r > 300*unit {
					t.Errorf("hidden.%d differs by %.0f u", i, r/unit)
				}
			}
		})
	}
}

// Pieces through the cache and padding give, but for rounding, what one piece
// does in float32 too: the states of every encoding are carried.
func TestFloat32Cache(t *testing.T) {
	for _, f := range layered {
		m, src := checkpoint(t, f.dir)
		r, ids := New32(m, src), tokens(m, 2, 24)
		run := func(in Input32) *Output32 {
			out, err := r.Forward(context.Background(), in, Options32{})
			if err != nil {
				t.Fatalf("%s: %v", f.dir, err)
			}
			return out
		}
		whole := run(Input32{IDs: ids})
		var past *Cache32
		from := 0
		for _, to := range []int{7, 8, 20, 24} {
			var piece [][]int64
			for _, row := range ids {
				piece = append(piece, row[from:to])
			}
			out := run(Input32{IDs: piece, Past: past})
			for b := range ids {
				near(t, f.dir+": pieces", wide(out.Logits[b*(to-from)*m.Vocab:(b+1)*(to-from)*m.Vocab]),
					wide(whole.Logits[(b*24+from)*m.Vocab:(b*24+to)*m.Vocab]), 300*unit)
			}
			past, from = out.Cache, to
		}
		padded, mask := make([][]int64, 2), make([][]int64, 2)
		for b := range ids {
			padded[b] = append(make([]int64, 3), ids[b]...)
			mask[b] = append(make([]int64, 3), slices.Repeat([]int64{1}, 24)...)
		}
		out := run(Input32{IDs: padded, Mask: mask})
		for b := range ids {
			near(t, f.dir+": left padding", wide(out.Logits[(b*27+3)*m.Vocab:(b+1)*27*m.Vocab]), wide(whole.Logits[b*24*m.Vocab:(b+1)*24*m.Vocab]), 300*unit)
		}
	}
}

// Everything is rounded to float32: an addend below the unit of the sum is lost.
func TestFloat32Kernels(t *testing.T) {
	x := []float32{1, 1}
	row := []float32{30, float32(math.Inf(-1)), 30}
	softmax(row)
	if row[0] != 0.5 || row[1] != 0 || row[2] != 0.5 {
		t.Errorf("softmax = %v", row)
	}
	normalise(family.RMS, 1e-30, x, x, []float32{1, 2}, nil)
	if x[0] != 1 || x[1] != 2 {
		t.Errorf("RMS of ones = %v: ε below the unit must be lost", x)
	}
	if got := silu(float32(4)); got != float32(4/(1+float32(math.Exp(-4)))) {
		t.Errorf("silu(4) = %v", got)
	}
	a := &family.Attention{Rotary: posenc.Rotary{HeadDim: 2, Dim: 2, Spectrum: posenc.Spectrum{InvFreq: []float64{1}, Gain: 1}}}
	turn := newTurns[float32](a, []int64{12345}, nil, false)
	if c, s := math.Cos(12345), math.Sin(12345); turn.cos[0] != float32(c) || turn.sin[0] != float32(s) {
		t.Errorf("turn by 12345 rad: %v %v, want %v %v rounded", turn.cos[0], turn.sin[0], c, s)
	}
}

// A weight of float64 that float32 cannot hold is an error, not an infinity.
func TestFloat32Overflow(t *testing.T) {
	src := memory{"w": {1, 2, 1e39, 3}, "b": {0, 0}}
	l := family.Linear{Weight: family.Weight{Tensor: "w", Shape: []int64{2, 2}}}
	err := New32(nil, src).linear(context.Background(), &l, []float32{1, 1}, 1, make([]float32, 2), newScratch[float32]())
	if err == nil || !strings.Contains(err.Error(), `tensor "w": element [1 0] is 1e+39: float32 ends at 3.4e38`) {
		t.Errorf("error %v", err)
	}
	if err := New(nil, src).linear(context.Background(), &l, []float64{1, 1}, 1, make([]float64, 2), newScratch[float64]()); err != nil {
		t.Errorf("float64: %v", err)
	}
}

// The walk is the forward pass, bit for bit.
func TestWalk(t *testing.T) {
	for _, dir := range []string{"golden/llama-gqa", "golden/gpt-neox", "golden/bloom", "golden/mistral", "golden/grape-ap-v1-kvshift", "golden/grape-m-ctx", "golden/grape-fox", "golden/olmo2", "models/stories260K"} {
		t.Run(dir, func(t *testing.T) {
			m, src := checkpoint(t, dir)
			ids := tokens(m, 1, 70) // more than one block of queries
			taps := map[string][]float32{}
			want, err := New32(m, src).Forward(context.Background(), Input32{IDs: ids}, Options32{KeepHidden: true,
				Tap: func(name string, v []float32, _ []int) { taps[name] = slices.Clone(v) }})
			if err != nil {
				t.Fatal(err)
			}
			w := NewWalk(m, src)
			x, err := w.Embed(ids[0])
			if err != nil {
				t.Fatal(err)
			}
			for i := range m.Blocks {
				if !slices.Equal(x, want.Hidden[i]) {
					t.Fatalf("the stream before layer %d is not that of the forward pass", i)
				}
				h, err := w.Input(i, x)
				if err != nil {
					t.Fatal(err)
				}
				read := taps[fmt.Sprintf("/layers.%d/attn_norm", i)]
				if m.Blocks[i].AttnNorm == nil {
					read = want.Hidden[i]
				}
				if !slices.Equal(h, read) || !slices.Equal(x, want.Hidden[i]) {
					t.Fatalf("the input of layer %d is not that of the forward pass", i)
				}
				if err := w.Advance(i, x); err != nil {
					t.Fatal(err)
				}
			}
			last := slices.Clone(x)
			for _, from := range []int{0, 1, 69, 70} {
				got, err := w.Head(x, from)
				if err != nil {
					t.Fatal(err)
				}
				near(t, fmt.Sprintf("logits from %d", from), append(wide(got), 1), append(wide(want.Logits[from*m.Vocab:]), 1), 8*unit)
			}
			if !slices.Equal(x, last) {
				t.Error("the head changed the stream")
			}
		})
	}
}

func TestWalkErrors(t *testing.T) {
	m, src := checkpoint(t, "golden/llama-gqa")
	w := NewWalk(m, patched{src, "model.layers.1.mlp.down_proj.weight", 3, math.NaN()})
	x, err := w.Embed([]int64{1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		run  func() error
		want string
	}{
		"no tokens": {func() error { _, err := w.Embed(nil); return err }, "ref: no tokens"},
		"token":     {func() error { _, err := w.Embed([]int64{128}); return err }, "outside the vocabulary"},
		"layer":     {func() error { return w.Advance(2, x) }, "ref: layer 2 of 2"},
		"layer -1":  {func() error { _, err := w.Input(-1, x); return err }, "ref: layer -1 of 2"},
		"stream":    {func() error { return w.Advance(0, x[1:]) }, "expected a row of 64 for each token"},
		"empty":     {func() error { _, err := w.Input(0, []float32{}); return err }, "expected a row of 64"},
		"from":      {func() error { _, err := w.Head(x, 4); return err }, "logits from token 4 of 3"},
		"weight":    {func() error { return w.Advance(1, slices.Clone(x)) }, "ref: layer 1: "},
	} {
		if err := c.run(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
}

// Every dtype of a checkpoint reads to the same numbers in both precisions,
// where float32 holds them.
func TestDecodeBoth(t *testing.T) {
	values := []float64{0, -1, 0.5, 448, -0.015625, 2}
	for _, d := range []tensor.DType{tensor.BF16, tensor.F16, tensor.F32, tensor.F64, tensor.F8E4M3} {
		raw := make([]byte, len(values)*d.Size())
		if err := tensor.Encode64(raw, values, d); err != nil {
			t.Fatal(err)
		}
		s := &stored{raw: raw, dtype: d, rows: 2, cols: 3, row: len(raw) / 2}
		long, short := make([]float64, 3), make([]float32, 3)
		if err := decode(s, long, 1, 2); err != nil {
			t.Fatal(err)
		}
		if err := decode(s, short, 1, 2); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(long, values[3:]) || !slices.Equal(wide(short), long) {
			t.Errorf("%v: %v and %v, want %v", d, long, short, values[3:])
		}
	}
}
