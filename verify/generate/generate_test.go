package generate_test

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/fsio"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/posenc/hint"
	"github.com/pecvt/pecvt/verify/generate"
	"github.com/pecvt/pecvt/verify/ort"
	"github.com/pecvt/pecvt/verify/ort/orttest"
	"github.com/pecvt/pecvt/verify/ref"
)

// folder is a bundled model with a graph.
func folder(t *testing.T, model string, o onnxops.Options) string {
	t.Helper()
	orttest.Require(t)
	from := filepath.Join("..", "..", "testdata", model)
	dir := t.TempDir()
	src, err := store.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	for _, f := range src.Files() {
		if _, err := fsio.Link(t.Context(), f.Path, filepath.Join(dir, filepath.Base(f.Path)), nil); err != nil {
			t.Fatal(err)
		}
	}
	m, err := families.Load(src)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := onnxops.Write(dir, m, src, o); err != nil {
		t.Fatal(err)
	}
	return dir
}

func open(t *testing.T, dir string) *generate.Graph {
	t.Helper()
	g, err := generate.Open(dir, ort.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	return g
}

// whole are the reference's logits of a sequence in one pass.
func whole(t *testing.T, model string, ids []int64) []float32 {
	t.Helper()
	src, err := store.Open(filepath.Join("..", "..", "testdata", model))
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	m, err := families.Load(src)
	if err != nil {
		t.Fatal(err)
	}
	out, err := ref.New32(m, src).Forward(t.Context(), ref.Input32{IDs: [][]int64{ids}}, ref.Options32{})
	if err != nil {
		t.Fatal(err)
	}
	return out.Logits
}

// TestNext: a sequence in pieces, with every kind of cache, in the reference's answer.
// The sequence outgrows what room is made for first, and is run twice, the second time
// over what the first left in memory.
func TestNext(t *testing.T) {
	for _, c := range []struct {
		name, model string
		o           onnxops.Options
	}{
		{"keys and values", "golden/llama-gqa", onnxops.Options{}},
		{"in place", "golden/llama-gqa", onnxops.Options{Attention: onnxops.AttentionORT}},
		{"bias", "golden/bloom", onnxops.Options{}},
		{"gates beside", "golden/grape-fox", onnxops.Options{}},
		{"states beside", "golden/grape-ap-v1-kvshift", onnxops.Options{}},
		{"delta nets", "families/qwen3_next", onnxops.Options{}},
		{"latents", "families/deepseek_v3", onnxops.Options{Cache: onnxops.CacheLatent}},
		{"float16", "golden/llama-gqa", onnxops.Options{DType: onnxops.DTypeFloat16}},
		{"float16 in place", "golden/llama-gqa", onnxops.Options{DType: onnxops.DTypeFloat16, Attention: onnxops.AttentionORT}},
		{"last logits", "golden/llama-gqa", onnxops.Options{Logits: onnxops.LogitsLast}},
		{"last logits, in place", "golden/llama-gqa", onnxops.Options{Logits: onnxops.LogitsLast, Attention: onnxops.AttentionORT}},
		{"float16 and float32 states", "golden/grape-ap-v1-kvshift", onnxops.Options{DType: onnxops.DTypeFloat16}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.o.MaxLength = 300
			g := open(t, folder(t, c.model, c.o))
			ids := make([]int64, 200)
			for i := range ids {
				ids[i] = int64(i*i*7+3*i+5) % int64(g.Vocab())
			}
			want := whole(t, c.model, ids)
			largest := 0.0
			for _, x := range want {
				largest = max(largest, math.Abs(float64(x)))
			}
			off := 1e-4
			if c.o.DType == onnxops.DTypeFloat16 {
				off = 0x1p-6 // 32 units of float16, 29 being the most that a bundled model was seen to be off by
			}
			for _, reserve := range []int{0, len(ids)} {
				g.Begin(reserve)
				from := 0
				for _, n := range []int{5, 1, 1, 100, 1, 60, 1, 31} {
					got, err := g.Next(t.Context(), ids[from:from+n])
					if err != nil {
						t.Fatal(err)
					}
					first := from
					if c.o.Logits == onnxops.LogitsLast {
						first = from + n - 1
					}
					if len(got) != (from+n-first)*g.Vocab() {
						t.Fatalf("%d logits of %d tokens", len(got), n)
					}
					for i, x := range got {
						if d := math.Abs(float64(x - want[first*g.Vocab()+i])); !(d <= off*largest) {
							t.Fatalf("tokens %d to %d: a logit is %g off (largest %g)", from, from+n-1, d, largest)
						}
					}
					from += n
				}
				if g.Length() != len(ids) {
					t.Errorf("length %d", g.Length())
				}
			}
		})
	}
}

