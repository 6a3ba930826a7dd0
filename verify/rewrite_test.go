package verify_test

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/verify/ref"
)

// TestRewrittenModelsCompute converts golden checkpoints of every family in
// every way and runs source and result through the float64 reference: the
// result as it was written, the source with nothing but its planes' frequencies
// replaced in memory. What the rewrite did to rows, configuration and files
// must make no difference beyond float64's rounding.
func TestRewrittenModelsCompute(t *testing.T) {
	ids := [][]int64{make([]int64, 40)}
	for i := range ids[0] {
		ids[0][i] = int64(i*37+11) % 128
	}
	for _, name := range []string{"llama-gqa", "llama-tied-bf16", "llama-sharded-f16", "llama3-scaled", "mistral", "qwen2", "qwen3", "phi3"} {
		source := filepath.Join("..", "testdata", "golden", name)
		for _, c := range []struct{ to, cut, scale, layout, spelling string }{
			{to: "rope"}, {to: "hope"}, {to: "hope", spelling: "longrope"}, {to: "hope-ab1"}, {to: "hope-ab2"}, {to: "hope-ab3"}, {to: "p-rope"}, {to: "nope"},
			{to: "pi", scale: "pi:4"}, {to: "yarn", scale: "yarn:4"}, {to: "hope", scale: "pi:4"}, {to: "hope", scale: "yarn:4"}, {to: "hope-ab3", scale: "yarn:4"},
			{to: "rope", layout: "partial"}, {to: "hope", cut: "k=3", layout: "partial"}, {to: "hope", cut: "k=2", scale: "pi:4", layout: "partial"},
		} {
			if name == "llama3-scaled" && c.scale != "" {
				continue // scaling twice is refused
			}
			t.Run(fmt.Sprintf("%s/%s %s %s %s %s", name, c.to, c.cut, c.scale, c.layout, c.spelling), func(t *testing.T) {
				o := convert.Options{To: c.to, Layout: c.layout, Spelling: c.spelling, Output: filepath.Join(t.TempDir(), "out")}
				var err error
				if c.cut != "" {
					if o.Cut, err = posenc.ParseCut(c.cut); err != nil {
						t.Fatal(err)
					}
				}
				if o.Scale, err = posenc.ParseScale(c.scale); err != nil {
					t.Fatal(err)
				}
				p, err := convert.NewPlan(source, o)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := convert.Run(context.Background(), p, convert.RunOptions{}); err != nil {
					t.Fatal(err)
				}
				want := logits(t, source, ids, func(m *family.Model) {
					for i := range m.Blocks {
						m.Blocks[i].Attn().Rotary.Spectrum = p.Rewrite().After.Clone()
					}
				})
				got := logits(t, o.Output, ids, func(*family.Model) {})
				var largest, worst float64
				for i := range want {
					largest = math.Max(largest, math.Abs(want[i]))
					worst = math.Max(worst, math.Abs(got[i]-want[i]))
				}
				// frequencies are spelled to 1e-12 of themselves, positions go to 40
				if !(worst <= 1e-9*largest) {
					t.Errorf("logits differ by %.3g of the largest", worst/largest)
				}
			})
		}
	}
}

func logits(t *testing.T, path string, ids [][]int64, edit func(*family.Model)) []float64 {
	t.Helper()
	c, err := safetensors.OpenCheckpoint(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	m, err := family.Load(c)
	if err != nil {
		t.Fatal(err)
	}
	edit(m)
	out, err := ref.New(m, c).Forward(context.Background(), ref.Input{IDs: ids}, ref.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return out.Logits
}
