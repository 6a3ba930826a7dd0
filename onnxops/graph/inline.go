package graph

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// Inline writes the function's operator out in the nodes of its body: for readers
// that do not expand the functions of a model. Attributes that the body takes over
// from the call become the call's values, and constants are initializers that all
// calls share.
func (f *Function) Inline() Lowering {
	return Lowering{Domain: f.Schema.Domain, Op: f.Schema.Op, Expand: func(x *Expansion) {
		if err := x.body(f.Proto); err != nil {
			x.Fail(err)
		}
	}}
}

// body adds the nodes of a function's body.
func (x *Expansion) body(f *onnxpb.FunctionProto) error {
	values := map[string]*Value{}
	for i, name := range f.GetInput() {
		if x.Has(i) {
			values[name] = x.In[i]
		}
	}
	outputs := map[string]string{} // of the body → of the call
	for i, name := range f.GetOutput() {
		if i < len(x.outs) {
			outputs[name] = x.outs[i]
		}
	}
	for _, n := range f.GetNode() {
		if n.GetOpType() == "Constant" {
			v, err := x.constant(f.GetName(), n)
			if err != nil {
				return err
			}
			values[n.GetOutput()[0]] = v
			continue
		}
		attrs, err := x.attributes(n)
		if err != nil {
			return err
		}
		in := make([]*Value, len(n.GetInput()))
		for i, name := range n.GetInput() {
			if in[i] = values[name]; name != "" && in[i] == nil {
				return fmt.Errorf("node %q of the function reads %q, which is nothing before it", n.GetName(), name)
			}
		}
		name := x.node.Name + "/" + n.GetName()
		outs := make([]string, len(n.GetOutput()))
		for i, out := range n.GetOutput() {
			if outs[i] = outputs[out]; outs[i] == "" {
				outs[i] = x.node.Name + "/" + out
			}
			if out == f.GetOutput()[0] {
				name = x.node.Name
			}
		}
		made := x.g.Add(Node{Domain: n.GetDomain(), Op: n.GetOpType(), Name: name, In: in, Out: outs, Attrs: attrs})
		for i, out := range n.GetOutput() {
			values[out] = made[i]
		}
	}
	return nil
}

// attributes are a body node's, those that it takes over from the call in the
// call's values. One that the call leaves out is left out.
func (x *Expansion) attributes(n *onnxpb.NodeProto) ([]Attr, error) {
	var list []Attr
	for _, a := range n.GetAttribute() {
		if ref := a.GetRefAttrName(); ref != "" {
			given := x.Attr(ref)
			if given == nil {
				continue
			}
			if given.GetType() != a.GetType() {
				return nil, fmt.Errorf("attribute %q is %v, node %q of the function takes %v", ref, given.GetType(), n.GetName(), a.GetType())
			}
			name := a.GetName()
			a = proto.Clone(given).(*onnxpb.AttributeProto)
			a.Name = name
		}
		list = append(list, a)
	}
	return list, nil
}

// constant is a body's constant as an initializer.
func (x *Expansion) constant(function string, n *onnxpb.NodeProto) (*Value, error) {
	if len(n.GetAttribute()) != 1 || n.GetAttribute()[0].GetT() == nil || len(n.GetOutput()) != 1 {
		return nil, fmt.Errorf("node %q of the function: expected a constant of one tensor", n.GetName())
	}
	t := n.GetAttribute()[0].GetT()
	name := x.g.within + "/const/" + function + "/" + n.GetOutput()[0]
	return x.shared(name, func() *Value {
		v := x.g.Tensor(name, DType(t.GetDataType()), t.GetDims(), t.GetRawData())
		if t.GetDataType() == int32(Int64) && len(t.GetDims()) < 2 {
			v.typ.Elems = int64Dims(t.GetRawData())
		}
		return v
	}), nil
}
