package families

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
)

// graniteHybrid: granite with Mamba 2 layers in the place of most attention, with or
// without a mixture beside the expert that every token reads, and with rotation only
// where position_embedding_type says so.
var graniteHybrid = func() family.Spec {
	s := graniteMoEShared
	s.Name, s.ModelType, s.Architecture = "granitemoehybrid", "granitemoehybrid", "GraniteMoeHybridForCausalLM"
	s.Names = mambaNames(s.Names)
	s.Mamba = &family.MambaRule{Layers: mambaTypes}
	s.Variant = graniteHybridForm
	s.Reads = append([]string{"position_embedding_type", "layer_types", "layers_block_type", "normalization_function"}, s.Reads...)
	return s
}()

// mambaNames are the names of Mamba 2 layers beside others.
func mambaNames(n family.Names) family.Names {
	const at = "model.layers.{i}.mamba"
	n.Mamba, n.MambaIn, n.MambaConv, n.MambaNorm, n.MambaOut = at, at+".in_proj", at+".conv1d", at+".norm", at+".out_proj"
	return n
}

// graniteHybridForm reads whether anything turns, and whether there is a mixture: the
// MLP of layers without one has the shared expert's names and size.
func graniteHybridForm(r *family.Reader, s family.Spec) family.Spec {
	switch kind := r.TextOr("nope", "position_embedding_type"); kind {
	case "rope":
	case "nope":
		s.Position = func(r *family.Reader, m *family.Model, heads, headDim int) family.Position {
			return family.Position{Rotary: posenc.Rotary{Spectrum: posenc.Spectrum{Gain: 1}, HeadDim: headDim}}
		}
	default:
		r.Fail(family.Unsupported("position_embedding_type is %q: expected rope, nope or null, for which nothing turns", kind))
	}
	if kind := r.TextOr("rmsnorm", "normalization_function"); kind != "rmsnorm" {
		r.Fail(family.Unsupported("normalization_function is %q: stock loaders compute rmsnorm", kind))
	}
	if n, ok, err := r.C.Int("num_local_experts"); ok && err == nil && n == 0 {
		s.Experts = nil
		s.Names = s.Names.With(func(n *family.Names) {
			n.GateUp, n.Down, n.Gate, n.Up = n.SharedGateUp, n.SharedDown, "", ""
			n.Router, n.ExpertGateUp, n.ExpertDown, n.SharedGateUp, n.SharedDown = "", "", "", "", ""
		})
		s.Keys = family.HFKeys
		s.Keys.Inner = []string{"shared_intermediate_size"}
		s.Reads = append([]string{"intermediate_size", "num_local_experts", "num_experts_per_tok"}, s.Reads...)
	}
	return s
}

// mambaTypes lists the layers that layer_types (layers_block_type in older files)
// gives a Mamba 2 layer: all of them where it is absent.
func mambaTypes(r *family.Reader, layers int) []bool {
	out := make([]bool, layers)
	key := r.Present([]string{"layer_types", "layers_block_type"})
	if key == "" {
		r.Fail(family.Unsupported("layer_types is absent, for which no layer has attention"))
		return out
	}
	kinds, err := r.C.Texts(key)
	r.Fail(err)
	if len(kinds) != layers {
		r.Fail(fmt.Errorf("%s lists %d layers: expected %d", key, len(kinds), layers))
		return out
	}
	attention := false
	for i, kind := range kinds {
		switch kind {
		case "mamba", "linear_attention":
			out[i] = true
		case "attention", family.FullLayers:
			attention = true
		default:
			r.Fail(family.Unsupported("%s[%d] is %q: expected linear_attention or %s (mamba or attention in older files)", key, i, kind, family.FullLayers))
		}
	}
	if !attention {
		r.Fail(family.Unsupported("%s names no layer of %s", key, family.FullLayers))
	}
	return out
}
