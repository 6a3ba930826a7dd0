package convert

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/rewrite"
)

// TestZeroOptions: a target must be named; what else is left out is the
// command's default.
func TestZeroOptions(t *testing.T) {
	model := filepath.Join("..", "testdata", "golden", "llama-gqa")
	if _, err := NewPlan(model, Options{}); !errors.Is(err, rewrite.ErrOptions) {
		t.Errorf("no encoding: %v, want a bad option", err)
	}
	if _, err := NewPlan("", Options{To: "hope"}); err == nil {
		t.Error("no model is planned")
	}
	if _, err := NewPlan(model, Options{To: "hope", MaxShardSize: -1}); err == nil || !strings.Contains(err.Error(), "MaxShardSize -1") {
		t.Errorf("a negative size of files: %v", err)
	}
	plan, err := NewPlan(model, Options{To: "hope"})
	if err != nil {
		t.Fatal(err)
	}
	e := plan.Encoding
	if e.Layout != rewrite.Native || e.Cut != "paper" || e.Scale != "" || plan.Output != "llama-gqa-hope" {
		t.Errorf("layout %q, cut %q, scale %q, output %q", e.Layout, e.Cut, e.Scale, plan.Output)
	}
}
