package run

import (
	"fmt"
	"slices"

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
// and its caches: the one that any of them has, and FLOAT where none has. Two of them are
// an error. A graph that does not say that it computes in 16 bits, and whose inputs are
// not, computes in float32: a cast in it is a part of that.
func Computes(m *onnxpb.ModelProto) (onnxpb.TensorProto_DataType, error) {
	found := single
	said := slices.ContainsFunc(m.GetMetadataProps(), func(p *onnxpb.StringStringEntryProto) bool { return p.GetKey() == metaDType })
	see := func(what string, t int32) error {
		if !half(t) || t == found {
			return nil
		}
		if found != single {
			return fmt.Errorf("graph: %s is %s, and the graph computes in %s elsewhere: expected one type of 16 bits", what, onnxpb.TensorProto_DataType(t), onnxpb.TensorProto_DataType(found))
		}
		found = t
		return nil
	}
	for _, in := range m.GetGraph().GetInput() {
		if err := see(fmt.Sprintf("input %q", in.GetName()), in.GetType().GetTensorType().GetElemType()); err != nil {
			return 0, err
		}
	}
	if !said && found == single {
		return onnxpb.TensorProto_FLOAT, nil
	}
	for _, n := range m.GetGraph().GetNode() {
		if to, ok := castTo(n); ok {
			if err := see(fmt.Sprintf("node %q casts to what", n.GetName()), to); err != nil {
				return 0, err
			}
		}
	}
	return onnxpb.TensorProto_DataType(found), nil
}

// castTo is the type that a Cast gives.
func castTo(n *onnxpb.NodeProto) (int32, bool) {
	if n.GetOpType() != "Cast" || n.GetDomain() != "" {
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
// cast to the type computed in is cast to float32, inputs and outputs are float32, and
// a Cast of float32 to float32 is left out, what read it reading what it was made of.
// Weights stay in the types that they are stored in. Nothing else is changed, so that
// each node, edge, attribute and number of it is the graph's own. It reports whether
// there was anything to widen.
//
// A node that reads a stored weight of 16 bits without a Cast between is an error, where
// it does not only move numbers.
func Widen(m *onnxpb.ModelProto) (bool, error) {
	computes, err := Computes(m)
	if err != nil || int32(computes) == single {
		return false, err
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
	kept := g.Node[:0]
	for _, n := range g.GetNode() {
		for i, in := range n.GetInput() {
			if of, ok := was[in]; ok {
				n.Input[i] = of
			}
		}
		to, isCast := castTo(n)
		if isCast && (to == int32(computes) || to == single) {
			in, out := n.GetInput()[0], n.GetOutput()[0]
			if t := types[in]; !stored[in] && (t == single || t == int32(computes)) && !outputs[out] {
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
			for _, in := range n.GetInput() {
				if !stored[in] {
					continue
				}
				if !slices.Contains(movers, n.GetOpType()) {
					return false, fmt.Errorf("graph: node %q (%s) reads %q as it is stored: expected a Cast between", n.GetName(), n.GetOpType(), in)
				}
				for _, out := range n.GetOutput() {
					stored[out] = true
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
	return true, nil
}

// movers put numbers of a stored weight together without computing with them.
var movers = []string{"Gather", "Concat"}
