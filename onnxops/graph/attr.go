package graph

import "github.com/pecvt/pecvt/onnxops/onnxpb"

// Attr is a node's attribute.
type Attr = *onnxpb.AttributeProto

// IntAttr is an integer attribute.
func IntAttr(name string, v int) Attr {
	return &onnxpb.AttributeProto{Name: name, Type: onnxpb.AttributeProto_INT, I: int64(v)}
}

// FloatAttr is a float32 attribute; v is rounded to float32.
func FloatAttr(name string, v float64) Attr {
	return &onnxpb.AttributeProto{Name: name, Type: onnxpb.AttributeProto_FLOAT, F: float32(v)}
}

// StringAttr is a string attribute.
func StringAttr(name, v string) Attr {
	return &onnxpb.AttributeProto{Name: name, Type: onnxpb.AttributeProto_STRING, S: []byte(v)}
}

// IntsAttr is an attribute that lists integers.
func IntsAttr(name string, v ...int) Attr {
	a := &onnxpb.AttributeProto{Name: name, Type: onnxpb.AttributeProto_INTS}
	for _, x := range v {
		a.Ints = append(a.Ints, int64(x))
	}
	return a
}

// RefAttr is an attribute of a function body whose value is that of the
// function's own attribute ref.
func RefAttr(name, ref string, t onnxpb.AttributeProto_AttributeType) Attr {
	return &onnxpb.AttributeProto{Name: name, RefAttrName: ref, Type: t}
}

// TensorAttr is a tensor attribute.
func TensorAttr(name string, t *onnxpb.TensorProto) Attr {
	return &onnxpb.AttributeProto{Name: name, Type: onnxpb.AttributeProto_TENSOR, T: t}
}
