package ref

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/tensor"
)

func TestTapsAndProgress(t *testing.T) {
	m, src := checkpoint(t, "golden/qwen3")
	ids := tokens(m, 2, 5)
	var names, shapes, steps []string
	taps := map[string][]float64{}
	out, err := New(m, src).Forward(context.Background(), Input{IDs: ids}, Options{KeepHidden: true, LogitsFrom: -2,
		Tap: func(name string, v []float64, shape []int) {
			n := 1
			for _, s := range shape {
				n *= s
			}
			if n != len(v) {
				t.Errorf("%s: shape %v for %d numbers", name, shape, len(v))
			}
			names, shapes = append(names, name), append(shapes, fmt.Sprint(shape))
			taps[name] = slices.Clone(v)
		},
		Progress: func(done, total int) { steps = append(steps, fmt.Sprintf("%d/%d", done, total)) }})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"/embed [2 5 64]"}
	for i := range 2 {
		for _, s := range []string{"attn_norm [2 5 64]",
			"attn/q_proj [2 5 4 16]", "attn/q_norm [2 5 4 16]", "attn/q_rotated [2 5 4 16]",
			"attn/k_proj [2 5 2 16]", "attn/k_norm [2 5 2 16]", "attn/k_rotated [2 5 2 16]", "attn/v_proj [2 5 2 16]",
			"attn/context [2 5 4 16]", "attn/o_proj [2 5 64]", "attn_residual [2 5 64]", "mlp_norm [2 5 64]",
			"mlp/gate_proj [2 5 96]", "mlp/up_proj [2 5 96]", "mlp/act [2 5 96]", "mlp/down_proj [2 5 64]", "output [2 5 64]"} {
			want = append(want, fmt.Sprintf("/layers.%d/%s", i, s))
		}
	}
	want = append(want, "/final_norm [2 5 64]", "/logits [2 2 128]")
	for i := range names {
		names[i] += " " + shapes[i]
	}
	if !slices.Equal(names, want) {
		t.Errorf("taps\n%s\nwant\n%s", strings.Join(names, "\n"), strings.Join(want, "\n"))
	}
	if got := strings.Join(steps, " "); got != "1/4 2/4 3/4 4/4" {
		t.Errorf("progress %s", got)
	}
	for i, name := range []string{"/embed", "/layers.0/output", "/final_norm"} {
		if !slices.Equal(taps[name], out.Hidden[i]) {
			t.Errorf("hidden.%d is not the tap %s", i, name)
		}
	}
	if !slices.Equal(taps["/logits"], out.Logits) || !slices.Equal(out.Final, out.Hidden[2]) {
		t.Error("the taps of the head are not the output")
	}
}

func TestLogitsFrom(t *testing.T) {
	m, src := checkpoint(t, "golden/llama-gqa")
	r := New(m, src)
	ids := tokens(m, 2, 6)
	whole := forward(t, r, Input{IDs: ids})
	for _, c := range []struct{ from, first int }{{0, 0}, {4, 4}, {6, 6}, {99, 6}, {-1, 5}, {-6, 0}, {-99, 0}} {
		out, err := r.Forward(context.Background(), Input{IDs: ids}, Options{LogitsFrom: c.from})
		if err != nil {
			t.Fatal(err)
		}
		if out.From != c.first || len(out.Logits) != 2*(6-c.first)*m.Vocab || out.Hidden != nil {
			t.Fatalf("LogitsFrom %d: from %d with %d logits and %d hidden states", c.from, out.From, len(out.Logits), len(out.Hidden))
		}
		for b := range 2 {
			for i := c.first; i < 6; i++ {
				near(t, "logits", out.LogitsAt(b, i), whole.LogitsAt(b, i), exact)
			}
		}
		rest, err := r.Logits(context.Background(), out.Final)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "logits of the final states", rest, whole.Logits, exact)
	}
}

