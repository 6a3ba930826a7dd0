package families

import "github.com/pecvt/pecvt/convert/family"

// withSinks is a granite with attention sinks, a window in layers by layer_types and a
// base for each layer.
func withSinks(s family.Spec) family.Spec {
	s.About = "attention sinks; a base for each layer"
	s.Names.Sinks = "model.layers.{i}.self_attn.sinks"
	s.Window = family.WindowRule{Key: "sliding_window", Default: 128, ByType: true, Full: func(layer int) bool { return layer%4 == 0 }}
	s.LayerBases = "layer_rope_theta"
	return s
}

// graniteSWA is granite so, and graniteMoESWA granitemoeshared, with other names of
// the experts.
var (
	graniteSWA = func() family.Spec {
		s := withSinks(granite)
		s.Name, s.ModelType, s.Architecture = "granite_swa", "granite_swa", "GraniteSWAForCausalLM"
		s.Eps, s.MaxPositions, s.Tied = 1e-5, 8192, true
		return s
	}()
	graniteMoESWA = func() family.Spec {
		s := withSinks(graniteMoEShared)
		s.Name, s.ModelType, s.Architecture = "granitemoe_swa", "granitemoe_swa", "GraniteMoeSWAForCausalLM"
		s.Names = s.Names.With(func(n *family.Names) {
			n.Router = "model.layers.{i}.block_sparse_moe.router"
			n.ExpertGateUp, n.ExpertDown = "model.layers.{i}.block_sparse_moe.experts.gate_up_proj", "model.layers.{i}.block_sparse_moe.experts.down_proj"
		})
		x := *s.Experts
		x.Bare = true
		s.Experts = &x
		return s
	}()
)
