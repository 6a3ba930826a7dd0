package run

import (
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// Streams are the values of a graph that are the residual stream: before each
// layer, and after the last. A layer's first norm reads it; where there is none,
// it is what the layer before, or the embedding, hands on. missing is the node
// that is not found by its name, "" where all are.
func Streams(m *family.Model, nodes []*onnxpb.NodeProto) (values []string, missing string) {
	byName := map[string]*onnxpb.NodeProto{}
	for _, n := range nodes {
		byName[n.GetName()] = n
	}
	gone := func(name string) string { // the first is told of
		if missing == "" {
			missing = name
		}
		return ""
	}
	into := func(path string, n *family.Norm) string {
		name := names.Node(path, names.NormOp(n))
		if of := byName[name]; of != nil && len(of.GetInput()) > 0 {
			return of.GetInput()[0]
		}
		return gone(name)
	}
	out := func(list ...string) string {
		for _, name := range list {
			if of := byName[name]; of != nil && len(of.GetOutput()) > 0 {
				return of.GetOutput()[0]
			}
		}
		return gone(list[0])
	}
	for i := range m.Blocks {
		n := m.Blocks[i].AttnNorm
		switch {
		case n != nil:
			values = append(values, into(names.Layer(i, family.AtAttnNorm), n))
		case i > 0:
			values = append(values, out(names.Last(i-1, &m.Blocks[i-1])))
		case m.EmbedNorm != nil:
			values = append(values, out(names.Node(names.Outside(family.AtEmbedNorm), names.NormOp(m.EmbedNorm))))
		default:
			values = append(values, out(names.EmbedCast, names.EmbedRows))
		}
	}
	return append(values, into(names.Outside(family.AtFinalNorm), &m.FinalNorm)), missing
}
