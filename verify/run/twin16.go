package run

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// half tells the types of 16 bits.
func half(t int32) bool {
	return t == int32(onnxpb.TensorProto_FLOAT16) || t == int32(onnxpb.TensorProto_BFLOAT16)
}

// metaDType is the key of a graph's metadata that says what it computes in, where that
// is not float32.
const metaDType = "pecvt.dtype"

const single = int32(onnxpb.TensorProto_FLOAT)

// Computes is the type of 16 bits that a graph computes in, by its nodes' own casts
// and its caches: the one that it says, where any of them has it, else the first that any
// has, and FLOAT where none has. mixed says where another one of 16 bits is, "" nowhere. A
// graph that does not say that it computes in 16 bits, and whose inputs are not, computes
// in float32: a cast in it is a part of that.
func Computes(m *onnxpb.ModelProto) (computes onnxpb.TensorProto_DataType, mixed string) {
	said := ""
	for _, p := range m.GetMetadataProps() {
		if p.GetKey() == metaDType {
			said = p.GetValue()
		}
	}
	type place struct {
		what string
		t    onnxpb.TensorProto_DataType
	}
	var places []place
	see := func(what string, t int32) {
		if half(t) {
			places = append(places, place{what, onnxpb.TensorProto_DataType(t)})
		}
	}
	for _, in := range m.GetGraph().GetInput() {
		see(fmt.Sprintf("input %q is", in.GetName()), in.GetType().GetTensorType().GetElemType())
	}
	if said != "" || len(places) > 0 {
		for _, n := range m.GetGraph().GetNode() {
			if to, ok := castTo(n); ok {
				see(fmt.Sprintf("node %q casts to", n.GetName()), to)
			}
		}
	}
	if len(places) == 0 {
		return onnxpb.TensorProto_FLOAT, ""
	}
	computes = places[0].t
	for _, p := range places {
		if strings.EqualFold(p.t.String(), said) {
			computes = p.t
		}
	}
	for _, p := range places {
		if p.t != computes {
			return computes, fmt.Sprintf("%s %s, and the graph computes in %s elsewhere: expected one type of 16 bits", p.what, p.t, computes)
		}
	}
	return computes, ""
}

// castTo is the type that a Cast gives.
func castTo(n *onnxpb.NodeProto) (int32, bool) {
	if n.GetOpType() != "Cast" || n.GetDomain() != "" || len(n.GetInput()) != 1 || len(n.GetOutput()) != 1 {
		return 0, false
	}
	for _, a := range n.GetAttribute() {
		if a.GetName() == "to" {
			return int32(a.GetI()), true
		}
	}
	return 0, false
}

// Widen makes of a graph that computes in 16 bits the same graph in float32: what is
// cast to 16 bits is cast to float32, inputs and outputs are float32, and a Cast of
// float32 to float32 is left out, what read it reading what it was made of. Weights stay
// in the types that they are stored in, and are cast where a node computes with them as
// they are, which [WrongTypes] tells of. Nothing else is changed, so that each node, edge,
// attribute and number of it is the graph's own. It reports whether there was anything to
// widen.
func Widen(m *onnxpb.ModelProto) bool {
	if computes, _ := Computes(m); int32(computes) == single {
		return false
	}
	g := m.GetGraph()
	types := map[string]int32{} // before
	stored := map[string]bool{} // numbers of weights in the type that they are stored in
	for _, t := range g.GetInitializer() {
		types[t.GetName()], stored[t.GetName()] = t.GetDataType(), half(t.GetDataType())
	}
	infos := slices.Concat(g.GetInput(), g.GetOutput(), g.GetValueInfo())
	for _, v := range infos {
		types[v.GetName()] = v.GetType().GetTensorType().GetElemType()
	}
	outputs := map[string]bool{}
	for _, v := range g.GetOutput() {
		outputs[v.GetName()] = true
	}
	was := map[string]string{} // what a value that is left out was made of
	var kept []*onnxpb.NodeProto
	for _, n := range g.GetNode() {
		for i, in := range n.GetInput() {
			if of, ok := was[in]; ok {
				n.Input[i] = of
			}
		}
		to, isCast := castTo(n)
		if isCast && (half(to) || to == single) {
			in, out := n.GetInput()[0], n.GetOutput()[0]
			if t := types[in]; !stored[in] && (t == single || half(t)) && !outputs[out] {
				was[out] = in
				types[out] = single
				continue
			}
			for _, a := range n.GetAttribute() {
				if a.GetName() == "to" {
					a.I = int64(single)
				}
			}
		} else if !isCast {
			for i, in := range n.GetInput() {
				switch {
				case !stored[in]:
				case slices.Contains(movers, n.GetOpType()):
					for _, out := range n.GetOutput() {
						stored[out] = true
					}
				default:
					n.Input[i] = in + "~float32"
					if _, there := types[n.Input[i]]; !there {
						types[n.Input[i]] = single
						kept = append(kept, widening(in, n.Input[i]))
					}
				}
			}
		}
		kept = append(kept, n)
	}
	g.Node = kept
	g.ValueInfo = slices.DeleteFunc(g.ValueInfo, func(v *onnxpb.ValueInfoProto) bool {
		_, out := was[v.GetName()]
		return out
	})
	for _, v := range infos {
		if t := v.GetType().GetTensorType(); half(t.GetElemType()) && !stored[v.GetName()] {
			t.ElemType = single
		}
	}
	return true
}

// widening casts a value to float32.
func widening(in, out string) *onnxpb.NodeProto {
	to := onnxpb.AttributeProto_INT
	return &onnxpb.NodeProto{OpType: "Cast", Name: "/widened/" + in, Input: []string{in}, Output: []string{out},
		Attribute: []*onnxpb.AttributeProto{{Name: "to", Type: to, I: int64(single)}}}
}

// movers put numbers of a stored weight together without computing with them.
var movers = []string{"Gather", "Concat"}
