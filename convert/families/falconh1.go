package families

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
)

// falconH1: attention and a Mamba 2 layer side by side in every layer, and factors on
// nearly everything.
var falconH1 = family.Spec{
	Name: "falcon_h1", ModelType: "falcon_h1", Architecture: "FalconH1ForCausalLM",
	About: "attention and a Mamba 2 layer side by side, factors",
	Names: besideMamba, Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-5, Act: "silu", MaxPositions: 8192,
	QKVBias: family.Rule{Key: "attention_bias"}, OBias: family.Rule{Key: "attention_bias"}, MLPBias: family.Rule{Key: "mlp_bias"},
	Mamba: &family.MambaRule{Beside: true, Inner: "mamba_d_ssm", NormKey: "mamba_rms_norm", OutBias: "projectors_bias", NormFirst: "mamba_norm_before_gate"},
	Rope:  family.RopeDefaults{Theta: 10000},
	Reads: []string{"lm_head_multiplier", "embedding_multiplier", "mlp_multipliers", "key_multiplier", "attention_out_multiplier", "attention_in_multiplier",
		"ssm_multipliers", "ssm_in_multiplier", "ssm_out_multiplier", "mamba_use_mlp"},
	Adjust: falconH1Factors,
}

// factors reads a list of so many factors, ones where it is absent.
func factors(r *family.Reader, key string, n int) []float64 {
	list, err := r.C.Floats(key)
	r.Fail(err)
	if list == nil {
		for range n {
			list = append(list, 1)
		}
	}
	if len(list) != n {
		r.Fail(fmt.Errorf("%s has %d numbers: expected %d", key, len(list), n))
		return make([]float64, n)
	}
	for _, v := range list {
		if v == 0 || v-v != 0 {
			r.Fail(fmt.Errorf("%s has %v: expected finite numbers that are not 0", key, v))
		}
	}
	return list
}

// falconH1Factors puts the factors where they act. That of attention's input and that
// of the keys multiply scores alone, and the former what it puts out: where its
// projections have biases the one on the input would not pass them.
func falconH1Factors(r *family.Reader, m *family.Model) {
	m.EmbedScale = oneAsNone(factor(r, "embedding_multiplier", 1))
	m.LogitScale = oneAsNone(factor(r, "lm_head_multiplier", 1))
	in, key, out := factor(r, "attention_in_multiplier", 1), factor(r, "key_multiplier", 1), factor(r, "attention_out_multiplier", 1)
	mlp, parts, stateIn := factors(r, "mlp_multipliers", 2), factors(r, "ssm_multipliers", 5), factor(r, "ssm_in_multiplier", 1)
	must(r, "mamba_use_mlp")
	for i := range m.Blocks {
		b := &m.Blocks[i]
		a, state := b.Attn(), b.Second.(*family.Mamba)
		switch {
		case in != 1 && a.Q.Bias != nil:
			r.Fail(family.Unsupported("attention_in_multiplier is %v beside attention_bias", in))
		case stateIn != 1 && state.In.Bias != nil:
			r.Fail(family.Unsupported("ssm_in_multiplier is %v beside mamba_proj_bias", stateIn))
		case mlp[1] != 1 && b.MLP().Down.Bias != nil:
			r.Fail(family.Unsupported("mlp_multipliers has %v for the output beside mlp_bias", mlp[1]))
		case in*out != out && a.O.Bias != nil:
			r.Fail(family.Unsupported("attention_in_multiplier is %v beside a bias of the output", in))
		}
		a.Scale *= in * in * key
		b.MixerScale = oneAsNone(in * out)
		for k := range parts {
			state.Scales = append(state.Scales, parts[k]*stateIn)
		}
		state.Scale = oneAsNone(factor(r, "ssm_out_multiplier", 1))
		b.MLP().GateScale, b.MLP().InnerScale = oneAsNone(mlp[0]), oneAsNone(mlp[1])
	}
}
