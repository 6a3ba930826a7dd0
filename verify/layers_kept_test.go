package verify_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/verify"
	"github.com/pecvt/pecvt/verify/report"
)

// TestLayers verifies some layers of graphs in each form, and of models whose layers
// differ: all that is run passes, and the verdict is incomplete all the same.
func TestLayers(t *testing.T) {
	runtimePresent(t)
	for i, c := range []struct {
		model string
		o     onnxops.Options
		ask   string
		run   string // with the layer that has the marks
	}{
		{"models/stories260K", onnxops.Options{}, "1,3", "[0 1 3]"},
		{"golden/llama-gqa", onnxops.Options{Attention: onnxops.AttentionORT}, "1", "[1]"},
		{"golden/llama-tied-bf16", onnxops.Options{Weights: onnxops.WeightsInt4, Attention: onnxops.AttentionORT, Coding: onnxops.Coding{ZeroPoints: "none"}}, "1", "[1]"},
		{"models/stories260K", onnxops.Options{DType: onnxops.DTypeFloat16}, "2", "[0 2]"},
		{"models/stories260K", onnxops.Options{Logits: onnxops.LogitsLast}, "0,3", "[0 3]"},
		{"models/stories260K", onnxops.Options{Opset: 17}, "3", "[0 3]"},
		{"families/gemma3_text", onnxops.Options{}, "1", "[0 1]"},
		{"families/deepseek_v3", onnxops.Options{}, "1", "[0 1]"},
		{"families/deepseek_v3", onnxops.Options{Cache: onnxops.CacheLatent}, "1", "[0 1]"},
		{"families/qwen3_moe", onnxops.Options{}, "1", "[0 1]"},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			if c.o.MaxLength == 0 {
				c.o.MaxLength = 64
			}
			r := verified(t, emittedAs(t, c.model, c.o.DType, c.o), verify.Options{Layers: numbers(t, c.ask), OptLevel: oneLevel()})
			if r.Verdict != verify.Incomplete || fmt.Sprint(r.Layers) != c.run || r.Of == 0 {
				t.Errorf("verdict %s of layers %v of %d, expected incomplete of %s", r.Verdict, r.Layers, r.Of, c.run)
			}
			ran := map[string]bool{}
			for _, check := range r.Checks {
				switch check.Verdict {
				case verify.Pass:
					ran[check.Name+" "+check.Runner] = true
				case verify.Skipped, verify.Info:
				default:
					if check.Name != report.CheckLayers {
						t.Errorf("%s %s: %s: %s", check.Name, check.Runner, check.Verdict, check.Detail)
					}
				}
			}
			for _, must := range []string{"prefill interp", "prefill ort-cpu", "decode ort-cpu", "table-end interp"} {
				if !ran[must] {
					t.Errorf("%s did not pass, or was not made", must)
				}
			}
		})
	}
}

func numbers(t *testing.T, text string) (list []int) {
	t.Helper()
	for _, part := range strings.Split(text, ",") {
		var n int
		if _, err := fmt.Sscan(part, &n); err != nil {
			t.Fatal(err)
		}
		list = append(list, n)
	}
	return list
}

// TestLayersFault plants faults that no number in the graph shows into layer 3: they are
// found where it is run, and where it is not the report says that it was not.
func TestLayersFault(t *testing.T) {
	for name, plant := range map[string]func(t *testing.T, g *graphOf){
		"cosines as sines": func(t *testing.T, g *graphOf) {
			n := g.node(t, "/layers.3/attn/q/Rotation")
			n.Input[1], n.Input[2] = n.Input[2], n.Input[1]
		},
		"the stream of the layer before": func(t *testing.T, g *graphOf) {
			g.node(t, "/layers.3/attn/o_proj/Gemm").Input[2] = g.node(t, "/layers.2/attn_norm/RMSNormalization").Input[0]
		},
		"activation": func(t *testing.T, g *graphOf) {
			for _, n := range g.model.Graph.Node {
				if strings.HasPrefix(n.GetName(), "/layers.3/mlp/act") && n.GetOpType() == "Sigmoid" {
					n.OpType = "Tanh"
					return
				}
			}
			t.Fatal("no sigmoid")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := emittedAs(t, "models/stories260K", "", onnxops.Options{MaxLength: 64})
			graphFault(plant)(t, dir)
			found := verified(t, dir, verify.Options{Layers: []int{0, 2, 3}, ORTLibrary: noLibrary})
			if found.Verdict != verify.Fail {
				t.Errorf("layer 3 is run: %s", found.Verdict)
			}
			alone := verified(t, dir, verify.Options{Layers: []int{0, 3}, ORTLibrary: noLibrary})
			if alone.Verdict != verify.Fail {
				t.Errorf("layer 3 is run without the one before: %s", alone.Verdict)
			}
			other := verified(t, dir, verify.Options{Layers: []int{0, 1, 4}, ORTLibrary: noLibrary})
			c, ok := find(other, report.CheckLayers, "interp")
			if strings.HasPrefix(name, "the stream") { // which is looked at in the whole graph
				if other.Verdict != verify.Fail || !ok || !strings.Contains(c.Detail, `"/layers.3/attn/o_proj/Gemm" of layer 3 reads`) {
					t.Errorf("layer 3 is not run: %s, %s", other.Verdict, c.Detail)
				}
				return
			}
			if other.Verdict != verify.Incomplete || !ok || !strings.Contains(c.Detail, "layers 0, 1 and 4 of 5 are run") {
				t.Errorf("layer 3 is not run: %s, %s", other.Verdict, c.Detail)
			}
		})
	}
}

// TestJoints has a layer read another stream than that of the layer before: the layers
// that are run would not show it.
func TestJoints(t *testing.T) {
	dir := emittedAs(t, "models/stories260K", "", onnxops.Options{MaxLength: 64})
	graphFault(func(t *testing.T, g *graphOf) {
		was, before := "", ""
		for _, n := range g.model.Graph.Node {
			switch n.GetName() {
			case "/layers.2/attn_norm/RMSNormalization":
				before = n.GetInput()[0]
			case "/layers.3/attn_norm/RMSNormalization":
				was = n.GetInput()[0]
			}
		}
		for _, n := range g.model.Graph.Node {
			for i, in := range n.GetInput() {
				if in == was {
					n.Input[i] = before // layer 2 is passed over
				}
			}
		}
	})(t, dir)
	r := verified(t, dir, verify.Options{Layers: []int{0, 4}, ORTLibrary: noLibrary})
	if c, ok := find(r, report.CheckLayers, "interp"); !ok || c.Verdict != verify.Fail || !strings.Contains(c.Detail, "layer 2") {
		t.Errorf("%s: %s", c.Verdict, c.Detail)
	}
}

// TestLayersRefused names what cannot be asked for.
func TestLayersRefused(t *testing.T) {
	dir := emittedAs(t, "models/stories260K", "", onnxops.Options{MaxLength: 64})
	for want, o := range map[string]verify.Options{
		"layers 0 to 4":                      {Layers: []int{5}},
		"ascending numbers":                  {Layers: []int{3, 1}},
		"Options.Golden exclude each other":  {Layers: []int{1}, Golden: "x"},
		"Options.Against exclude each other": {Layers: []int{1}, Against: "x"},
	} {
		if _, err := verify.Verify(t.Context(), dir, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, expected %q", o.Layers, err, want)
		}
	}
}
