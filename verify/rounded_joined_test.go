package verify_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/quant/nearest"
	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/verify"
	"github.com/pecvt/pecvt/verify/run"
)

// TestRoundedJoined verifies graphs whose queries, keys and values are one product with
// codes, with biases and without, and of heads that are normalised, which leaves three; and
// whose gate and up are one where blocks have lows, and whose stream has three axes where
// they have none.
func TestRoundedJoined(t *testing.T) {
	runtimePresent(t)
	ways := []rounding{
		{weights: onnxops.WeightsInt4, zeros: nearest.ZeroFloat}, {weights: onnxops.WeightsInt4, zeros: nearest.ZeroCode}, {weights: onnxops.WeightsInt4, zeros: nearest.ZeroNone},
		{weights: onnxops.WeightsInt4, zeros: nearest.ZeroFloat, accuracy: onnxops.AccuracyInt8}, {weights: onnxops.WeightsInt8, zeros: nearest.ZeroCode, accuracy: onnxops.AccuracyInt8},
	}
	for i, model := range []string{"golden/llama-gqa", "golden/qwen2", "golden/mistral", "golden/llama-tied-bf16", "golden/starcoder2", "golden/qwen3"} {
		how := ways[i%len(ways)]
		how.attention = onnxops.AttentionORT
		t.Run(filepath.Base(model), func(t *testing.T) {
			t.Parallel()
			dir := rounded(t, model, how)
			sound(t, verified(t, dir, verify.Options{OptLevel: oneLevel()}))
			g, err := run.ReadGraph(dir)
			if err != nil {
				t.Fatal(err)
			}
			products, gates := 0, 0
			for name := range g.Written.Coded {
				if strings.Contains(name, "/"+names.PackedProj+"/") {
					products++
				}
				if strings.Contains(name, "/"+names.GateUp+"/") {
					gates++
				}
			}
			if want := (model != "golden/qwen3"); (products > 0) != want {
				t.Errorf("%d products for queries, keys and values together: expected some: %v", products, want)
			}
			three := slices.ContainsFunc(g.Written.Nodes, func(n *onnxpb.NodeProto) bool { return n.GetName() == names.StreamOfTokens })
			if want := how.zeros != nearest.ZeroFloat; three != want {
				t.Errorf("a stream of three axes: %v, expected %v", three, want)
			}
			if want := how.zeros == nearest.ZeroFloat; (gates > 0) != want {
				t.Errorf("%d products for gate and up together: expected some: %v", gates, want)
			}
		})
	}
}
