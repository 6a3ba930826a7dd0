package run

import (
	"github.com/pecvt/pecvt/convert/fsio"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/verify/written"
)

// InFloat32 has a graph compute in float32: what of it computes in 16 bits does not (see
// [Widen]), and every MatMulNBits that declares accuracy_level 4, which rounds what
// enters it to 8 bits, gets level 1, in g and in a copy of the graph in a folder beside
// it, with links to its weights, which the caller removes. Nil is a graph that has
// neither.
func InFloat32(g *GraphInfo) (*fsio.Temporary, error) {
	found := Widen(g.Model)
	if found {
		g.Written = written.Nodes(g.Model.GetGraph())
		for i := range g.Caches {
			g.Caches[i].DType = tensor.F32
		}
	}
	if leaveInputs(g) {
		found = true
	}
	if !found {
		return nil, nil
	}
	return g.copied("float32")
}

// leaveInputs has products with codes leave what enters them as it is.
func leaveInputs(g *GraphInfo) (found bool) {
	if g.Accuracy != "int8" {
		return false // where one rounds all the same, the checks find it
	}
	for _, n := range g.Model.GetGraph().GetNode() {
		for _, a := range n.GetAttribute() {
			if n.GetOpType() == "MatMulNBits" && a.GetName() == "accuracy_level" && a.GetI() == 4 {
				a.I, found = 1, true
			}
		}
	}
	return found
}
