package ref

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family/familytest"
	"github.com/pecvt/pecvt/convert/safetensors"
)

// learnedLimit is of the largest logit: the goldens are float64 throughout, by
// stock transformers with its attention replaced, which takes every generator's
// powers by torch's matrix exponential.
const learnedLimit = 1e-11

// TestLearned holds the reference to testdata/learned: blocks of every form
// with parameters that training could have left.
func TestLearned(t *testing.T) {
	names, err := filepath.Glob(filepath.Join(testdata, "learned/*/golden.safetensors"))
	if err != nil || len(names) < 20 {
		t.Fatalf("%d goldens: %v", len(names), err)
	}
	for _, path := range names {
		name := filepath.Base(filepath.Dir(path))
		t.Run(name, func(t *testing.T) {
			g := readGolden(t, "learned/"+name+"/golden.safetensors")
			c, err := safetensors.OpenCheckpoint(familytest.Learned(t, testdata, name))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			m, err := families.Load(c)
			if err != nil {
				t.Fatal(err)
			}
			out, err := New(m, c).Forward(context.Background(), Input{IDs: g.ids}, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if r := relative(t, out.Logits, g.logits); r > learnedLimit {
				t.Errorf("logits differ by %.3g of the largest: limit %g", r, learnedLimit)
			} else {
				t.Logf("logits: %.2e of the largest", r)
			}
		})
	}
}
