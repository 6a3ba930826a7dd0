package onnxops

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/posenc"
)

// The graphs of every model below, in both forms, were also put through
// onnx.checker.check_model(full_check=True) and onnx.shape_inference.infer_shapes
// (strict_mode=True, data_prop=True) of onnx 1.23.2 by hand, and run in ONNX
// Runtime 1.32.0 at optimisation levels disabled, basic and all. (The checker
// refuses external data with more than one hard link: give it copies.)

var goldens = []string{
	"golden/llama-gqa", "golden/llama-tied-bf16", "golden/llama-sharded-f16", "golden/llama3-scaled",
	"golden/mistral", "golden/qwen2", "golden/qwen3", "golden/phi3", "models/stories260K",
}

// noGroupQuery lists the models whose rotation GroupQueryAttention cannot hold.
var noGroupQuery = []string{"golden/phi3", "models/stories260K"}

func load(t testing.TB, name string) (*family.Model, *safetensors.Checkpoint) {
	t.Helper()
	ckpt, err := safetensors.OpenCheckpoint(filepath.Join("..", "testdata", name, checkpointFile(name)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ckpt.Close() })
	m, err := families.Load(ckpt)
	if err != nil {
		t.Fatal(err)
	}
	return m, ckpt
}

// checkpointFile tells the checkpoint from the golden files beside it.
func checkpointFile(name string) string {
	if name == "golden/llama-sharded-f16" {
		return "model.safetensors.index.json"
	}
	return "model.safetensors"
}

func exportOne(t testing.TB, m *family.Model, ckpt *safetensors.Checkpoint, o Options) *onnxpb.ModelProto {
	t.Helper()
	model, err := Export(m, ckpt, o)
	if err != nil {
		t.Fatal(err)
	}
	return model
}

// TestStructure: names are unique, every input is defined before it is used,
// every shape is stamped, and nothing is left unused.
func TestStructure(t *testing.T) {
	for _, name := range goldens {
		for _, form := range []string{AttentionStandard, AttentionORT} {
			t.Run(name+"/"+form, func(t *testing.T) {
				if form == AttentionORT && slices.Contains(noGroupQuery, name) {
					return // see TestRefused
				}
				m, ckpt := load(t, name)
				model := exportOne(t, m, ckpt, Options{Attention: form, MaxLength: 48})
				checkStructure(t, model)
				checkInterface(t, m, model, form)
			})
		}
	}
}

// TestDimensions: no length has two names, within a graph either.
func TestDimensions(t *testing.T) {
	m, ckpt := load(t, "golden/qwen3")
	bloom, alibi := load(t, "golden/bloom")
	for name, model := range map[string]*onnxpb.ModelProto{
		"standard": exportOne(t, m, ckpt, Options{}),
		"ort":      exportOne(t, m, ckpt, Options{Attention: AttentionORT}),
		"mask":     exportOne(t, bloom, alibi, Options{Bias: BiasMask}),
	} {
		g := model.GetGraph()
		for _, v := range slices.Concat(g.GetInput(), g.GetOutput(), g.GetValueInfo()) {
			for axis, d := range v.GetType().GetTensorType().GetShape().GetDim() {
				for factor := range strings.SplitSeq(d.GetDimParam(), "*") {
					switch factor {
					case "", "batch_size", "sequence_length", "past_sequence_length", "total_sequence_length":
					default:
						t.Errorf("%s: %s has %q in dimension %d", name, v.GetName(), d.GetDimParam(), axis)
					}
				}
			}
		}
	}
}

