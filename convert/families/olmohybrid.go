package families

import (
	"github.com/pecvt/pecvt/convert/family"
)

const (
	olmoDelta = "model.layers.{i}.linear_attn."
)

// olmoHybrid: gated delta nets on three of four layers, with norms before their
// branches; the others are olmo2's, with norms after them. Nothing turns where
// rope_theta is null, as in the first release.
var olmoHybrid = family.Spec{
	Name: "olmo_hybrid", ModelType: "olmo_hybrid", Architecture: "OlmoHybridForCausalLM",
	About: "norms before the branches of gated delta nets, after those of attention",
	Names: olmo2.Names.With(func(n *family.Names) {
		n.AttnNorm, n.MLPNorm = "model.layers.{i}.attention_layer_norm", "model.layers.{i}.feedforward_layer_norm"
		n.DeltaNumbers = "model.layers.{i}.linear_attn"
		n.DeltaQ, n.DeltaK, n.DeltaV = olmoDelta+"q_proj", olmoDelta+"k_proj", olmoDelta+"v_proj"
		n.DeltaConv, n.DeltaConvK, n.DeltaConvV = olmoDelta+"q_conv1d", olmoDelta+"k_conv1d", olmoDelta+"v_conv1d"
		n.DeltaA, n.DeltaB, n.DeltaZ = olmoDelta+"a_proj", olmoDelta+"b_proj", olmoDelta+"g_proj"
		n.DeltaNorm, n.DeltaOut = olmoDelta+"o_norm", olmoDelta+"o_proj"
	}),
	// what stock loaders call them, and what they save those of attention as
	Spelled: []family.Rename{
		{From: ".attention_layer_norm.", To: ".input_layernorm."},
		{From: ".feedforward_layer_norm.", To: ".post_attention_layernorm."},
		{From: ".post_attention_layernorm.", To: ".feedforward_layer_norm."},
	},
	Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-6, Act: "silu", MaxPositions: 65536, HiddenHeads: true,
	QKVBias: family.Rule{Key: "attention_bias"}, OBias: family.Rule{Key: "attention_bias"},
	QKNorm: family.Rule{Always: true}, NormOverHeads: true,
	Delta: family.DeltaRule{Taps: 4, Layers: linearLayers(olmoLayers, family.FullLayers), Doubled: "linear_allow_neg_eigval", Eps: 1e-5,
		Default: func(d *family.DeltaSizes, hidden, heads int) {
			for _, n := range []*int{&d.KHeads, &d.Heads} {
				if *n == 0 {
					*n = heads
				}
			}
			if d.KDim == 0 {
				d.KDim = hidden * 3 / 4 / d.KHeads
			}
			if d.VDim == 0 {
				d.VDim = 2 * d.KDim
			}
		}},
	Rope: family.RopeDefaults{Theta: 10000},
	Reads: []string{"layer_types",
		"linear_a_log_max", "linear_a_log_min", "linear_dt_max", "linear_dt_min", "linear_dt_init_floor"}, // of training
	Variant: func(r *family.Reader, s family.Spec) family.Spec {
		for _, key := range []string{"rope_parameters", "rope_scaling"} {
			if r.C.Raw(key+".full_attention") != nil && r.C.Raw(key+".rope_theta") == nil {
				r.Fail(family.Unsupported("%s has full_attention, which stock loaders of this family take for a rotation by layer type and then turn nothing; write rope_theta: null in its place if nothing turns, else rope_theta and rope_type", key))
			}
		}
		if nullBase(r) {
			s.Position = func(_ *family.Reader, _ *family.Model, _, headDim int) family.Position {
				return family.Position{Rotary: family.Still(headDim)}
			}
		}
		return s
	},
	Adjust: func(_ *family.Reader, m *family.Model) {
		for i := range m.Blocks {
			b := &m.Blocks[i]
			if b.Attn() == nil {
				b.AttnOutNorm, b.MLPOutNorm = nil, nil
			} else {
				b.AttnNorm, b.MLPNorm = nil, nil
			}
		}
	},
}

// nullBase reports whether rope_theta is null, in the dictionary of the rotation or,
// where that has none, at the top level.
func nullBase(r *family.Reader) bool {
	for _, key := range []string{"rope_parameters.rope_theta", "rope_scaling.rope_theta", "rope_theta"} {
		if raw := r.C.Raw(key); raw != nil {
			return string(raw) == "null"
		}
	}
	return false
}

// olmoLayers are the types of layers where layer_types says nothing.
func olmoLayers(_ *family.Reader, layers int) []string {
	kinds := make([]string, layers)
	for i := range kinds {
		if kinds[i] = "linear_attention"; i%4 == 3 || i == layers-1 && layers < 4 {
			kinds[i] = family.FullLayers
		}
	}
	return kinds
}
