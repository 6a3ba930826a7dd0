package eval_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/posenc/hint"
	"github.com/pecvt/pecvt/verify/eval"
	"github.com/pecvt/pecvt/verify/ort/orttest"
)

// withGraph is stories260K with a graph in a folder of a name.
func withGraph(t *testing.T, name string, o onnxops.Options) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := os.CopyFS(dir, os.DirFS(stories)); err != nil {
		t.Fatal(err)
	}
	o.Version = "test"
	if _, err := onnxops.Emit(dir, o); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A folder whose graph computes in float16 is scored in float16, by its own graph and,
// where that is too short, by one that computes in the same type: the figures are the
// same, and are not those of float32.
func TestSixteenBits(t *testing.T) {
	half := onnxops.Options{DType: onnxops.DTypeFloat16}
	short := half
	short.MaxLength = 100
	r := quick(t, eval.Config{Models: []string{withGraph(t, "own", half), withGraph(t, "short", short)}, Against: stories, Lengths: []int{256}, Sequences: 3})
	own, made := r.Results[1], r.Results[2]
	if own.KL != made.KL || own.PPL != made.PPL {
		t.Errorf("its own graph: KL %v, perplexity %v; one that was made: %v, %v", own.KL, own.PPL, made.KL, made.PPL)
	}
	if kl := float64(own.KL); !(kl > 1e-6 && kl < 1e-3) { // of float32 against float32 it is 0
		t.Errorf("KL %v: expected what rounding to float16 costs", kl)
	}
	close64(t, "perplexity", own.PPL, float64(r.Results[0].PPL), 0.2)
}

// What cannot be run is an error that says why: bfloat16 on the CPU, rounded weights in
// a graph that is too short, which only that graph has.
func TestSixteenBitsRefused(t *testing.T) {
	orttest.Require(t)
	for _, c := range []struct {
		name  string
		o     onnxops.Options
		want  string
		field hint.Field
	}{
		{"brain", onnxops.Options{DType: onnxops.DTypeBFloat16}, "computes in bfloat16, of which this provider lacks kernels", hint.DType},
		{"codes", onnxops.Options{Weights: onnxops.WeightsInt4, MaxLength: 100}, "rounded weights, of 100 positions, that does not run sequences of 256", hint.MaxLength},
	} {
		_, err := eval.Run(t.Context(), eval.Config{Models: []string{withGraph(t, c.name, c.o)}, IDs: storyIDs, Lengths: []int{256}, Sequences: 1})
		if err == nil || !strings.Contains(err.Error(), c.want) || !slices.Contains(hint.Of(err), c.field) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// A graph that gives the last token's logits alone is scored by the form that gives all:
// its figures are those of the same graph with all logits, and nothing is left of that.
func TestLastLogits(t *testing.T) {
	half := onnxops.Options{DType: onnxops.DTypeFloat16}
	last := half
	last.Logits = onnxops.LogitsLast
	dir := withGraph(t, "last", last)
	r := quick(t, eval.Config{Models: []string{withGraph(t, "all", half), dir}, Against: stories, Lengths: []int{256}, Sequences: 3})
	all, one := r.Results[1], r.Results[2]
	if all.KL != one.KL || all.PPL != one.PPL {
		t.Errorf("all logits: KL %v, perplexity %v; the last alone: %v, %v", all.KL, all.PPL, one.KL, one.PPL)
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".pecvt-*")); err != nil || len(left) > 0 {
		t.Errorf("%v is left (%v)", left, err)
	}
}
