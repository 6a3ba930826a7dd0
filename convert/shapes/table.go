package shapes

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/tensor"
)

const (
	llamaVocab = 128256
	llamaKV    = 8
)

type llamaSizes struct {
	hidden, layers, heads, headDim, inner int64
	factor                                float64
	tied                                  bool
}

// llama is a decoder of the llama family, bfloat16.
func llama(name, from string, s llamaSizes) *Shape {
	config := map[string]any{
		"architectures": []string{"LlamaForCausalLM"}, "model_type": "llama", "torch_dtype": "bfloat16",
		"hidden_size": s.hidden, "num_hidden_layers": s.layers, "num_attention_heads": s.heads, "num_key_value_heads": llamaKV,
		"head_dim": s.headDim, "intermediate_size": s.inner, "vocab_size": llamaVocab, "tie_word_embeddings": s.tied,
		"hidden_act": "silu", "rms_norm_eps": 1e-5, "attention_bias": false, "mlp_bias": false,
		"max_position_embeddings": 131072, "rope_theta": 500000.0,
		"rope_scaling": map[string]any{"rope_type": "llama3", "factor": s.factor, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192},
	}
	var l lister
	l.bf16("model.embed_tokens.weight", llamaVocab, s.hidden)
	for i := range s.layers {
		at := fmt.Sprintf("model.layers.%d.", i)
		l.bf16(at+"input_layernorm.weight", s.hidden)
		l.bf16(at+"mlp.down_proj.weight", s.hidden, s.inner)
		l.bf16(at+"mlp.gate_proj.weight", s.inner, s.hidden)
		l.bf16(at+"mlp.up_proj.weight", s.inner, s.hidden)
		l.bf16(at+"post_attention_layernorm.weight", s.hidden)
		l.bf16(at+"self_attn.k_proj.weight", llamaKV*s.headDim, s.hidden)
		l.bf16(at+"self_attn.o_proj.weight", s.hidden, s.heads*s.headDim)
		l.bf16(at+"self_attn.q_proj.weight", s.heads*s.headDim, s.hidden)
		l.bf16(at+"self_attn.v_proj.weight", llamaKV*s.headDim, s.hidden)
	}
	l.bf16("model.norm.weight", s.hidden)
	if !s.tied {
		l.bf16("lm_head.weight", llamaVocab, s.hidden)
	}
	return &Shape{Name: name, From: from, Config: config, Tensors: l.list, Layers: int(s.layers), FileBytes: fileBytes}
}

// mixture is DeepSeek V3's shape, float8 with block scales, with experts of a size.
func mixture(name, from string, expert int64) *Shape {
	const (
		hidden, layers, heads, vocab  = 7168, 61, 128, 129280
		queryRank, rank, turned, head = 1536, 512, 64, 128
		inner, experts, dense         = 18432, 256, 3
	)
	config := map[string]any{
		"architectures": []string{"DeepseekV3ForCausalLM"}, "model_type": "deepseek_v3", "torch_dtype": "bfloat16",
		"hidden_size": hidden, "num_hidden_layers": layers, "num_attention_heads": heads, "num_key_value_heads": heads,
		"q_lora_rank": queryRank, "kv_lora_rank": rank, "qk_rope_head_dim": turned, "qk_nope_head_dim": head, "v_head_dim": head,
		"intermediate_size": inner, "moe_intermediate_size": expert, "n_routed_experts": experts, "n_shared_experts": 1,
		"num_experts_per_tok": 8, "n_group": 8, "topk_group": 4, "topk_method": "noaux_tc", "scoring_func": "sigmoid",
		"norm_topk_prob": true, "routed_scaling_factor": 2.5, "first_k_dense_replace": dense, "moe_layer_freq": 1, "ep_size": 1,
		"num_nextn_predict_layers": 0, "vocab_size": vocab, "tie_word_embeddings": false, "hidden_act": "silu", "rms_norm_eps": 1e-6,
		"attention_bias": false, "attention_dropout": 0.0, "max_position_embeddings": 163840, "rope_theta": 10000,
		"rope_scaling": map[string]any{"type": "yarn", "factor": 40, "beta_fast": 32, "beta_slow": 1, "mscale": 1.0, "mscale_all_dim": 1.0,
			"original_max_position_embeddings": 4096},
		"quantization_config": map[string]any{"quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic", "weight_block_size": []int{128, 128}},
	}
	var l lister
	l.bf16("model.embed_tokens.weight", vocab, hidden)
	mlp := func(at string, inner int64) {
		l.scaled(at+"gate_proj.weight", inner, hidden)
		l.scaled(at+"up_proj.weight", inner, hidden)
		l.scaled(at+"down_proj.weight", hidden, inner)
	}
	for i := range layers {
		at := fmt.Sprintf("model.layers.%d.", i)
		l.scaled(at+"self_attn.q_a_proj.weight", queryRank, hidden)
		l.bf16(at+"self_attn.q_a_layernorm.weight", queryRank)
		l.scaled(at+"self_attn.q_b_proj.weight", heads*(head+turned), queryRank)
		l.scaled(at+"self_attn.kv_a_proj_with_mqa.weight", rank+turned, hidden)
		l.bf16(at+"self_attn.kv_a_layernorm.weight", rank)
		l.scaled(at+"self_attn.kv_b_proj.weight", heads*(head+head), rank)
		l.scaled(at+"self_attn.o_proj.weight", hidden, heads*head)
		l.bf16(at+"input_layernorm.weight", hidden)
		l.bf16(at+"post_attention_layernorm.weight", hidden)
		if i < dense {
			mlp(at+"mlp.", inner)
			continue
		}
		l.bf16(at+"mlp.gate.weight", experts, hidden)
		l.add(at+"mlp.gate.e_score_correction_bias", tensor.F32, experts)
		for e := range experts {
			mlp(fmt.Sprintf("%smlp.experts.%d.", at, e), expert)
		}
		mlp(at+"mlp.shared_experts.", expert)
	}
	l.bf16("model.norm.weight", hidden)
	l.bf16("lm_head.weight", vocab, hidden)
	return &Shape{Name: name, From: from, Config: config, Tensors: l.list, Layers: layers, FileBytes: fileBytes * expert / 2048}
}
