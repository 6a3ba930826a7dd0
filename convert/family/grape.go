package family

import (
	"math"
	"strings"

	"github.com/pecvt/pecvt/convert/family/config"
	"github.com/pecvt/pecvt/posenc"
)

// Grape reads the official models of the GRAPE paper (arXiv 2512.07805) and its
// baselines: nanoGPT's names, RMS norms with ε 1e-5, a gated MLP of ⌊8n/3⌋, and
// a rotation by −θt whose per-head norms come after it. grape_variant names the
// encoding.
var Grape = Spec{
	Name: "grape", ModelType: "grape", Architecture: "GPT",
	About: "rope, alibi, fox, GRAPE-M, GRAPE-A or GRAPE-AP by `grape_variant`",
	Names: Names{
		Embed: "transformer.wte", FinalNorm: "ln_f", Head: "lm_head",
		AttnNorm: "transformer.h.{i}.ln_1", MLPNorm: "transformer.h.{i}.ln_2",
		Q: "transformer.h.{i}.attn.c_q", K: "transformer.h.{i}.attn.c_k", V: "transformer.h.{i}.attn.c_v", O: "transformer.h.{i}.attn.c_proj",
		QNorm: "transformer.h.{i}.attn.q_rms", KNorm: "transformer.h.{i}.attn.k_rms",
		Gate: "transformer.h.{i}.mlp.c_fc1", Up: "transformer.h.{i}.mlp.c_fc2", Down: "transformer.h.{i}.mlp.c_proj",
	},
	Keys: Keys{
		Vocab: []string{"vocab_size"}, Hidden: []string{"n_embd"}, Layers: []string{"n_layer"},
		Heads: []string{"n_head"}, HeadDim: []string{"head_dim"}, MaxPositions: []string{"block_size"},
	},
	Norm: RMS, Eps: 1e-5, Act: "silu", HeadDim: 128, MaxPositions: 1024, Tied: true,
	Inner:  func(hidden int) int { return int(math.Floor(8.0 / 3.0 * float64(hidden))) },
	QKNorm: Rule{Key: "use_qk_rmsnorm", Default: true}, NormAfter: true,
	Reads: []string{"grape_*", "use_k_shift", "use_v_shift", "using_groupnorm", "use_output_gate", "fgate_type", "num_kv_heads", "use_rope", "rope_base",
		"keygated_*", "querygated_*", "querykeygated_*", "p_tie_mode", "p_head_dim", "p_*"},
	Variant: grapeForm,
}

// grapeVariant is one encoding of the official code.
type grapeVariant struct {
	name     string
	position func(r *Reader, m *Model, heads, headDim int) Position
	// adjust adds what differs by layer; may be nil.
	adjust func(r *Reader, m *Model)
	// form edits the row; may be nil.
	form func(r *Reader, s Spec) Spec
}

func grapeVariants() []grapeVariant {
	return []grapeVariant{
		{name: "rope", position: grapeRope},
		{name: "alibi", position: grapeBias(Bias{Kind: ALiBi})},
		{name: "fox", position: foxPosition, adjust: foxGates, form: foxForm},
		{name: "grape-m-nonctx", position: grapeRope, adjust: grapeM},
		{name: "grape-m-ctx", position: grapeRope, adjust: grapeMContext},
		{name: "grape-a-querygated", position: grapeBias(Bias{Kind: Gated}), adjust: grapeA("querygated_bias", false, true)},
		{name: "grape-a-keygated", position: grapeBias(Bias{Kind: Gated}), adjust: grapeA("keygated_bias", true, false)},
		{name: "grape-a-querykeygated", position: grapeBias(Bias{Kind: Gated}), adjust: grapeA("querykeygated_bias", true, true)},
		{name: "grape-ap-v1", position: grapeBias(Bias{Kind: Path, Eps: 0x1p-23}), adjust: grapeAP}, // float32's machine epsilon
	}
}