func checkStructure(t *testing.T, model *onnxpb.ModelProto) {
	t.Helper()
	g := model.GetGraph()
	defined, used, nodes := map[string]bool{}, map[string]bool{}, map[string]bool{}
	define := func(name string) {
		if name == "" || defined[name] {
			t.Errorf("value %q is defined twice or has no name", name)
		}
		defined[name] = true
	}
	opsets := map[string]bool{}
	for _, o := range model.GetOpsetImport() {
		opsets[o.GetDomain()] = true
	}
	functions, attributes := map[string]bool{}, map[string][]string{}
	for _, f := range model.GetFunctions() {
		attributes[f.GetName()] = f.GetAttribute()
		functions[f.GetDomain()+"."+f.GetName()] = true
	}
	for _, v := range g.GetInput() {
		define(v.GetName())
	}
	for _, v := range g.GetInitializer() {
		define(v.GetName())
	}
	for _, n := range g.GetNode() {
		if n.GetName() == "" || nodes[n.GetName()] {
			t.Errorf("node name %q occurs twice or is empty", n.GetName())
		}
		nodes[n.GetName()] = true
		if !opsets[n.GetDomain()] {
			t.Errorf("node %s: domain %q is not imported", n.GetName(), n.GetDomain())
		}
		if n.GetDomain() == "ai.pecvt" && !functions["ai.pecvt."+n.GetOpType()] {
			t.Errorf("node %s: no function body of %s", n.GetName(), n.GetOpType())
		}
		for _, name := range attributes[n.GetOpType()] { // some inliners drop the default of one that is left out
			if !slices.ContainsFunc(n.GetAttribute(), func(a *onnxpb.AttributeProto) bool { return a.GetName() == name }) {
				t.Errorf("node %s has no attribute %s", n.GetName(), name)
			}
		}
		for _, in := range n.GetInput() {
			if in != "" && !defined[in] {
				t.Errorf("node %s reads %q before anything gives it", n.GetName(), in)
			}
			used[in] = true
		}
		for _, out := range n.GetOutput() {
			define(out)
		}
	}
	for _, o := range g.GetOutput() {
		used[o.GetName()] = true
	}
	for name := range defined {
		if !used[name] {
			t.Errorf("%q is never used", name)
		}
	}
	stamped := map[string]bool{}
	for _, v := range slices.Concat(g.GetInput(), g.GetOutput(), g.GetValueInfo()) {
		stamped[v.GetName()] = true
		tt := v.GetType().GetTensorType()
		if tt.GetElemType() == 0 || tt.GetShape() == nil {
			t.Errorf("%s has no type or shape", v.GetName())
		}
	}
	for _, n := range g.GetNode() {
		for _, out := range n.GetOutput() {
			if !stamped[out] {
				t.Errorf("%s has no shape", out)
			}
		}
	}
}

// checkInterface compares inputs and outputs with what the package promises.
func checkInterface(t *testing.T, m *family.Model, model *onnxpb.ModelProto, form string) {
	t.Helper()
	a := m.Blocks[0].Attn()
	want := []string{"input_ids INT64 [batch_size sequence_length]", "attention_mask INT64 [batch_size total_sequence_length]"}
	if form == AttentionStandard {
		want = append(want, "position_ids INT64 [batch_size sequence_length]")
	}
	outs := []string{fmt.Sprintf("logits FLOAT [batch_size sequence_length %d]", m.Vocab)}
	for i := range m.Blocks {
		for _, kind := range []string{"key", "value"} {
			want = append(want, fmt.Sprintf("past_key_values.%d.%s FLOAT [batch_size %d past_sequence_length %d]", i, kind, a.KVHeads, a.QKDim))
			outs = append(outs, fmt.Sprintf("present.%d.%s FLOAT [batch_size %d total_sequence_length %d]", i, kind, a.KVHeads, a.QKDim))
		}
	}
	describe := func(vs []*onnxpb.ValueInfoProto) (list []string) {
		for _, v := range vs {
			tt := v.GetType().GetTensorType()
			var dims []string
			for _, d := range tt.GetShape().GetDim() {
				if d.GetDimParam() != "" {
					dims = append(dims, d.GetDimParam())
					continue
				}
				dims = append(dims, fmt.Sprint(d.GetDimValue()))
			}
			list = append(list, fmt.Sprintf("%s %s [%s]", v.GetName(), onnxpb.TensorProto_DataType(tt.GetElemType()), strings.Join(dims, " ")))
		}
		return list
	}
	if got := describe(model.GetGraph().GetInput()); !slices.Equal(got, want) {
		t.Errorf("inputs %q, expected %q", got, want)
	}
	if got := describe(model.GetGraph().GetOutput()); !slices.Equal(got, outs) {
		t.Errorf("outputs %q, expected %q", got, outs)
	}
}

// TestStable: the same model gives the same bytes, and those read back as the
// model that Export returns.
func TestStable(t *testing.T) {
	for _, name := range goldens {
		m, ckpt := load(t, name)
		for _, weights := range []string{PlaceExternal, PlaceExternalCopy, PlaceEmbed} {
			o := Options{Placement: weights, MaxLength: 48, Version: "1.2.3", Encoding: "hope"}
			model := exportOne(t, m, ckpt, o)
			var a, b bytes.Buffer
			if err := errors.Join(WriteModel(&a, model), WriteModel(&b, exportOne(t, m, ckpt, o))); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(a.Bytes(), b.Bytes()) {
				t.Errorf("%s, %s: other bytes the second time", name, weights)
			}
			var back onnxpb.ModelProto
			if err := proto.Unmarshal(a.Bytes(), &back); err != nil {
				t.Fatalf("%s, %s: %v", name, weights, err)
			}
			if !proto.Equal(&back, model) {
				t.Errorf("%s, %s: the file does not hold the model", name, weights)
			}
			props := map[string]string{}
			for _, p := range back.GetMetadataProps() {
				props[p.GetKey()] = p.GetValue()
			}
			for key, want := range map[string]string{
				"pecvt.version": "1.2.3", "pecvt.encoding": "hope", "pecvt.max_length": "48", "pecvt.attention": "standard",
			} {
				if props[key] != want {
					t.Errorf("%s: metadata %s is %q, expected %q", name, key, props[key], want)
				}
			}
		}
	}
}

