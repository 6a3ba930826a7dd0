package interp

import (
	"fmt"
	"strings"

	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// port is an input or output of the graph with its declared type.
type port struct {
	name  string
	typed bool
	kind  Kind
	of    floatType
	shape []dimension // nil when no shape is declared
	known bool        // a shape is declared
}

// dimension is a fixed length, a name, or neither: any length.
type dimension struct {
	value int64
	fixed bool
	name  string
}

func newPort(v *onnxpb.ValueInfoProto) (port, error) {
	p := port{name: v.GetName()}
	t := v.GetType().GetTensorType()
	if t == nil {
		return p, nil
	}
	d, err := elementType(t.GetElemType())
	if err != nil {
		return p, err
	}
	p.typed, p.kind, p.of = true, kindOf(d), typeOf(d)
	if t.GetShape() == nil {
		return p, nil
	}
	p.known = true
	for _, dim := range t.GetShape().GetDim() {
		switch x := dim.GetValue().(type) {
		case *onnxpb.TensorShapeProto_Dimension_DimValue:
			p.shape = append(p.shape, dimension{value: x.DimValue, fixed: true})
		case *onnxpb.TensorShapeProto_Dimension_DimParam:
			p.shape = append(p.shape, dimension{name: x.DimParam})
		default:
			p.shape = append(p.shape, dimension{})
		}
	}
	return p, nil
}

func portNames(ports []port) []string {
	names := make([]string, len(ports))
	for i, p := range ports {
		names[i] = p.name
	}
	return names
}

func (p port) String() string {
	kind := p.kind.String()
	if p.of != 0 && p.of != typeOf(tensor.F32) {
		kind = tensor.DType(p.of - 1).String()
	}
	if !p.known {
		return kind
	}
	dims := make([]string, len(p.shape))
	for i, d := range p.shape {
		switch {
		case d.fixed:
			dims[i] = fmt.Sprint(d.value)
		case d.name != "":
			dims[i] = d.name
		default:
			dims[i] = "?"
		}
	}
	return fmt.Sprintf("%s[%s]", kind, strings.Join(dims, " "))
}

// match checks a against the declared type. A named dimension has one length
// throughout a run: bound collects them.
func (p port) match(a *Array, bound map[string]int) error {
	if p.typed && (a.Kind != p.kind || a.of != 0 && p.of != 0 && a.of != p.of) {
		return fmt.Errorf("is declared %v, is %v", p, a)
	}
	if !p.known {
		return nil
	}
	if len(a.Shape) != len(p.shape) {
		return fmt.Errorf("is declared %v, is %v", p, a)
	}
	for i, d := range p.shape {
		n := a.Shape[i]
		if d.fixed && int64(n) != d.value {
			return fmt.Errorf("is declared %v, is %v", p, a)
		}
		if d.name == "" {
			continue
		}
		if m, ok := bound[d.name]; ok && m != n {
			return fmt.Errorf("is declared %v, is %v, but %s was %d elsewhere", p, a, d.name, m)
		}
		bound[d.name] = n
	}
	return nil
}