// grapeForm applies grape_variant and the flags that every variant has.
func grapeForm(r *Reader, s Spec) Spec {
	name, ok, err := r.C.Text("grape_variant")
	r.Fail(err)
	if !ok && err == nil {
		r.Fail(missingVariant())
	}
	if !ok || err != nil {
		return s
	}
	name = strings.TrimPrefix(name, "llama-mha-") // the official files' names
	for _, v := range grapeVariants() {
		if v.name != name {
			continue
		}
		s.Position, s.Adjust = v.position, v.adjust
		if v.form != nil {
			s = v.form(r, s)
		}
		if r.BoolOr(false, "use_k_shift") {
			s.Names.K, s.Names.KShift = s.Names.K+".linear", s.Names.K+".shift_proj"
		}
		if r.BoolOr(false, "use_v_shift") {
			s.Names.V, s.Names.VShift = s.Names.V+".linear", s.Names.V+".shift_proj"
		}
		if r.BoolOr(false, "using_groupnorm") {
			norm := "subln"
			if name == "fox" {
				norm = "output_norm"
			}
			s.Names.HeadNorm = strings.TrimSuffix(s.Names.O, "c_proj") + norm
		}
		return s
	}
	r.Fail(Unsupported("grape_variant %q%s", name, posenc.Suggest(name, grapeNames())))
	return s
}

func missingVariant() error {
	return Unsupported("key %q is missing: it names the encoding, one of %s; without it the models look alike", "grape_variant", listGrape())
}

func grapeNames() []string {
	var names []string
	for _, v := range grapeVariants() {
		names = append(names, v.name)
	}
	return names
}

// listGrape lists the values of grape_variant.
func listGrape() string { return strings.Join(grapeNames(), ", ") }

// grapeRope is RoPE turned the other way: rope_base is its base.
func grapeRope(r *Reader, m *Model, heads, headDim int) Position {
	base := r.FloatOr(10000, "rope_base")
	if !(base > 0) || math.IsInf(base, 0) {
		r.Fail(config.WrongType("rope_base", r.C.Raw("rope_base"), "a positive number"))
		return Position{}
	}
	if headDim%2 != 0 {
		r.Fail(Unsupported("head_dim %d is odd: rotary planes pair coordinates", headDim))
		return Position{}
	}
	rope := posenc.Rotary{HeadDim: headDim, Dim: headDim, Spectrum: posenc.Spectrum{InvFreq: posenc.InvFreq(base, headDim), Gain: 1}}
	return Position{Rotary: rope.Reversed()}
}

// grapeBias is a bias with ALiBi's slopes and no rotation.
func grapeBias(b Bias) func(r *Reader, m *Model, heads, headDim int) Position {
	return func(r *Reader, m *Model, heads, headDim int) Position {
		slopes, err := posenc.Slopes(heads)
		r.Fail(err)
		bias := b
		bias.Slopes = slopes
		return Position{Rotary: Still(headDim), Bias: &bias}
	}
}

// foxForm has FoX's own names and its head size, n_embd over the heads; its
// norms come before a rotation, if there is one.
func foxForm(r *Reader, s Spec) Spec {
	const core = "transformer.h.{i}.attn.core."
	s.Names.Q, s.Names.K, s.Names.V, s.Names.O = core+"q_proj", core+"k_proj", core+"v_proj", core+"c_proj"
	s.Names.QNorm, s.Names.KNorm = core+"q_norm", core+"k_norm"
	s.Keys.HeadDim, s.HeadDim, s.NormAfter = nil, 0, false
	if r.BoolOr(false, "use_output_gate") {
		r.Fail(Unsupported("use_output_gate is true"))
	}
	if kind := r.TextOr("full", "fgate_type"); kind != "full" {
		r.Fail(Unsupported("fgate_type %q: expected full", kind))
	}
	if r.C.Has("num_kv_heads") {
		r.Fail(Unsupported("num_kv_heads is %s: the official FoX layer takes null alone", r.C.Raw("num_kv_heads")))
	}
	return s
}

func foxPosition(r *Reader, m *Model, heads, headDim int) Position {
	pos := Position{Rotary: Still(headDim)}
	if r.BoolOr(false, "use_rope") {
		pos = grapeRope(r, m, heads, headDim)
	}
	pos.Bias = &Bias{Kind: Forget}
	return pos
}

// foxGates adds each layer's forget gates.
func foxGates(r *Reader, m *Model) {
	for i, a := range m.Attentions() {
		gate := m.layerLinear(i, "attn.core.fgate_proj", int64(a.Heads), true)
		a.Bias.Gate = &gate
	}
}
