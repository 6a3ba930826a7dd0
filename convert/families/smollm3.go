package families

import (
	"fmt"
	"slices"

	"github.com/pecvt/pecvt/convert/family"
)

// smollm3: llama with layers that do not rotate at all, every fourth one unless
// no_rope_layers lists them (1 rotates, 0 does not).
var smollm3 = family.Spec{
	Name: "smollm3", ModelType: "smollm3", Architecture: "SmolLM3ForCausalLM",
	About: "layers without rotation",
	Names: family.HFNames, Norm: family.RMS, EpsKey: "rms_norm_eps",
	QKVBias: family.Rule{Key: "attention_bias"}, OBias: family.Rule{Key: "attention_bias"}, MLPBias: family.Rule{Key: "mlp_bias"},
	Window: family.WindowRule{Key: "sliding_window", Switch: "use_sliding_window", From: -1}, Tied: true,
	Rope: family.RopeDefaults{Theta: 2000000}, Adjust: smollm3Adjust,
	Reads: []string{"no_rope_layer_interval", "no_rope_layers"},
}

func smollm3Adjust(r *family.Reader, m *family.Model) {
	every := r.SizeOr(4, "no_rope_layer_interval")
	turns, err := r.C.Floats("no_rope_layers")
	r.Fail(err)
	if turns != nil && len(turns) != len(m.Blocks) {
		r.Fail(fmt.Errorf("no_rope_layers lists %d layers: expected %d", len(turns), len(m.Blocks)))
		return
	}
	if turns != nil && every != 4 && !agrees(turns, every) {
		m.Warn("no_rope_layers and no_rope_layer_interval (%d) disagree: loaders of this family take no_rope_layers, and so does pecvt", every)
	}
	named := r.C.Has("layer_types")
	for i, a := range m.Attentions() {
		plain := (i+1)%every == 0
		if turns != nil {
			plain = turns[i] == 0
		}
		if plain {
			a.Rotary = family.Still(a.QKDim)
		}
		if !named && !plain { // only layers without rotation have the window then
			a.Window = 0
		}
	}
}

// agrees reports whether a list of layers that turn is every few without.
func agrees(turns []float64, every int) bool {
	i := 0
	return !slices.ContainsFunc(turns, func(t float64) bool {
		i++
		return (t == 0) != (i%every == 0)
	})
}