// TestRefused: what a form cannot express is refused with the form that can.
func TestRefused(t *testing.T) {
	for _, name := range noGroupQuery {
		m, ckpt := load(t, name)
		_, err := Export(m, ckpt, Options{Attention: AttentionORT})
		if !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), "Options.Attention standard") || !strings.Contains(err.Error(), "layer 0") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// TestNotInGroupQuery: parts of a layer that GroupQueryAttention cannot hold are
// refused, never left out.
func TestNotInGroupQuery(t *testing.T) {
	tests := []struct {
		name string
		set  func(a *family.Attention)
		want string
	}{
		{"spectra", func(a *family.Attention) { a.Spectra = &family.HeadSpectra{} }, "layer 1: spectra per head"},
		{"phase", func(a *family.Attention) { a.Phase = &family.PhaseGate{} }, "layer 1: a contextual phase"},
		{"bias", func(a *family.Attention) { a.Bias = &family.Bias{Kind: family.ALiBi} }, "layer 1: an additive bias"},
		{"shift", func(a *family.Attention) { a.VShift = &family.Shift{} }, "layer 1: shifted keys or values"},
		{"norm after", func(a *family.Attention) { a.NormAfter = true }, "layer 1: a norm after the rotation"},
		{"head norm", func(a *family.Attention) { a.HeadNorm = a.QNorm }, "layer 1: a norm after the rotation"},
	}
	for _, tt := range tests {
		m, ckpt := load(t, "golden/qwen3")
		tt.set(m.Blocks[1].Attn())
		_, err := Export(m, ckpt, Options{Attention: AttentionORT})
		if !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "use Options.Attention standard") {
			t.Errorf("%s: error %v, expected %q in it", tt.name, err, tt.want)
		}
	}
}

// TestNormOrder: norms of queries and keys stand before or after the rotation,
// and a norm of each head's output before the output projection.
func TestNormOrder(t *testing.T) {
	m, ckpt := load(t, "golden/qwen3")
	for _, after := range []bool{false, true} {
		a := m.Blocks[0].Attn()
		a.NormAfter, a.HeadNorm = after, a.QNorm
		model := exportOne(t, m, ckpt, Options{})
		checkStructure(t, model)
		at := map[string]int{}
		for i, n := range model.GetGraph().GetNode() {
			at[n.GetName()] = i
		}
		for _, part := range []string{"q", "k"} {
			norm, turn := at["/layers.0/attn/"+part+"_norm/RMSNormalization"], at["/layers.0/attn/"+part+"/Rotation"]
			if norm == 0 || turn == 0 || (norm > turn) != after {
				t.Errorf("%s, norm after %v: norm is node %d, rotation %d", part, after, norm, turn)
			}
		}
		if n := at["/layers.0/attn/head_norm/RMSNormalization"]; n < at["/layers.0/attn/Attention"] || n > at["/layers.0/attn/o_proj/Gemm"] {
			t.Errorf("the head norm is node %d", n)
		}
	}
}

func TestOptionErrors(t *testing.T) {
	m, ckpt := load(t, "golden/llama-gqa")
	tests := []struct {
		opts Options
		want string
	}{
		{Options{Attention: "flash"}, `attention form "flash" is unknown (valid: ort, standard)`},
		{Options{Bias: "both"}, `bias form "both" is unknown (valid: auto, fused, lowered, mask)`},
		{Options{Placement: "none"}, `placement "none" is unknown (valid: embed, external, external-copy)`},
		{Options{Linear: "conv"}, `linear form "conv" is unknown (valid: gemm, matmul)`},
		{Options{Linear: LinearMatMul, Placement: PlaceExternal}, "use Options.Placement external-copy or embed"},
		{Options{Opset: 16}, "Options.Opset 16: expected 17 to 23"},
		{Options{Opset: 24}, "Options.Opset 24: expected 17 to 23"},
		{Options{Opset: -1}, "Options.Opset -1: expected 17 to 23"},
		{Options{Portable: true, Attention: AttentionORT}, "use Options.Attention standard"},
		{Options{MaxLength: -1}, "maximum length -1"},
		{Options{MaxLength: 1 << 30}, "give a smaller Options.MaxLength"},
	}
	for _, tt := range tests {
		if _, err := Export(m, ckpt, tt.opts); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: error %v, expected %q in it", tt.opts, err, tt.want)
		}
	}
}
