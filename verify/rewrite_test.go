package verify_test

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/posenctest"
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
	type way struct {
		posenctest.Way
		spelling string
	}
	ways := []way{{posenctest.Way{To: "hope"}, "longrope"}, {posenctest.Way{To: "rope", Layout: "partial"}, ""}}
	for _, w := range posenctest.Spectral() {
		ways = append(ways, way{w, ""})
		if w.Cut != "" {
			w.Layout = "partial"
			ways = append(ways, way{w, ""})
		}
	}
	for _, name := range []string{"llama-gqa", "llama-tied-bf16", "llama-sharded-f16", "llama3-scaled", "mistral", "qwen2", "qwen3", "phi3"} {
		source := filepath.Join("..", "testdata", "golden", name)
		for _, c := range ways {
			if name == "llama3-scaled" && c.Scale != "" {
				continue // scaling twice is refused
			}
			t.Run(fmt.Sprintf("%s/%s %s", name, c, c.spelling), func(t *testing.T) {
				o := convert.Options{To: c.To, Layout: c.Layout, Spelling: c.spelling, Output: filepath.Join(t.TempDir(), "out")}
				var err error
				if c.Cut != "" {
					if o.Cut, err = posenc.ParseCut(c.Cut); err != nil {
						t.Fatal(err)
					}
				}
				if o.Scale, err = posenc.ParseScale(c.Scale); err != nil {
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
	m, err := families.Load(c)
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
