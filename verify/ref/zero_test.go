package ref_test

import (
	"context"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/verify/ref"
)

// TestZeroInput: no tokens are an error, not empty logits.
func TestZeroInput(t *testing.T) {
	ckpt, err := safetensors.OpenCheckpoint("../../testdata/models/stories260K")
	if err != nil {
		t.Fatal(err)
	}
	defer ckpt.Close()
	m, err := families.Load(ckpt)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := ref.New(m, ckpt).Forward(context.Background(), ref.Input{}, ref.Options{}); err == nil {
		t.Errorf("%d logits of no tokens", len(out.Logits))
	}
}
