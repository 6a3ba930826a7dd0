package families

import (
	"strings"

	"github.com/pecvt/pecvt/convert/family"
)

// gptNeoX: layer norms with biases, q, k and v fused head by head, a quarter
// of each head rotary, attention and MLP side by side.
var gptNeoX = family.Spec{
	Name: "gpt_neox", ModelType: "gpt_neox", Architecture: "GPTNeoXForCausalLM",
	Names: family.Names{
		Embed: "gpt_neox.embed_in", FinalNorm: "gpt_neox.final_layer_norm", Head: "lm_head",
		AttnNorm: "gpt_neox.layers.{i}.input_layernorm", MLPNorm: "gpt_neox.layers.{i}.post_attention_layernorm",
		QKV: "gpt_neox.layers.{i}.attention.query_key_value", O: "gpt_neox.layers.{i}.attention.dense",
		Up: "gpt_neox.layers.{i}.mlp.dense_h_to_4h", Down: "gpt_neox.layers.{i}.mlp.dense_4h_to_h",
		Ignore: []string{"gpt_neox.layers.{i}.attention.bias", "gpt_neox.layers.{i}.attention.masked_bias", "gpt_neox.layers.{i}.attention.rotary_emb.inv_freq"},
	},
	Older: []family.Rename{{From: "lm_head", To: "embed_out"}}, // transformers before 5
	Keys: func(k family.Keys) family.Keys {
		k.KVHeads, k.HeadDim = nil, nil
		return k
	}(family.HFKeys),
	Norm: family.LayerNorm, EpsKey: "layer_norm_eps", Eps: 1e-5,
	QKVBias: family.Rule{Key: "attention_bias", Default: true}, OBias: family.Rule{Key: "attention_bias", Default: true}, MLPBias: family.Rule{Always: true},
	HiddenHeads: true, GroupedQKV: true, Parallel: family.Rule{Key: "use_parallel_residual", Default: true},
	Rope: family.RopeDefaults{Theta: 10000, Partial: 0.25, ThetaKey: "rotary_emb_base", PartialKey: "rotary_pct"}, ReadsPartial: true,
}

// gptNeoXJapanese: gpt_neox with all of each head rotary, one branch after the
// other, and no biases of linears but one: that of the last layer's output
// projection.
var gptNeoXJapanese = func(s family.Spec) family.Spec {
	s.Name, s.ModelType, s.Architecture = "gpt_neox_japanese", "gpt_neox_japanese", "GPTNeoXJapaneseForCausalLM"
	s.About = "a bias in the last layer alone"
	s.Names = s.Names.With(func(n *family.Names) {
		for _, name := range []*string{&n.Embed, &n.FinalNorm, &n.AttnNorm, &n.MLPNorm, &n.QKV, &n.O, &n.Up, &n.Down} {
			*name = strings.Replace(*name, "gpt_neox.", "gpt_neox_japanese.", 1)
		}
		n.Head = "embed_out"
		n.Ignore = []string{"gpt_neox_japanese.layers.{i}.attention.rotary_emb.inv_freq"}
	})
	s.Older = nil
	s.Keys.Inner, s.Inner = nil, func(hidden int) int { return 4 * hidden }
	s.QKVBias, s.OBias, s.MLPBias, s.Parallel = family.Rule{}, family.Rule{}, family.Rule{}, family.Rule{}
	s.Act, s.Tied, s.MaxPositions = "gelu", true, 2048
	s.Rope.Partial = 0
	s.Reads = []string{"intermediate_multiple_size"}
	s.Variant = func(r *family.Reader, s family.Spec) family.Spec {
		times := r.FloatOr(4, "intermediate_multiple_size")
		s.Inner = func(hidden int) int { return int(float64(hidden) * times) }
		return s
	}
	s.Adjust = func(r *family.Reader, m *family.Model) {
		last := m.Blocks[len(m.Blocks)-1].Attn()
		size := []int64{int64(m.Hidden)}
		last.O.Bias = &family.Weight{Tensor: strings.TrimSuffix(last.O.Weight.Tensor, ".weight") + "_bias", Shape: size, Stored: size}
	}
	return s
}(gptNeoX)
