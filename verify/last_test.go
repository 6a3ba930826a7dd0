package verify_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/verify"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
	"github.com/pecvt/pecvt/verify/written"
)

// lastOnly writes the graph of a bundled model that gives the logits of each row's last
// token.
func lastOnly(t *testing.T, model string, o onnxops.Options) string {
	t.Helper()
	o.Logits = onnxops.LogitsLast
	if o.MaxLength == 0 {
		o.MaxLength = 64
	}
	return emittedAs(t, model, o.DType, o)
}

// lastForms are forms of graphs of a model, one of each thing that stands between the
// chosen rows and the logits.
var lastForms = []struct {
	model string
	o     onnxops.Options
}{
	{"golden/llama-gqa", onnxops.Options{Attention: onnxops.AttentionORT}},
	{"golden/llama-gqa", onnxops.Options{Opset: 17}},
	{"golden/llama-gqa", onnxops.Options{Linear: onnxops.LinearMatMul}},
	{"golden/llama-tied-bf16", onnxops.Options{DType: onnxops.DTypeFloat16}},
	{"golden/llama-tied-bf16", onnxops.Options{DType: onnxops.DTypeBFloat16, Attention: onnxops.AttentionORT}},
	{"golden/llama-tied-bf16", onnxops.Options{Weights: onnxops.WeightsInt4}},
	{"golden/llama-tied-bf16", onnxops.Options{Weights: onnxops.WeightsInt4, Attention: onnxops.AttentionORT, Coding: onnxops.Coding{Accuracy: onnxops.AccuracyInt8, Head: "int8"}}},
	{"golden/llama-tied-bf16", onnxops.Options{Weights: onnxops.WeightsInt8, Portable: true}},
	{"golden/llama-tied-bf16", onnxops.Options{Weights: onnxops.WeightsInt4, Coding: onnxops.Coding{ZeroPoints: "none"}, DType: onnxops.DTypeFloat16}},
	{"golden/grape-fox", onnxops.Options{Bias: onnxops.BiasFused}},
	{"families/deepseek_v3", onnxops.Options{Cache: onnxops.CacheLatent}},
	{"quantised/llama-gptq4", onnxops.Options{}},
}

// TestGiveAll: without its choice a graph that gives the last logits is the graph that all
// are emitted as, node for node, and value for value.
func TestGiveAll(t *testing.T) {
	same := func(t *testing.T, model string, o onnxops.Options) {
		t.Parallel()
		got := readModel(t, lastOnly(t, model, o))
		o.MaxLength = 64
		want := readModel(t, emittedAs(t, model, o.DType, o))
		if found, err := run.GiveAll(want); found || err != nil {
			t.Errorf("of a graph with all logits: %v, %v", found, err)
		}
		if found, err := run.GiveAll(got); !found || err != nil {
			t.Fatalf("%v, %v", found, err)
		}
		unlikeGraphs(t, "all", got.GetGraph(), want.GetGraph())
		if g, w := fmt.Sprint(got.GetMetadataProps()), fmt.Sprint(want.GetMetadataProps()); g != w {
			t.Errorf("metadata %s, expected %s", g, w)
		}
	}
	for _, name := range halfModels(t) {
		t.Run(name, func(t *testing.T) { same(t, name, onnxops.Options{}) })
	}
	for i, form := range lastForms {
		t.Run(fmt.Sprint(i), func(t *testing.T) { same(t, form.model, form.o) })
	}
}

// TestDamagedGraphs: a graph one of whose nodes lost its inputs or its outputs is read as
// something else than was emitted, or refused, and is no panic.
func TestDamagedGraphs(t *testing.T) {
	for i, form := range []struct {
		model string
		o     onnxops.Options
	}{
		{"golden/llama-gqa", onnxops.Options{}},
		{"golden/llama-tied-bf16", onnxops.Options{Weights: onnxops.WeightsInt4, Attention: onnxops.AttentionORT}},
		{"golden/llama-tied-bf16", onnxops.Options{Weights: onnxops.WeightsInt4, Portable: true, Opset: 17}},
		{"quantised/llama-gguf", onnxops.Options{}},
		{"golden/llama-tied-bf16", onnxops.Options{DType: onnxops.DTypeFloat16}},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			m := readModel(t, lastOnly(t, form.model, form.o))
			refused := 0
			for i := range m.GetGraph().GetNode() {
				for _, lose := range []func(*onnxpb.NodeProto){
					func(n *onnxpb.NodeProto) { n.Input = nil },
					func(n *onnxpb.NodeProto) { n.Input = n.Input[:1] },
					func(n *onnxpb.NodeProto) { n.Output = nil },
				} {
					damaged := proto.Clone(m).(*onnxpb.ModelProto)
					lose(damaged.Graph.Node[i])
					if _, err := run.GiveAll(damaged); err != nil {
						refused++
					}
					written.Nodes(damaged.Graph)
					computes, _ := run.Computes(damaged)
					run.WrongTypes(damaged, computes)
					run.Widen(damaged)
				}
			}
			if refused < 5 { // both sides of the choice and of the logits, and the lengths
				t.Errorf("%d damaged graphs are refused", refused)
			}
		})
	}
}

// TestLastLogits verifies graphs that give the last logits, of every family's golden with
// PECVT_LONG, else of a share, and in the other forms of graphs.
func TestLastLogits(t *testing.T) {
	runtimePresent(t)
	holds := func(t *testing.T, model string, o onnxops.Options) {
		t.Parallel()
		v := verify.Options{OptLevel: oneLevel()}
		if golden := filepath.Join(fixtures, model, "golden.safetensors"); exists(golden) {
			v.Golden = golden
		}
		r := verified(t, lastOnly(t, model, o), v)
		sound(t, r)
		for _, runner := range []string{"interp", "ort-cpu"} {
			if c, ok := find(r, report.CheckLastLogits, runner); !ok || c.Verdict != verify.Pass && (runner == "interp" || o.DType != onnxops.DTypeBFloat16) {
				t.Errorf("%s: made %v: %s %s", runner, ok, c.Verdict, c.Detail)
			}
		}
	}
	for _, name := range halfModels(t) {
		t.Run(name, func(t *testing.T) { holds(t, name, onnxops.Options{}) })
	}
	for i, form := range lastForms {
		t.Run(fmt.Sprint(i), func(t *testing.T) { holds(t, form.model, form.o) })
	}
}
