package verify_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/verify"
	"github.com/pecvt/pecvt/verify/report"
)

// named is what a bisection must say of each planted fault (see faults): the
// first bad stage, node and operator, and words of its advice. A node that is
// empty means that no value of a forward pass is wrong.
var named = map[string]struct{ stage, node, op, advice string }{
	"the sign of sin":                                     {"layer 0", "/rotary/sin/Gather", "Gather", "the constant /rotary/sin_table"},
	"one frequency":                                       {"layer 0", "/rotary/cos/Gather", "Gather", "the constant /rotary/cos_table"},
	"one head's plane between steps":                      {"layer 0", "/rotary_heads/near_cos/Gather", "Gather", "the constant /rotary_heads/near_cos"},
	"the last row of the tables":                          {"layer 0", "/rotary/sin/Gather", "Gather", "the constant /rotary/sin_table"},
	"pairing of a query":                                  {"layer 0", "/layers.0/attn/q/Rotation", "ai.pecvt.Rotation", "interleaved=1 (the model's is 0)"},
	"a rotary dimension in the last layer":                {"layer 1", "/layers.1/attn/k/Rotation", "ai.pecvt.Rotation", "input 1 is /rotary/sin/Gather_output_0: expected /rotary/cos/Gather_output_0"},
	"padding on the left is seen":                         {"layer 0", "/mask/real/Cast", "Cast", ""},
	"the window of a layer":                               {"layer 0", "/mask.window8/first/Sub", "Sub", ""},
	"a weight's offset":                                   {"layer 1", "/layers.1/mlp/up_proj/Gemm", "Gemm", "of model.safetensors for model.layers.1.mlp.up_proj.weight"},
	"a row of fused weights":                              {"layer 0", "/layers.0/attn/q_proj/Gemm", "Gemm", "model.layers.0.self_attn.qkv_proj.weight[0:64]"},
	"two tensors that change names":                       {"layer 0", "/layers.0/attn/k_proj/Gemm", "Gemm", "of model.safetensors for model.layers.0.self_attn.k_proj.weight"},
	"two tensors that change data":                        {"", "", "", "the failed checks"},
	"keys and values of the past change places":           {"layer 0", "/layers.0/attn/Attention", "Attention", "input 4 is past_key_values.0.value: expected past_key_values.0.key"},
	"keys are cached before they turn":                    {"layer 1", "/fault/Concat", "Concat", ""},
	"the scale of scores":                                 {"layer 1", "/layers.1/attn/Attention", "Attention", "scale=0.2501 (the model's is 0.25)"},
	"the epsilon of a norm":                               {"layer 0", "/layers.0/mlp_norm/RMSNormalization", "RMSNormalization", "epsilon=0.001 (the model's is 1e-06)"},
	"the epsilon of a norm after the MLP":                 {"layer 1", "/layers.1/mlp_out_norm/RMSNormalization", "RMSNormalization", "epsilon=0.001 (the model's is 1e-05)"},
	"the weight of a norm after the MLP":                  {"layer 1", "/layers.1/mlp_out_norm/RMSNormalization", "RMSNormalization", "of model.safetensors for model.layers.1.post_attention_layernorm.weight"},
	"a missing bias":                                      {"layer 0", "/layers.0/attn/k_proj/Gemm", "Gemm", "the model has a bias here, model.layers.0.self_attn.k_proj.bias"},
	"a length in the form for onnx runtime":               {"layer 1", "/layers.1/attn/GroupQueryAttention", "com.microsoft.GroupQueryAttention", "scale=0.26"},
	"a weight that is not finite in the graph's own copy": {"layer 0", "/layers.0/attn/q_proj/Gemm", "Gemm", "of model.onnx.data"},
}

// noLibrary keeps ONNX Runtime out of tests of what the Go runners find.
const noLibrary = "no-such-library.so"

