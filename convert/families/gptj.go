package families

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
)

// gptj: layer norms, one of them for attention and MLP side by side, biases of MLP
// and head, rotary_dim coordinates of each head turned in neighbouring pairs with
// base 10000.
var gptj = family.Spec{
	Name: "gptj", ModelType: "gptj", Architecture: "GPTJForCausalLM",
	About: "rotary_dim coordinates turn",
	Names: family.Names{
		Embed: "transformer.wte", FinalNorm: "transformer.ln_f", Head: "lm_head",
		AttnNorm: "transformer.h.{i}.ln_1",
		Q:        "transformer.h.{i}.attn.q_proj", K: "transformer.h.{i}.attn.k_proj", V: "transformer.h.{i}.attn.v_proj",
		O: "transformer.h.{i}.attn.out_proj", Up: "transformer.h.{i}.mlp.fc_in", Down: "transformer.h.{i}.mlp.fc_out",
		Ignore: []string{"transformer.h.{i}.attn.bias", "transformer.h.{i}.attn.masked_bias", "transformer.h.{i}.attn.embed_positions"},
	},
	Keys: family.Keys{
		Vocab: []string{"vocab_size"}, Hidden: []string{"n_embd", "hidden_size"}, Layers: []string{"n_layer", "num_hidden_layers"},
		Heads: []string{"n_head", "num_attention_heads"}, Inner: []string{"n_inner"},
		MaxPositions: []string{"n_positions", "max_position_embeddings"}, Act: []string{"activation_function"},
	},
	Inner: func(hidden int) int { return 4 * hidden },
	Norm:  family.LayerNorm, EpsKey: "layer_norm_epsilon", Eps: 1e-5, Act: "gelu_tanh", MaxPositions: 2048, HiddenHeads: true,
	MLPBias: family.Rule{Always: true}, HeadBias: family.Rule{Always: true},
	Parallel: family.Rule{Always: true}, SharedNorm: true, Interleaved: true,
	Reads:    []string{"rotary_dim", "n_ctx", "rotary"},
	Position: gptjPosition,
}

// codegenBlocks is the number of parts that the fused matrix is stored in, each
// with queries, values and keys of a quarter of the heads.
const codegenBlocks = 4

// codegen: gptj with q, v and k fused in four parts.
var codegen = func(s family.Spec) family.Spec {
	s.Name, s.ModelType, s.Architecture = "codegen", "codegen", "CodeGenForCausalLM"
	s.About += ", q, v and k fused in four parts"
	s.Names = s.Names.With(func(n *family.Names) {
		n.Q, n.K, n.V, n.QKV = "", "", "", "transformer.h.{i}.attn.qkv_proj"
		n.Ignore = append([]string{"transformer.h.{i}.attn.causal_mask"}, n.Ignore...)
	})
	s.Adjust = func(r *family.Reader, m *family.Model) {
		for _, a := range m.Attentions() {
			if a.Heads%codegenBlocks != 0 {
				r.Fail(fmt.Errorf("%d attention heads do not divide by the %d parts of the fused matrix", a.Heads, codegenBlocks))
				return
			}
			part := int64(a.Heads * a.QKDim / codegenBlocks)
			for at, l := range []*family.Linear{&a.Q, &a.V, &a.K} {
				l.Weight.Rows = nil
				for b := range int64(codegenBlocks) {
					begin := (3*b + int64(at)) * part
					l.Weight.Rows = append(l.Weight.Rows, family.Range{Begin: begin, End: begin + part})
				}
			}
		}
	}
	return s
}(gptj)

func gptjPosition(r *family.Reader, m *family.Model, heads, headDim int) family.Position {
	must(r, "rotary")
	dim := r.SizeOr(64, "rotary_dim")
	if r.C.Raw("rotary_dim") != nil && !r.C.Has("rotary_dim") {
		dim = headDim
	}
	if dim%2 != 0 || dim > headDim {
		r.Fail(fmt.Errorf("rotary_dim is %d: expected an even number of at most the head size, %d", dim, headDim))
		return family.Position{}
	}
	s := posenc.Spectrum{InvFreq: posenc.InvFreq(10000, dim), Gain: 1}
	return family.Position{Rotary: posenc.Rotary{HeadDim: headDim, Dim: dim, Spectrum: s, Pairing: posenc.Interleaved}}
}
