package convert_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/loaders"
	"github.com/pecvt/pecvt/convert/rewrite"
	"github.com/pecvt/pecvt/posenc"
)

// TestFor: the layout and spelling are such that every named loader computes the
// result, whatever the encoding and the family, or the conversion is refused.
func TestFor(t *testing.T) {
	var checkpoints []string
	for _, l := range loaders.Loaders() {
		if l.Takes == loaders.Checkpoint {
			checkpoints = append(checkpoints, l.Name)
		}
	}
	for _, name := range []string{"llama-gqa", "mistral", "qwen2", "qwen3", "phi3", "olmo2", "smollm3", "stablelm", "starcoder2", "gpt-neox", "llama3-scaled"} {
		made := 0
		for _, to := range []string{"rope", "hope", "hope-ab1", "p-rope", "nope", "grape-m"} {
			for i, first := range checkpoints {
				second := checkpoints[(i+1)%len(checkpoints)]
				o := convert.Options{To: to, For: []string{first, second}, Output: t.TempDir() + "/out"}
				p, err := convert.NewPlan(golden(t, name), o)
				if err != nil {
					if !errors.Is(err, posenc.ErrUnsupported) {
						t.Errorf("%s to %s for %s and %s: %v", name, to, first, second, err)
					}
					continue
				}
				made++
				if missing := loaders.Missing(p.Encoding.Readers, o.For); len(missing) > 0 {
					t.Errorf("%s to %s for %v: layout %s, spelling %s: %s", name, to, o.For, p.Encoding.Layout, p.Encoding.Spelling, loaders.Reasons(missing))
				}
			}
		}
		if made < 4 {
			t.Errorf("%s: %d conversions can be made", name, made)
		}
	}
}

// TestForChooses pins what is chosen.
func TestForChooses(t *testing.T) {
	scale := posenc.Scale{Kind: "pi", Factor: 4}
	for _, c := range []struct {
		name     string
		scale    posenc.Scale
		loaders  string
		layout   string
		spelling string
	}{
		{"llama-gqa", posenc.Scale{}, "llama.cpp ollama vllm sglang tgi mlx candle transformers4 transformers5", rewrite.Native, "llama3"},
		{"llama-gqa", scale, "transformers4", rewrite.Native, "longrope"},
		{"llama-gqa", scale, "mlx", rewrite.Native, "proportional"},
		{"phi3", posenc.Scale{}, "transformers5 mlx", rewrite.Native, "longrope"},
		{"qwen2", posenc.Scale{}, "transformers4 tgi", rewrite.Native, "llama3"},
	} {
		p, err := convert.NewPlan(golden(t, c.name), convert.Options{To: "hope", Cut: posenc.Cut{Kind: posenc.CutKeep, Keep: 2}, Scale: c.scale, For: strings.Fields(c.loaders), Output: t.TempDir() + "/out"})
		if err != nil {
			t.Errorf("%s for %s: %v", c.name, c.loaders, err)
			continue
		}
		if e := p.Encoding; e.Layout != c.layout || e.Spelling != c.spelling {
			t.Errorf("%s for %s: layout %s, spelling %s; want %s, %s", c.name, c.loaders, e.Layout, e.Spelling, c.layout, c.spelling)
		}
	}
	if _, err := convert.NewPlan(golden(t, "llama-gqa"), convert.Options{To: "hope", For: []string{"nobody"}}); !errors.Is(err, rewrite.ErrOptions) || !strings.Contains(err.Error(), "Options.For") {
		t.Errorf("unknown loader: %v", err)
	}
	p, err := convert.NewPlan(golden(t, "mistral"), convert.Options{To: "hope", For: []string{"openvino"}, Format: convert.GGUF})
	if !errors.Is(err, rewrite.ErrOptions) || !strings.Contains(err.Error(), "reads a graph") {
		t.Errorf("a graph of a GGUF file: %v, %v", p, err)
	}
	_, err = convert.NewPlan(golden(t, "qwen2"), convert.Options{To: "hope", For: []string{"llama.cpp"}})
	if !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), "rope type llama3: llama.cpp: wrong in silence") {
		t.Errorf("qwen2 for llama.cpp: %v", err)
	}
}
