package families

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
)

// besideMamba are the names that bamba and falcon_h1 share.
var besideMamba = mambaNames(family.HFNames).With(func(n *family.Names) {
	n.FinalNorm, n.MLPNorm = "model.final_layernorm", "model.layers.{i}.pre_ff_layernorm"
	n.Gate, n.Up, n.Down = "model.layers.{i}.feed_forward.gate_proj", "model.layers.{i}.feed_forward.up_proj", "model.layers.{i}.feed_forward.down_proj"
})

// bamba: Mamba 2 layers in the place of attention but on the layers that
// attn_layer_indices lists, which turn half of their coordinates.
var bamba = family.Spec{
	Name: "bamba", ModelType: "bamba", Architecture: "BambaForCausalLM",
	Names: besideMamba, Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-5, Act: "silu", MaxPositions: 262144,
	QKVBias: family.Rule{Key: "attention_bias"}, OBias: family.Rule{Key: "attention_bias"}, MLPBias: family.Rule{Key: "mlp_bias"},
	Mamba: &family.MambaRule{Layers: bambaLayers},
	Rope:  family.RopeDefaults{Theta: 10000, Partial: 0.5, InnerPartial: true}, ReadsPartial: true,
	Reads: []string{"attn_layer_indices", "attn_rotary_emb", "z_loss_coefficient"}, Adjust: bambaTurns,
}

// bambaLayers lists the layers without attention.
func bambaLayers(r *family.Reader, layers int) []bool {
	out := make([]bool, layers)
	for i := range out {
		out[i] = true
	}
	list, err := r.C.Floats("attn_layer_indices")
	r.Fail(err)
	if err == nil && len(list) == 0 {
		r.Fail(family.Unsupported("attn_layer_indices lists no layer, so that none has attention"))
	}
	for _, at := range list {
		if i := int(at); float64(i) == at && i >= 0 && i < layers {
			out[i] = false
			continue
		}
		r.Fail(fmt.Errorf("attn_layer_indices lists layer %v of %d", at, layers))
	}
	return out
}

// bambaTurns compares the size that older files declare with what stock loaders turn.
func bambaTurns(r *family.Reader, m *family.Model) {
	if v := r.FloatOr(0.5, "partial_rotary_factor"); v != 0.5 && !r.C.Has("rope_parameters.partial_rotary_factor") && !r.C.Has("rope_scaling.partial_rotary_factor") {
		r.Fail(family.Unsupported("partial_rotary_factor is %v at the top level, where stock loaders take 0.5 whatever it is; write it into rope_parameters", v))
	}
	a := m.FirstAttn()
	if n := r.SizeOr(a.Rotary.Dim, "attn_rotary_emb"); n != a.Rotary.Dim {
		r.Fail(family.Unsupported("attn_rotary_emb is %d, and stock loaders turn %d of %d coordinates whatever it is", n, a.Rotary.Dim, a.QKDim))
	}
}
