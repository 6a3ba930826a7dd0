package convert

import (
	"path/filepath"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family/familytest"
	"github.com/pecvt/pecvt/convert/safetensors"
)

// TestInspectInventedParts: a description of a model names what nothing computes.
func TestInspectInventedParts(t *testing.T) {
	ckpt, err := safetensors.OpenCheckpoint(filepath.Join("..", "testdata", "golden", "qwen3"))
	if err != nil {
		t.Fatal(err)
	}
	defer ckpt.Close()
	m, err := families.Load(ckpt)
	if err != nil {
		t.Fatal(err)
	}
	if in := inspection(m, "qwen3"); len(in.Warnings) > 0 {
		t.Errorf("the model itself: %v", in.Warnings)
	}
	for _, c := range familytest.Invented(m) {
		in := inspection(c.Model, c.Name)
		c.Names(t, "inspect", in.Warnings)
		if in.Heads != 4 || in.HeadDim != 16 || len(in.Planes) != 8 {
			t.Errorf("%s: %d heads of %d, %d planes", c.Name, in.Heads, in.HeadDim, len(in.Planes))
		}
	}
}
