package ref

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/store"
)

// TestQuantised compares the answers of every model of testdata/quantised with those
// of stock transformers to the numbers that its codes mean.
func TestQuantised(t *testing.T) {
	found, err := filepath.Glob(filepath.Join(testdata, "quantised/*/golden.safetensors"))
	if err != nil || len(found) < 27 {
		t.Fatalf("%d goldens: %v", len(found), err)
	}
	for _, path := range found {
		dir := "quantised/" + filepath.Base(filepath.Dir(path))
		t.Run(filepath.Base(dir), func(t *testing.T) {
			src, err := store.Open(filepath.Join(testdata, dir))
			if err != nil {
				t.Fatal(err)
			}
			defer src.Close()
			m, err := families.Load(src)
			if err != nil {
				t.Fatal(err)
			}
			g := readGolden(t, filepath.Join(dir, "golden.safetensors"))
			out, err := New(m, src).Forward(context.Background(), Input{IDs: g.ids}, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if r := relative(t, out.Logits, g.logits); r > limit {
				t.Errorf("logits differ by %.3g of the largest: limit %g", r, limit)
			} else {
				t.Logf("logits: %.2e of the largest", r)
			}
		})
	}
}
