package verify_test

import (
	"slices"
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

// TestNativeOpsFaults: a mistake in a kernel is found by verify with the library, by the
// checks that are named here.
func TestNativeOpsFaults(t *testing.T) {
	for _, c := range []struct {
		what, model string
		fault       orttest.Fault
		checks      []string
	}{
		{"the relative bias's sign in a block", "grape-a-querykeygated", orttest.Fault{File: "src/attend.cc", Old: "s += (h.keyPlace[begin + j] - queryPlace)", New: "s -= (h.keyPlace[begin + j] - queryPlace)"}, []string{report.CheckPrefill}},
		{"sums of one token", "grape-fox", orttest.Fault{File: "src/attend.cc", Old: "(whole - h.keyWhole[begin + j])", New: "(whole + h.keyWhole[begin + j])"}, []string{report.CheckDecode}},
		{"padding that a path counts", "grape-ap-v1", orttest.Fault{File: "src/attend.cc", Old: "if (h.real[begin + j] != 0) carry += gate[j];", New: "carry += gate[j];"}, []string{report.CheckRightPaddingDecode}},
		{"padding that a path counts in a block of queries", "grape-ap-v1", orttest.Fault{File: "src/attend.cc", Old: "return (lane >= ahead) & (h.real[begin + j] != 0 ? -1 : 0);", New: "return lane >= ahead;"}, []string{report.CheckRightPaddingChunk}},
	} {
		t.Run(c.what, func(t *testing.T) {
			library := orttest.Faulty(t, "processor", c.fault)
			dir := conversion{model: "golden/" + c.model, to: "as-is", bias: onnxops.BiasFused, placement: onnxops.PlaceExternalCopy}.write(t)
			r := verified(t, dir, verify.Options{OpsLibrary: library, Provider: "cpu", OptLevel: "all"})
			var failed []string
			for _, row := range r.Checks {
				if row.Verdict == report.Fail {
					failed = append(failed, row.Name)
					if row.Runner != "ort-cpu+ops" {
						t.Errorf("%s fails in %s, which has no kernels", row.Name, row.Runner)
					}
				}
			}
			for _, name := range c.checks {
				if !slices.Contains(failed, name) {
					t.Errorf("%s passes; failed are %v", name, failed)
				}
			}
			t.Log("found by", failed)
		})
	}
}
