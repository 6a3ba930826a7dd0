package bisect

import (
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/names"
)

// ofPerLayer are the counterparts of what a layer makes of its own embedding.
func (e *expecter) ofPerLayer(b *family.Block, place string, tap func(string) string) *counterpart {
	switch place {
	case names.Node(family.AtPerLayerGate, "Gemm"):
		return plain(tap(family.AtPerLayerGate), e.flat)
	case names.Node(names.PerLayerAct, "Gelu"):
		act := activations[b.PerLayer.Act]
		return plain(tap(family.AtPerLayerGate), func(f []float64) *wanted { return e.flat(each(f, act)) })
	case names.Node(names.PerLayer, "Mul"):
		return plain(tap(names.PerLayer), e.flat)
	case names.Node(family.AtPerLayerOut, "Gemm"):
		return plain(tap(family.AtPerLayerOut), e.flat)
	case names.Node(names.Unscaled, "Add"):
		return plain(tap(names.Unscaled), e.flat)
	}
	return nil
}

// ofByLayer are those of what makes the embeddings by layer.
func (e *expecter) ofByLayer(name string) *counterpart {
	n, size := len(e.s.model.Blocks), e.s.model.ByLayer.Size
	apart := func(f []float64) *wanted { return e.rows(f, e.b*e.n, n, size) }
	switch name {
	case names.Node(names.Outside(family.AtByLayer), "Gather"), names.Node(names.Outside(family.AtByLayer), "Cast"):
		return plain(names.Outside(family.AtByLayer), e.flat)
	case names.Node(names.Outside(family.AtByLayerProj), "Gemm"):
		return plain(names.Outside(family.AtByLayerProj), e.flat)
	case names.Node(names.Outside(family.AtByLayerNorm), "RMSNormalization"):
		return plain(names.Outside(family.AtByLayerNorm), apart)
	}
	return nil
}
