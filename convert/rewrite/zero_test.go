package rewrite_test

import (
	"errors"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/rewrite"
	"github.com/pecvt/pecvt/convert/safetensors"
)

// TestZeroOptions: a rewrite to nothing is a bad option.
func TestZeroOptions(t *testing.T) {
	ckpt, err := safetensors.OpenCheckpoint("../../testdata/models/stories260K")
	if err != nil {
		t.Fatal(err)
	}
	defer ckpt.Close()
	m, err := families.Load(ckpt)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rewrite.Make(m, ckpt, rewrite.Options{}); !errors.Is(err, rewrite.ErrOptions) {
		t.Errorf("%v, want a bad option", err)
	}
	r, err := rewrite.Make(m, ckpt, rewrite.Options{To: "hope"})
	if err != nil || r.Layout != rewrite.Native || r.TrainLength != 512 {
		t.Errorf("%+v, %v", r, err)
	}
}