// Every fault planted into a graph is traced to the node that has it.
func TestBisectNamesTheNode(t *testing.T) {
	tried := 0
	for _, f := range faults {
		want, ok := named[f.name]
		if !ok {
			continue
		}
		tried++
		t.Run(f.name, func(t *testing.T) {
			dir := f.in.write(t)
			f.plant(t, dir)
			r, err := verify.Verify(context.Background(), dir, verify.Options{Bisect: true, ORTLibrary: noLibrary})
			if err != nil {
				t.Fatal(err)
			}
			b := r.Bisect
			if b == nil {
				t.Fatal("the report has no bisection")
			}
			got := report.NodeFinding{}
			if b.Node != nil {
				got = *b.Node
			}
			if b.Stage != want.stage || got.Name != want.node || got.Op != want.op || !strings.Contains(b.Advice, want.advice) {
				t.Errorf("stage %q, node %q (%s), advice %q\nwant %q, %q (%s), %q", b.Stage, got.Name, got.Op, b.Advice, want.stage, want.node, want.op, want.advice)
			}
			if want.node == "" {
				return
			}
			// What comes in is right, unless it is a constant or weight of the graph.
			for _, in := range got.Inputs {
				if in.State == "bad" && in.Kind != "weight" && in.Kind != "constant" {
					t.Errorf("input %s is %s (%v)", in.Name, in.State, in.MaxRel)
				}
			}
			bad := false
			for _, out := range got.Outputs {
				bad = bad || out.State == "bad" && !(out.MaxRel <= b.Limit)
			}
			if !bad {
				t.Errorf("no output of %s is bad: %+v", got.Name, got.Outputs)
			}
			for _, row := range b.Stages[:len(b.Stages)-1] {
				if !(row.MaxRel <= row.Limit) {
					t.Errorf("%s is bad before %s", row.Stage, b.Stage)
				}
			}
			var text bytes.Buffer
			if err := r.WriteText(&text); err != nil {
				t.Fatal(err)
			}
			for _, part := range []string{"bisect     " + want.stage + ": ", "node     " + want.node, "first bad"} {
				if !strings.Contains(text.String(), part) {
					t.Errorf("the text lacks %q:\n%s", part, text.String())
				}
			}
		})
	}
	if tried != len(named) {
		t.Errorf("%d of %d faults were tried", tried, len(named))
	}
}

// Where nothing is wrong nothing is named, whatever the encoding and the form.
func TestBisectOfARightGraph(t *testing.T) {
	for _, c := range []conversion{
		hopeLlama, {model: "golden/mistral", to: "rope"}, {model: "golden/qwen3", to: "yarn", scale: "yarn:4"}, {model: "golden/olmo2", to: "hope-ab3"},
		{model: "golden/llama-tied-bf16", to: "hope", attention: "ort"}, {model: "families/deepseek_v3", to: "hope", cache: "latent"}, {model: "families/roformer", to: "grape-m"},
	} {
		dir := c.write(t)
		r, err := verify.Verify(context.Background(), dir, verify.Options{Bisect: true, Provider: "cpu", OptLevel: "all"})
		if err != nil {
			t.Fatal(err)
		}
		if r.Verdict == verify.Fail {
			t.Fatalf("%v fails", c)
		}
		b := r.Bisect
		if b == nil || b.Stage != "" || b.Node != nil || !strings.HasPrefix(b.Summary, "nothing leaves the budget: the largest error is ") {
			t.Errorf("%v: %+v", c, b)
		}
		stages := map[string]int{}
		for _, row := range b.Stages {
			stages[row.Runner]++
		}
		if stages["interp"] != 2+2 || runtimePresent(t) && stages["ort-cpu"] != 2+2 {
			t.Errorf("%v: stages of runners %v, want an embedding, 2 layers and a head of each", c, stages)
		}
	}
}

