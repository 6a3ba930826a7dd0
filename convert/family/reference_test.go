package family_test

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/verify/ref"
)

const golden = "../../testdata/golden/"

func open(t *testing.T, name string) (*family.Model, *safetensors.Checkpoint) {
	t.Helper()
	src, err := safetensors.OpenCheckpoint(golden + name + "/model.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { src.Close() })
	m, err := families.Load(src)
	if err != nil {
		t.Fatal(err)
	}
	return m, src
}

// apart is the largest difference over the largest wanted number.
func apart(got, want []float64) float64 {
	if len(got) != len(want) {
		return math.Inf(1)
	}
	largest, off := 0.0, 0.0
	for i := range want {
		largest, off = max(largest, math.Abs(want[i])), max(off, math.Abs(want[i]-got[i]))
	}
	return off / largest
}

// TestForms reads each form of a family that other goldens do not have, runs
// the reference on it, and compares the blocks' outputs and the logits with what
// the family's own code computed in float32.
func TestForms(t *testing.T) {
	const limit = 2e-5
	for _, name := range []string{"smollm3", "stablelm", "stablelm-parallel", "gpt-neox", "gpt-neox-serial",
		"falcon-multiquery", "falcon-grouped", "falcon-grouped-1",
		"grape-rope-subln", "grape-alibi-6heads", "grape-a-querykeygated-plain", "grape-m-ctx-heads",
		"grape-ap-v1-pqtie", "grape-ap-v1-pvtie", "grape-fox-rope"} {
		t.Run(name, func(t *testing.T) {
			m, src := open(t, name)
			want, err := safetensors.OpenCheckpoint(filepath.Join(golden, name, "golden.safetensors"))
			if err != nil {
				t.Fatal(err)
			}
			defer want.Close()
			raw, err := want.Bytes("input_ids")
			if err != nil {
				t.Fatal(err)
			}
			ids := make([]int64, len(raw)/8)
			if err := tensor.DecodeInt64(ids, raw, tensor.I64); err != nil {
				t.Fatal(err)
			}
			var states [][]float64
			tap := func(name string, v []float64, _ []int) {
				switch {
				case strings.HasPrefix(name, "/layers.") && strings.HasSuffix(name, "/output") && strings.Count(name, "/") == 2,
					name == "/embed" && m.Family != "grape":
					states = append(states, append([]float64(nil), v...))
				case name == "/final_norm" && m.Family != "grape": // transformers' last state has passed it
					states[len(states)-1] = append([]float64(nil), v...)
				}
			}
			n := len(ids) / 2
			out, err := ref.New(m, src).Forward(context.Background(), ref.Input{IDs: [][]int64{ids[:n], ids[n:]}}, ref.Options{Tap: tap})
			if err != nil {
				t.Fatal(err)
			}
			if len(states) != len(want.Names())-2 {
				t.Fatalf("%d states to compare with %v", len(states), want.Names())
			}
			for i, s := range append(states, out.Logits) {
				name := fmt.Sprintf("hidden.%d", i)
				if i == len(states) {
					name = "logits"
				}
				w, err := want.Float64(name)
				if err != nil {
					t.Fatal(err)
				}
				if d := apart(s, w); !(d <= limit) {
					t.Errorf("%s is %.2g of the largest off, limit %g", name, d, limit)
				}
			}
		})
	}
}