// TestGenerate: where a text ends, and what does not fit.
func TestGenerate(t *testing.T) {
	g := open(t, folder(t, "models/stories260K", onnxops.Options{MaxLength: 64}))
	var shown []int64
	show := func(id int64) error { shown = append(shown, id); return nil }
	long, err := g.Generate(t.Context(), []int64{1}, generate.Options{}, show)
	if err != nil {
		t.Fatal(err)
	}
	if len(long.IDs) != 63 || long.Stopped != generate.StoppedAtLength || !slices.Equal(shown, long.IDs) || long.Steps != 62 {
		t.Errorf("%+v, shown %d", long, len(shown))
	}
	// The same in pieces of the prompt, and to a token that ends it.
	prompt := append([]int64{1}, long.IDs[:20]...)
	end := long.IDs[30]
	at := 20 + slices.Index(long.IDs[20:], end)
	short, err := g.Generate(t.Context(), prompt, generate.Options{Chunk: 7, Ends: []int64{511, end}}, show)
	if err != nil {
		t.Fatal(err)
	}
	if short.Stopped != generate.StoppedAtEnd || !slices.Equal(short.IDs, long.IDs[20:at+1]) {
		t.Errorf("%+v, want %v", short, long.IDs[20:at+1])
	}
	for _, c := range []struct {
		prompt int
		o      generate.Options
		want   []string
		fields []hint.Field
	}{
		{64, generate.Options{}, []string{"64 tokens", "hold 64 positions", "one is needed"}, []hint.Field{hint.MaxLength}},
		{60, generate.Options{MaxTokens: 5}, []string{"60 tokens", "are 65", "hold 64 positions", "ask for 4 at most"}, []hint.Field{hint.MaxLength, hint.MaxTokens}},
		{0, generate.Options{}, []string{"no tokens"}, nil},
		{1, generate.Options{MaxTokens: -1}, []string{"-1"}, []hint.Field{hint.MaxTokens}},
		{1, generate.Options{Sampling: generate.Sampling{Temperature: -1}}, []string{"-1"}, []hint.Field{hint.Temperature}},
		{1, generate.Options{Sampling: generate.Sampling{Temperature: 1, TopP: 1.5}}, []string{"1.5"}, []hint.Field{hint.TopP}},
		{1, generate.Options{Sampling: generate.Sampling{Temperature: 1, TopK: -2}}, []string{"-2"}, []hint.Field{hint.TopK}},
		{1, generate.Options{Sampling: generate.Sampling{TopK: 5}}, []string{"no use"}, []hint.Field{hint.Temperature, hint.TopK, hint.TopP}},
	} {
		_, err := g.Generate(t.Context(), make([]int64, c.prompt), c.o, show)
		if err == nil {
			t.Errorf("%+v: no error", c)
			continue
		}
		for _, part := range c.want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q: no %q", err, part)
			}
		}
		if got := hint.Of(err); !slices.Equal(got, c.fields) {
			t.Errorf("%q: names %v, want %v", err, got, c.fields)
		}
	}
	stop := errors.New("stop")
	if _, err := g.Generate(t.Context(), []int64{1}, generate.Options{}, func(int64) error { return stop }); !errors.Is(err, stop) {
		t.Error(err)
	}
	// What was made before a context was cancelled comes with its error.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r, err := g.Generate(ctx, []int64{1}, generate.Options{}, show); !errors.Is(err, context.Canceled) || r == nil || r.Stopped != generate.StoppedAtContext || len(r.IDs) != 0 || r.IDs == nil {
		t.Error(r, err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	shown = nil
	r, err := g.Generate(ctx, []int64{1}, generate.Options{}, func(id int64) error {
		if shown = append(shown, id); len(shown) == 5 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || r == nil || r.Stopped != generate.StoppedAtContext || !slices.Equal(r.IDs, long.IDs[:5]) || r.Steps != 4 {
		t.Errorf("%+v, %v, want %v", r, err, long.IDs[:5])
	}
}

// TestNextPastTheTables: the graph would answer with numbers that are none.
func TestNextPastTheTables(t *testing.T) {
	g := open(t, folder(t, "golden/llama-gqa", onnxops.Options{MaxLength: 8}))
	g.Begin(0)
	if _, err := g.Next(t.Context(), make([]int64, 9)); err == nil || !strings.Contains(err.Error(), "hold 8 positions") {
		t.Error(err)
	}
}
