package families

import "github.com/pecvt/pecvt/convert/family"

// miniMax: lightning attention on every other layer, norms that replace the stream,
// of which each branch keeps a share, and mixtral's mixture.
var miniMax = family.Spec{
	Name: "minimax", ModelType: "minimax", Architecture: "MiniMaxForCausalLM",
	About: "every branch joins its normalised input, with a factor for both",
	Names: mixtralNames.With(func(n *family.Names) {
		const at = "model.layers.{i}.self_attn."
		n.LightningIn, n.LightningNorm, n.LightningGate, n.LightningOut = at+"qkv_proj", at+"norm", at+"output_gate", at+"out_proj"
		n.LightningSlopes = at + "slope_rate"
		n.LightningDecays = [3]string{at + "query_decay", at + "key_decay", at + "diagonal_decay"}
		n.Ignore = append(n.LightningDecays[:], n.Ignore...)
	}),
	Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-5, Act: "silu", MaxPositions: 131072,
	Experts:   &family.ExpertsRule{Count: expertCount, TopK: expertsTopK, Inner: wholeInner, Score: "softmax", Normalise: family.Rule{Always: true}},
	Lightning: linearLayers(miniMaxLayers, family.FullLayers),
	Rope:      family.RopeDefaults{Theta: 1e6, Whole: true},
	Reads: []string{"layer_types", "sliding_window", "rotary_dim", "full_attn_alpha_factor", "full_attn_beta_factor", "linear_attn_alpha_factor", "linear_attn_beta_factor",
		"mlp_alpha_factor", "mlp_beta_factor",
		"block_size",           // how stock loaders cut the same sum
		"router_jitter_noise"}, // training alone
	Adjust: miniMaxFactors,
}

// miniMaxLayers are the types of layers where layer_types says nothing.
func miniMaxLayers(_ *family.Reader, layers int) []string {
	kinds := make([]string, layers)
	for i := range kinds {
		if kinds[i] = family.FullLayers; i%2 == 1 {
			kinds[i] = "linear_attention"
		}
	}
	return kinds
}

// miniMaxFactors gives layers their factors, and those of attention their window.
func miniMaxFactors(r *family.Reader, m *family.Model) {
	numbers(r, "mlp_alpha_factor", "mlp_beta_factor", "full_attn_alpha_factor", "full_attn_beta_factor", "linear_attn_alpha_factor", "linear_attn_beta_factor")
	mlpKeep, mlpAdd := factor(r, "mlp_alpha_factor", 1), factor(r, "mlp_beta_factor", 1)
	window := 0
	if r.C.Has("sliding_window") {
		window = r.Size("sliding_window")
	}
	for i := range m.Blocks {
		b, kind := &m.Blocks[i], "linear"
		if a := b.Attn(); a != nil {
			kind, a.Window = "full", window
			if n := r.SizeOr(a.Rotary.Dim, "rotary_dim"); n != a.Rotary.Dim {
				r.Warn("rotary_dim is %d, and stock loaders turn %d of %d coordinates whatever it is, as does pecvt; code that came with the first checkpoints turns so many", n, a.Rotary.Dim, a.QKDim)
			}
		}
		b.Residual = &family.Residual{AttnKeep: factor(r, kind+"_attn_alpha_factor", 1), AttnAdd: factor(r, kind+"_attn_beta_factor", 1), MLPKeep: mlpKeep, MLPAdd: mlpAdd}
	}
	if m.Blocks[0].Mixture().Each[0].Act != "silu" {
		r.Fail(family.Unsupported("the activation is %q, and lightning attention is read with silu alone", m.Blocks[0].Mixture().Each[0].Act))
	}
}
