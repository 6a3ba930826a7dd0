package verify_test

import (
	"testing"

	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/verify"
	"github.com/pecvt/pecvt/verify/ort/orttest"
	"github.com/pecvt/pecvt/verify/report"
)

// TestNativeOpsHalf: graphs of float16 run with the library of kernels too, and cost
// what rounding to float16 costs.
func TestNativeOpsHalf(t *testing.T) {
	library := orttest.Ops(t)
	for _, model := range []string{"llama-gqa", "grape-alibi", "grape-a-querykeygated", "grape-fox", "grape-ap-v1", "grape-m-ctx-heads", "bloom-6heads"} {
		for _, form := range []string{onnxops.BiasMask, onnxops.BiasFused} {
			t.Run(model+"/"+form, func(t *testing.T) {
				dir := emittedAs(t, "golden/"+model, onnxops.DTypeFloat16, onnxops.Options{Bias: form})
				r := verified(t, dir, verify.Options{OpsLibrary: library, Provider: "cpu", OptLevel: "all"})
				ran := false
				for _, c := range r.Checks {
					if c.Name == report.CheckSixteenBits {
						t.Log(c.Runner, c.MaxRel, c.Limit)
					}
					ran = ran || c.Name == report.CheckSixteenBits && c.Runner == "ort-cpu+ops" && c.Verdict == report.Pass
					if c.Verdict == report.Fail || c.Verdict == report.Incomplete || c.Verdict == report.Unavailable {
						t.Errorf("%s, %s: %s: %s", c.Name, c.Runner, c.Verdict, c.Detail)
					}
				}
				if !ran {
					t.Error("the graph as it is did not run with the library")
				}
			})
		}
	}
}
