package families

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
)

// latentMixtureNames are the names of latent attention beside DeepSeek's mixture.
var latentMixtureNames = corrected.With(namesOfLatents)

// deepseekV3: latent attention with a mixture of sigmoid scores, groups and a shared
// expert behind the first dense layers; norms of latents have an ε of their own. Its
// class has numbers for keys that published configurations always say: they must be
// there.
var deepseekV3 = family.Spec{
	Name: "deepseek_v3", ModelType: "deepseek_v3", Architecture: "DeepseekV3ForCausalLM",
	Names: latentMixtureNames, Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-6, Act: "silu", MaxPositions: 4096,
	OBias: family.Rule{Key: "attention_bias"},
	Latent: &family.LatentRule{QRank: 1536, Rank: 512, Still: 128, Turned: 64, Value: 128, Eps: 1e-6,
		Bias: family.Rule{Key: "attention_bias"}},
	Experts: noaux("n_routed_experts", "num_local_experts"),
	Rope:    family.RopeDefaults{Theta: 10000, ScoreFactor: true},
	Reads:   []string{"rope_interleave", "topk_method", "scoring_func", "moe_layer_freq"},
	Variant: func(r *family.Reader, s family.Spec) family.Spec {
		demand(r, "n_group", "topk_group", "first_k_dense_replace", "routed_scaling_factor", "n_shared_experts")
		noauxAlone(r)
		return interleavedByKey(r, s)
	},
}

// kimiK2: deepseek_v3 under a name of its own, which code beside the checkpoint
// loads by the same class.
var kimiK2 = func(s family.Spec) family.Spec {
	s.Name, s.ModelType = "kimi_k2", "kimi_k2"
	return s
}(deepseekV3)

// noauxAlone refuses the choices of experts that loaders of the family pass over.
func noauxAlone(r *family.Reader) {
	for _, c := range []struct{ key, want string }{{"topk_method", "noaux_tc"}, {"scoring_func", "sigmoid"}} {
		if got := r.TextOr(c.want, c.key); got != c.want {
			r.Fail(family.Unsupported("%s is %q: loaders of this family compute %s whatever it says", c.key, got, c.want))
		}
	}
	if every := r.SizeOr(1, "moe_layer_freq"); r.Err == nil && every != 1 {
		r.Fail(family.Unsupported("moe_layer_freq is %d: loaders of this family have a mixture in every layer behind the dense ones", every))
	}
}

// demand fails where a key is absent whose number the configuration class would give.
func demand(r *family.Reader, keys ...string) {
	for _, key := range keys {
		if r.C.Raw(key) == nil {
			r.Fail(fmt.Errorf("key %q is missing: write the number that the model was made with", key))
		}
	}
}
