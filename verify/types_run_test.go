package verify_test

import (
	"testing"

	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/verify"
	"github.com/pecvt/pecvt/verify/ort/orttest"
	"github.com/pecvt/pecvt/verify/report"
)

// Graphs of 16 bits pass in ONNX Runtime too, whose caches are fed in the types that
// the graph it is given has.
func TestSixteenBitsRun(t *testing.T) {
	orttest.Require(t)
	for _, dtype := range []string{onnxops.DTypeFloat16, onnxops.DTypeBFloat16} {
		for _, attention := range []string{onnxops.AttentionStandard, onnxops.AttentionORT} {
			r := verified(t, emittedAs(t, "golden/llama-gqa", dtype, onnxops.Options{Attention: attention, MaxLength: 64}), verify.Options{})
			if r.Verdict != report.Pass {
				t.Errorf("%s, %s: %s", dtype, attention, r.Verdict)
				for _, c := range r.Checks {
					if c.Verdict != report.Pass && c.Verdict != report.Skipped {
						t.Log(c.Name, c.Runner, c.Verdict, c.Detail)
					}
				}
			}
		}
	}
}
