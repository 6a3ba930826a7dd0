package arch

// starcoder2 has an MLP without a gate. llama.cpp computes no window, and the
// files declare none.
var starcoder2 = Arch{
	Name: "starcoder2", Family: "starcoder2", Class: "Starcoder2ForCausalLM",
	Names: func() []Name {
		list := hfNames(AsIs, AsIs)
		for i := range list {
			switch list[i].GGUF {
			case "blk.{i}.ffn_up":
				list[i].Stored = "model.layers.{i}.mlp.c_fc"
			case "blk.{i}.ffn_down":
				list[i].Stored = "model.layers.{i}.mlp.c_proj"
			}
		}
		return list
	}(),
	Keys:   hfKeys(normEps, "norm_epsilon"),
	Fixed:  map[string]any{"hidden_act": "gelu_pytorch_tanh", "sliding_window": nil},
	Biases: []Bias{{"use_bias", "blk.0.attn_q.bias"}},
	Base:   "rope_theta",
}
