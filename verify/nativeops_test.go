package verify_test

import (
	"testing"

	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/verify"
	"github.com/pecvt/pecvt/verify/ort/orttest"
	"github.com/pecvt/pecvt/verify/report"
)

// TestNativeOps: with the library of kernels every check passes, in graphs that call
// the operators beside attention and in those that call one that is the attention.
func TestNativeOps(t *testing.T) {
	library := orttest.Ops(t)
	for _, model := range []string{"llama-gqa", "grape-alibi", "grape-a-querykeygated", "grape-fox", "grape-ap-v1", "grape-m-ctx-heads", "bloom-6heads"} {
		for _, form := range []string{onnxops.BiasMask, onnxops.BiasFused} {
			t.Run(model+"/"+form, func(t *testing.T) {
				dir := conversion{model: "golden/" + model, to: "as-is", bias: form, placement: onnxops.PlaceExternalCopy}.write(t)
				r := verified(t, dir, verify.Options{OpsLibrary: library, Provider: "cpu", OptLevel: "all"})
				ran := false
				for _, c := range r.Checks {
					ran = ran || c.Name == report.CheckPrefill && c.Runner == "ort-cpu+ops"
					if c.Verdict == report.Fail || c.Verdict == report.Incomplete || c.Verdict == report.Unavailable {
						t.Errorf("%s, %s: %s: %s", c.Name, c.Runner, c.Verdict, c.Detail)
					}
				}
				if !ran {
					t.Error("no prefill ran with the library")
				}
			})
		}
	}
}
