package lower

import (
	"fmt"

	"github.com/pecvt/pecvt/onnxops/graph"
)

// rmsNorm is w·x / √(mean(x²) + ε) over the last axis, in the operators that
// runtimes look for to fuse them again.
func rmsNorm(x *graph.Expansion) {
	if x.Int("axis", -1) != -1 {
		x.Fail(fmt.Errorf("a norm over axis %d has no older form here", x.Int("axis", -1)))
		return
	}
	v := x.Op("square", "Pow", []*graph.Value{x.In[0], x.Number(2)})
	v = x.Op("mean", "ReduceMean", []*graph.Value{v, x.Ints(-1)})
	v = x.Op("epsilon", "Add", []*graph.Value{v, x.Number(x.Float("epsilon", 1e-5))})
	v = x.Op("root", "Sqrt", []*graph.Value{v})
	v = x.Op("normalized", "Div", []*graph.Value{x.In[0], v})
	x.Last("Mul", []*graph.Value{v, x.In[1]})
}

// axesAsAttribute has the axes of a reduction where operator sets before 18 have
// them.
func axesAsAttribute(x *graph.Expansion) {
	if !x.Has(1) {
		x.Same(x.In, x.Attrs...)
		return
	}
	axes, err := x.Constants(1)
	if err != nil {
		x.Fail(err)
		return
	}
	x.Same(x.In[:1], append([]graph.Attr{graph.IntsAttr("axes", axes...)}, x.Attrs...)...)
}
