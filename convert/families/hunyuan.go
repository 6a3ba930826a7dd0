package families

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"github.com/pecvt/pecvt/convert/family"
)

// hunyuan: llama with RMS norms of each query and key head after the rotation, whose
// base an alpha may stretch.
var hunyuan = family.Spec{
	Name: "hunyuan_v1_dense", ModelType: "hunyuan_v1_dense", Architecture: "HunYuanDenseV1ForCausalLM",
	About: "a base stretched by alpha",
	Names: family.HFNames.With(func(n *family.Names) {
		n.QNorm, n.KNorm = "model.layers.{i}.self_attn.query_layernorm", "model.layers.{i}.self_attn.key_layernorm"
	}),
	Norm: family.RMS, EpsKey: "rms_norm_eps", Eps: 1e-5, Act: "silu", MaxPositions: 2048,
	QKVBias: family.Rule{Key: "attention_bias"}, OBias: family.Rule{Key: "attention_bias"},
	QKNorm: family.Rule{Always: true}, NormAfter: true,
	Rope:  family.RopeDefaults{Theta: 10000},
	Reads: []string{"eod_token_id", "use_qk_norm", "use_cla"},
	Variant: func(r *family.Reader, s family.Spec) family.Spec {
		must(r, "use_qk_norm")
		refuse(r, "use_cla", "attention to the keys and values of another layer")
		stretched(r, s)
		return s
	},
}

// stretched says the rope type dynamic with an alpha, which does not depend on the
// length, as what it is: the type default with base·alpha^(d/(d−2)), d the head size.
func stretched(r *family.Reader, s family.Spec) {
	for _, key := range []string{"rope_parameters", "rope_scaling"} {
		dict, err := r.C.Object.Object(key)
		r.Fail(err)
		if dict == nil {
			continue
		}
		kind, _, err := dict.Text("rope_type")
		r.Fail(err)
		if !dict.Has("rope_type") {
			kind, _, err = dict.Text("type")
			r.Fail(err)
		}
		alpha, ok, err := dict.Float("alpha")
		r.Fail(err)
		if kind != "dynamic" || !ok || alpha == 0 {
			continue
		}
		theta, ok, err := dict.Float("rope_theta")
		r.Fail(err)
		if !ok {
			theta = r.FloatOr(s.Rope.Theta, "rope_theta")
		}
		d, ok, err := r.C.Int("head_dim")
		r.Fail(err)
		if !ok {
			d = r.Size("hidden_size") / max(r.Size("num_attention_heads"), 1)
		}
		if !(alpha > 0) || math.IsInf(alpha, 0) || d < 3 {
			r.Fail(fmt.Errorf("%s: alpha is %v over heads of %d: expected a positive number", key, alpha, d))
			return
		}
		base := json.RawMessage(strconv.FormatFloat(theta*math.Pow(alpha, float64(d)/float64(d-2)), 'g', -1, 64))
		plain := &family.Object{}
		plain.Set("rope_type", "default")
		plain.Set("rope_theta", base)
		c := *r.C
		c.Object = r.C.Object.Clone()
		c.Object.Set(key, plain)
		if c.Has("rope_theta") {
			c.Object.Set("rope_theta", base)
		}
		r.C = &c
	}
}