// Under a cap that holds a few values at a time the walk takes more passes and
// finds the same; under one that holds none it says what it needs.
func TestBisectUnderACap(t *testing.T) {
	dir := hopeLlama.write(t)
	graphFault(func(t *testing.T, g *graphOf) {
		attribute(t, g.node(t, "/layers.1/mlp_norm/RMSNormalization"), "epsilon").F = 1e-3
	})(t, dir)
	for _, room := range []int64{0, 200 << 10} {
		r, err := verify.Verify(context.Background(), dir, verify.Options{Bisect: true, MaxMem: room, ORTLibrary: noLibrary})
		if err != nil {
			t.Fatal(err)
		}
		if n := r.Bisect.Node; n == nil || n.Name != "/layers.1/mlp_norm/RMSNormalization" || len(r.Bisect.Between) > 0 {
			t.Errorf("room %d: %+v", room, r.Bisect)
		}
	}
	r, err := verify.Verify(context.Background(), dir, verify.Options{Bisect: true, MaxMem: 1 << 10, ORTLibrary: noLibrary})
	if err != nil {
		t.Fatal(err)
	}
	if r.Verdict != verify.Fail || !strings.Contains(r.Bisect.Summary, "raise Options.MaxMem") {
		t.Errorf("%s, bisection %+v", r.Verdict, r.Bisect)
	}
}

// A node that nothing is known of cannot be told from the first bad one behind
// it: the finding names both.
func TestBisectBrackets(t *testing.T) {
	for _, c := range []struct {
		name, stage, node, between, good string
		plant                            func(t *testing.T, g *graphOf)
	}{
		{
			"the heads of the keys change places", "layer 1", "/layers.1/attn/Attention", "/fault/Gather (Gather)", "/layers.1/attn/k/Rotation_output_0",
			func(t *testing.T, g *graphOf) {
				n := g.node(t, "/layers.1/attn/Attention")
				g.gather(n.Input[1], n)
				n.Input[1] = "/fault/gathered"
			},
		},
		{
			"a residual of another layer", "layer 1", "/layers.1/attn/o_proj/Gemm", "/fault/Neg (Neg)", "",
			func(t *testing.T, g *graphOf) {
				n := g.node(t, "/layers.1/attn/o_proj/Gemm")
				g.insert(n, &onnxpb.NodeProto{OpType: "Neg", Name: "/fault/Neg", Input: []string{n.Input[2]}, Output: []string{"/fault/negative"}})
				n.Input[2] = "/fault/negative"
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := hopeLlama.write(t)
			graphFault(c.plant)(t, dir)
			r, err := verify.Verify(context.Background(), dir, verify.Options{Bisect: true, ORTLibrary: noLibrary})
			if err != nil {
				t.Fatal(err)
			}
			b := r.Bisect
			if b.Stage != c.stage || b.Node == nil || b.Node.Name != c.node || !slices.Equal(b.Between, []string{c.between}) {
				t.Fatalf("%+v, node %+v", b, b.Node)
			}
			if c.good != "" && !slices.Contains(b.Good, c.good) {
				t.Errorf("good before it: %v", b.Good)
			}
			if !strings.Contains(b.Summary, "or in the node before it") {
				t.Errorf("summary %q", b.Summary)
			}
		})
	}
}

// insert puts a node in front of another.
func (g *graphOf) insert(before, n *onnxpb.NodeProto) {
	at := slices.Index(g.model.Graph.Node, before)
	g.model.Graph.Node = slices.Insert(g.model.Graph.Node, at, n)
}

// gather swaps the two heads of a value in front of a node.
func (g *graphOf) gather(value string, before *onnxpb.NodeProto) {
	swapped := make([]byte, 16)
	swapped[0] = 1
	g.model.Graph.Initializer = append(g.model.Graph.Initializer, &onnxpb.TensorProto{
		Name: "/fault/order", DataType: int32(onnxpb.TensorProto_INT64), Dims: []int64{2}, RawData: swapped})
	g.insert(before, &onnxpb.NodeProto{OpType: "Gather", Name: "/fault/Gather", Input: []string{value, "/fault/order"}, Output: []string{"/fault/gathered"},
		Attribute: []*onnxpb.AttributeProto{textAttribute("axis", 1)}})
}

