package native_test

import (
	"math/rand/v2"
	"os"
	"testing"

	"github.com/pecvt/pecvt/verify/ort"
	"github.com/pecvt/pecvt/verify/ort/orttest"
)

// TestFaults: mistakes in the kernels are found by the trials. Ordinary runs plant the
// first of each kind.
func TestFaults(t *testing.T) {
	for i, c := range []struct {
		kind, op, what string
		fault          orttest.Fault
	}{
		{"emulated", "PathIntegralAttention", "a barrier less", orttest.Fault{File: "cuda/attend.h", Old: "    sync();  // the piece before is used up\n", New: ""}},
		{"processor", "RelativeAttention", "the bias's sign", orttest.Fault{File: "src/attend.cc", Old: "score[j] += (places[j] - place) * (rate + rates[j", New: "score[j] -= (places[j] - place) * (rate + rates[j"}},
		{"emulated", "PathAttention", "shares of another tile", orttest.Fault{File: "cuda/attend.h", Old: "    syncWarp();\n    for (int64_t k = begin; k < end; k++) {", New: "    for (int64_t k = begin; k < end; k++) {"}},
		{"emulated", "RelativeAttention", "the window one key wider", orttest.Fault{File: "cuda/attend.h", Old: "self - j < a.window", New: "self - j <= a.window"}},
		{"emulated", "PathAttention", "a softmax that is not made smaller", orttest.Fault{File: "cuda/attend.h", Old: "out[c][r] *= shrink;", New: ";"}},
		{"emulated", "ContextPhase", "sums of a block that do not go on", orttest.Fault{File: "cuda/kernels.h", Old: "      carry += whole;\n", New: ""}},
		{"emulated", "Rotation", "the sine's sign", orttest.Fault{File: "cuda/kernels.h", Old: "u * c - v * s", New: "u * c + v * s"}},
		{"emulated", "PathIntegralBias", "a key's own gate too", orttest.Fault{File: "cuda/attend.h", Old: "const float bias = carry[r] + sumsAfter(gate);", New: "const float bias = carry[r] + gate + sumsAfter(gate);"}},
		{"processor", "PathIntegralAttention", "padding that counts", orttest.Fault{File: "src/attend.cc", Old: "(lane >= ahead) & (h.real[begin + j] != 0 ? -1 : 0);\n      });", New: "lane >= ahead;\n      });"}},
		{"processor", "PathIntegralAttention", "a run of keys without the gates of newer ones", orttest.Fault{File: "src/attention.cc", Old: "*p.most += carry, carry", New: "carry"}},
		{"processor", "RelativeAttention", "runs of keys whose largest scores are taken as one", orttest.Fault{File: "src/attention.cc", Old: "std::exp(*p.most - top)", New: "1"}},
	} {
		if i > 1 && os.Getenv("PECVT_LONG") != "1" {
			break
		}
		t.Run(c.op+", "+c.what, func(t *testing.T) {
			library := orttest.Faulty(t, c.kind, c.fault)
			d := draw{rand.New(rand.NewPCG(seed(t), 1))}
			for range 16 {
				if off := trials[c.op](d).off(t, ort.Options{OpsLibrary: library}, 0); off != "" {
					t.Log(off)
					return
				}
			}
			t.Errorf("%s in %s was not found", c.what, c.fault.File)
		})
	}
}
