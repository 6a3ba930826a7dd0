package families

import (
	"fmt"
	"math"
	"slices"

	"github.com/pecvt/pecvt/convert/family"
)

// recurrentGemma: gated linear recurrences on two of three layers, a window on the
// others, which turn half of their coordinates; biases, and half of the declared inner
// size.
var recurrentGemma = family.Spec{
	Name: "recurrent_gemma", ModelType: "recurrent_gemma", Architecture: "RecurrentGemmaForCausalLM",
	About: "an embedding times √hidden rounded to bf16, gated gelu",
	Names: func() family.Names {
		const at, mixer, mlp = "model.layers.{i}.", "model.layers.{i}.temporal_block.", "model.layers.{i}.mlp_block."
		return family.Names{Embed: "model.embed_tokens", FinalNorm: "model.final_norm", Head: "lm_head",
			AttnNorm: at + "temporal_pre_norm", MLPNorm: at + "channel_pre_norm",
			Q: mixer + "q_proj", K: mixer + "k_proj", V: mixer + "v_proj", O: mixer + "o_proj",
			Gate: mlp + "gate_proj", Up: mlp + "up_proj", Down: mlp + "down_proj",
			RGLRU: mixer + "rg_lru", RGLRUGate: mixer + "linear_y", RGLRUIn: mixer + "linear_x", RGLRUConv: mixer + "conv_1d", RGLRUOut: mixer + "linear_out"}
	}(),
	Keys: activationKey, Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-6, NormOffset: 1,
	Act: "gelu_tanh", MaxPositions: 8192, HiddenHeads: true, Tied: true,
	QKVBias: family.Rule{Key: "attention_bias"}, OBias: family.Rule{Always: true}, MLPBias: family.Rule{Always: true},
	Inner:   func(hidden int) int { return 3 * hidden },
	InnerOf: func(_ *family.Reader, inner int) int { return inner / 2 },
	RGLRU:   &family.RGLRURule{Layers: recurrentLayers, Width: "lru_width", Taps: "conv1d_width"},
	Rope:    family.RopeDefaults{Theta: 10000, Partial: 0.5}, ReadsPartial: true, RopeTypes: []string{"default"},
	Reads: []string{"block_types", "_block_types", "attention_window_size", "logits_soft_cap",
		"w_init_variance_scale", "final_w_init_variance_scale"}, // of training
	Adjust: func(r *family.Reader, m *family.Model) {
		m.EmbedScale = bf16Root(m.Hidden)
		if m.LogitCap = factor(r, "logits_soft_cap", 30); m.LogitCap < 0 {
			r.Fail(family.Unsupported("logits_soft_cap is %v: expected a positive number", m.LogitCap))
		}
		numbers(r, "attention_window_size")
		window := r.SizeOr(2048, "attention_window_size")
		for _, a := range m.Attentions() {
			a.Window = window
		}
	},
}

// bf16Root is √n in bf16, as stock loaders hold it whatever they compute in.
func bf16Root(n int) float64 {
	bits := math.Float32bits(float32(math.Sqrt(float64(n))))
	bits += 0x7fff + bits>>16&1
	return float64(math.Float32frombits(bits &^ 0xffff))
}

// recurrentLayers reads which layers have a recurrence: block_types lists them, over
// and over.
func recurrentLayers(r *family.Reader, layers int) []bool {
	kinds := func(key string) []string {
		list, err := r.C.Texts(key)
		r.Fail(err)
		if len(list) == 0 {
			list = []string{"recurrent", "recurrent", "attention"}
		}
		all := make([]string, layers)
		for i := range all {
			all[i] = list[i%len(list)]
		}
		return all
	}
	own := kinds("block_types")
	if r.C.Has("_block_types") && !slices.Equal(kinds("_block_types"), own) {
		r.Fail(family.Unsupported("_block_types and block_types disagree, and loaders take the one or the other; make them agree"))
	}
	out := make([]bool, layers)
	for i, kind := range own {
		if out[i] = kind == "recurrent"; !out[i] && kind != "attention" {
			r.Fail(fmt.Errorf("block_types has %q: expected recurrent or attention", kind))
		}
	}
	return out
}