// TestBisectOfCodes: a fault beside rounded weights is not blamed on their codes, and a
// product with another weight's codes is.
func TestBisectOfCodes(t *testing.T) {
	const product, sums = "/layers.1/mlp/down_proj/Gemm", "/layers.1/mlp/Mul_output_0/sums32/ReduceSum"
	find := func(g *onnxpb.GraphProto, name string) *onnxpb.NodeProto {
		i := slices.IndexFunc(g.GetNode(), func(n *onnxpb.NodeProto) bool { return n.GetName() == name })
		if i < 0 {
			t.Fatalf("no node %s", name)
		}
		return g.Node[i]
	}
	other := func(g *onnxpb.GraphProto) { // gate's weight in up's place
		for _, n := range g.GetNode() {
			if strings.HasPrefix(n.GetName(), "/layers.1/mlp/up_proj/") {
				for i, in := range n.GetInput() {
					n.Input[i] = strings.Replace(in, "up_proj", "gate_proj", 1)
				}
			}
		}
	}
	const biased = "/layers.1/attn/q_proj/Gemm"
	for _, c := range []struct {
		o         onnxops.Options
		node, bad string
		plant     func(*onnxpb.GraphProto)
	}{
		{onnxops.Options{Weights: onnxops.WeightsInt4, Coding: onnxops.Coding{Block: 64}}, biased, "", func(g *onnxpb.GraphProto) { find(g, biased).OpType = "Sub" }},
		{onnxops.Options{Weights: onnxops.WeightsInt4}, product, "", func(g *onnxpb.GraphProto) { find(g, sums).OpType = "ReduceMax" }},
		{onnxops.Options{Weights: onnxops.WeightsInt4, Attention: onnxops.AttentionORT}, product, "", func(g *onnxpb.GraphProto) { find(g, sums).OpType = "ReduceMax" }},
		{onnxops.Options{Weights: onnxops.WeightsInt4, Portable: true}, product, "", func(g *onnxpb.GraphProto) { find(g, sums).OpType = "ReduceMax" }},
		{onnxops.Options{Weights: onnxops.WeightsInt8}, product, "", func(g *onnxpb.GraphProto) { find(g, sums).OpType = "ReduceMax" }},
		{onnxops.Options{Weights: onnxops.WeightsInt4, Coding: onnxops.Coding{ZeroPoints: "none"}}, "/layers.1/mlp/up_proj/Gemm", "model.layers.1.mlp.gate_proj.weight~codes4", other},
	} {
		t.Run(fmt.Sprint(c.o.Scheme(), c.o.Attention, c.o.Portable), func(t *testing.T) {
			t.Parallel()
			c.o.MaxLength = 64
			model := "golden/llama-tied-bf16"
			if c.node == biased {
				model = "golden/qwen2"
			}
			dir := emittedAs(t, model, "", c.o)
			m := readModel(t, dir)
			c.plant(m.GetGraph())
			raw, err := proto.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "model.onnx"), raw, 0o666); err != nil {
				t.Fatal(err)
			}
			r, err := verify.Verify(context.Background(), dir, verify.Options{Bisect: true, ORTLibrary: noLibrary})
			if err != nil {
				t.Fatal(err)
			}
			if r.Bisect == nil || r.Bisect.Node == nil || r.Bisect.Node.Name != c.node {
				t.Fatalf("%+v: expected %s", r.Bisect, c.node)
			}
			bad := ""
			for _, in := range r.Bisect.Tensors {
				if in.State == "bad" && bad == "" {
					bad = in.Name
				}
			}
			if bad != c.bad {
				t.Errorf("%q is blamed, expected %q: %+v", bad, c.bad, r.Bisect.Tensors)
			}
			if strings.Contains(r.Bisect.Advice, "has a bias here") {
				t.Errorf("advice %q, and the bias is there", r.Bisect.Advice)
			}
		})
	}
}