func TestCancelled(t *testing.T) {
	m, src := checkpoint(t, "golden/llama-gqa")
	ctx, cancel := context.WithCancel(context.Background())
	steps := 0
	_, err := New(m, src).Forward(ctx, Input{IDs: tokens(m, 1, 4)}, Options{Progress: func(int, int) {
		if steps++; steps == 2 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || steps != 2 {
		t.Errorf("cancelled after layer 0: %v after %d steps", err, steps)
	}
}

func TestBadInput(t *testing.T) {
	m, src := checkpoint(t, "golden/llama-gqa")
	r := New(m, src)
	past := forward(t, r, Input{IDs: [][]int64{{1, 2, 3}}}).Cache
	broken := *past
	broken.Keys = slices.Clone(past.Keys)
	broken.Keys[1] = past.Keys[1][1:]
	for name, c := range map[string]struct {
		in   Input
		want string
	}{
		"none":           {Input{}, "no tokens"},
		"empty row":      {Input{IDs: [][]int64{{}}}, "no tokens"},
		"ragged":         {Input{IDs: [][]int64{{1, 2}, {1}}}, "row 1 has 1 tokens, row 0 has 2"},
		"id":             {Input{IDs: [][]int64{{1, 128}}}, "token id 128 (row 0, token 1) is outside the vocabulary of 128"},
		"negative id":    {Input{IDs: [][]int64{{-1}}}, "token id -1"},
		"positions":      {Input{IDs: [][]int64{{1, 2}}, Positions: [][]int64{{1}}}, "row 0 has 1 positions for 2 tokens"},
		"position rows":  {Input{IDs: [][]int64{{1, 2}}, Positions: [][]int64{}}, "positions have 0 rows"},
		"mask":           {Input{IDs: [][]int64{{1, 2}}, Mask: [][]int64{{1, 1}}, Past: past}, "each of 3 past and 2 current tokens"},
		"mask rows":      {Input{IDs: [][]int64{{1, 2}}, Mask: [][]int64{{1, 1}, {1, 1}}}, "the mask has 2 rows"},
		"mask value":     {Input{IDs: [][]int64{{1, 2}}, Mask: [][]int64{{1, 2}}}, "the mask holds 2"},
		"cache rows":     {Input{IDs: [][]int64{{1}, {2}}, Past: past}, "the cache has 1 rows"},
		"cache layers":   {Input{IDs: [][]int64{{1}}, Past: &Cache{Batch: 1}}, "the model 2 layers"},
		"cache contents": {Input{IDs: [][]int64{{1}}, Past: &broken}, "layer 1 of the cache has 95 numbers of keys and 96 of values"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := r.Forward(context.Background(), c.in, Options{})
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "ref: ") {
				t.Errorf("error %v, want %q in it", err, c.want)
			}
		})
	}
}

// patched is a source with one element of one tensor replaced.
type patched struct {
	family.Source
	name    string
	element int
	value   float64
}

func (p patched) Read(name string, begin, end int64) ([]byte, error) {
	info, _ := p.Lookup(name)
	raw, err := p.Source.Read(name, 0, info.Bytes())
	if err != nil {
		return nil, err
	}
	if name != p.name {
		return raw[begin:end], nil
	}
	raw = slices.Clone(raw)
	return raw[begin:end], tensor.Encode64(raw[p.element*info.DType.Size():][:info.DType.Size()], []float64{p.value}, info.DType)
}

func TestNonFiniteWeight(t *testing.T) {
	for _, c := range []struct {
		dir, name string
		element   int
		value     float64
		want      string
	}{
		{"golden/llama-gqa", "model.layers.1.mlp.down_proj.weight", 5*96 + 7, math.NaN(), "element [5 7] is NaN"},
		{"golden/llama-gqa", "model.layers.0.self_attn.q_proj.weight", 63*64 + 63, math.Inf(-1), "element [63 63] is infinite"},
		{"golden/llama-gqa", "model.norm.weight", 9, math.Inf(1), "element [9] is infinite"},
		{"golden/llama-gqa", "lm_head.weight", 127 * 64, math.NaN(), "element [127 0] is NaN"},
		{"golden/llama-gqa", "model.embed_tokens.weight", 100*64 + 1, math.NaN(), "element [100 1] is NaN"}, // a token that the input lacks
		{"golden/llama-tied-bf16", "model.embed_tokens.weight", 64, math.NaN(), "element [1 0] is NaN"},
		{"golden/llama-sharded-f16", "model.layers.0.input_layernorm.weight", 0, math.Inf(1), "element [0] is infinite"},
		{"golden/qwen2", "model.layers.1.self_attn.v_proj.bias", 31, math.NaN(), "element [31] is NaN"},
		{"golden/qwen3", "model.layers.1.self_attn.k_norm.weight", 2, math.NaN(), "element [2] is NaN"},
		{"golden/phi3", "model.layers.0.self_attn.qkv_proj.weight", 100*64 + 3, math.NaN(), "element [100 3] is NaN"}, // a row of v
	} {
		m, src := checkpoint(t, c.dir)
		r := New(m, patched{src, c.name, c.element, c.value})
		for range 2 { // the second call must not take the first one's word for it
			_, err := r.Forward(context.Background(), Input{IDs: [][]int64{{3, 4}}}, Options{})
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), fmt.Sprintf("tensor %q", c.name)) || !strings.Contains(err.Error(), ".safetensors: ") {
				t.Errorf("%s: error %v, want %q in it", c.name, err, c.want)
			}
		}
	}
}

func TestMissingTensor(t *testing.T) {
	m, src := checkpoint(t, "golden/llama-gqa")
	c := *m
	c.Head.Weight.Tensor = "nowhere"
	_, err := New(&c, src).Forward(context.Background(), Input{IDs: [][]int64{{3}}}, Options{})
	if err == nil || !strings.Contains(err.Error(), `"nowhere"`) {
		t.Errorf("error %v, want the missing tensor's name", err)
	}
}

func BenchmarkForward(b *testing.B) {
	m, src := checkpoint(b, "models/stories260K")
	r := New(m, src)
	for _, n := range []int{1, 128, 512} {
		ids := tokens(m, 1, n)
		b.Run(fmt.Sprintf("stories260K/%d", n), func(b *testing.B) {
			for b.Loop() {
				if _, err := r.Forward(context.Background(), Input{IDs: ids}, Options{}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
		})
	}
}

// What each encoding costs beside rotary positions, in the same model.
func BenchmarkEncodings(b *testing.B) {
	for _, name := range []string{"rope", "m-nonctx", "m-ctx", "alibi", "fox", "a-querykeygated", "ap-v1", "ap-v1-kvshift"} {
		m, src := checkpoint(b, "golden/grape-"+name)
		r, ids := New(m, src), tokens(m, 1, 512)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := r.Forward(context.Background(), Input{IDs: ids}, Options{LogitsFrom: -1}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
