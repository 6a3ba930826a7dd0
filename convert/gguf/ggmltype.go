package gguf

import (
	"fmt"
	"strings"

	"github.com/pecvt/pecvt/convert/tensor"
)

// Type is ggml's number of a tensor type, as a file stores it.
type Type uint32

// The types that this module writes or treats apart.
const (
	F32  Type = 0
	F16  Type = 1
	Q8_0 Type = 8
	BF16 Type = 30
)

// typeRow is a type of ggml: its unit of storage, and what tensor calls it.
type typeRow struct {
	id              Type
	name            string
	elements, bytes int
	// dtype decodes it where decoded is true.
	dtype   tensor.DType
	decoded bool
}

// types are those of ggml.h, in the order of their numbers; what is missing
// between them was removed there. Sizes: GGML_QUANT_SIZES of the gguf package
// 0.19, and the structures of ggml-common.h.
var types = []typeRow{
	{0, "F32", 1, 4, tensor.F32, true},
	{1, "F16", 1, 2, tensor.F16, true},
	{2, "Q4_0", 32, 18, tensor.Q4_0, true},
	{3, "Q4_1", 32, 20, tensor.Q4_1, true},
	{6, "Q5_0", 32, 22, tensor.Q5_0, true},
	{7, "Q5_1", 32, 24, tensor.Q5_1, true},
	{8, "Q8_0", 32, 34, tensor.Q8_0, true},
	{9, "Q8_1", 32, 36, 0, false},
	{10, "Q2_K", 256, 84, 0, false},
	{11, "Q3_K", 256, 110, 0, false},
	{12, "Q4_K", 256, 144, tensor.Q4_K, true},
	{13, "Q5_K", 256, 176, tensor.Q5_K, true},
	{14, "Q6_K", 256, 210, tensor.Q6_K, true},
	{15, "Q8_K", 256, 292, 0, false},
	{16, "IQ2_XXS", 256, 66, 0, false},
	{17, "IQ2_XS", 256, 74, 0, false},
	{18, "IQ3_XXS", 256, 98, 0, false},
	{19, "IQ1_S", 256, 50, 0, false},
	{20, "IQ4_NL", 32, 18, 0, false},
	{21, "IQ3_S", 256, 110, 0, false},
	{22, "IQ2_S", 256, 82, 0, false},
	{23, "IQ4_XS", 256, 136, 0, false},
	{24, "I8", 1, 1, tensor.I8, true},
	{25, "I16", 1, 2, tensor.I16, true},
	{26, "I32", 1, 4, tensor.I32, true},
	{27, "I64", 1, 8, tensor.I64, true},
	{28, "F64", 1, 8, tensor.F64, true},
	{29, "IQ1_M", 256, 56, 0, false},
	{30, "BF16", 1, 2, tensor.BF16, true},
	{34, "TQ1_0", 256, 54, 0, false},
	{35, "TQ2_0", 256, 66, 0, false},
	{39, "MXFP4", 32, 17, tensor.MXFP4, true},
	{40, "NVFP4", 64, 36, 0, false},
	{41, "Q1_0", 128, 18, 0, false},
	{42, "Q2_0", 64, 18, 0, false},
}

func (t Type) row() (typeRow, bool) {
	for _, r := range types {
		if r.id == t {
			return r, true
		}
	}
	return typeRow{}, false
}

// Types lists the types whose size is known.
func Types() []Type {
	list := make([]Type, len(types))
	for i, r := range types {
		list[i] = r.id
	}
	return list
}

// String gives ggml's name of the type.
func (t Type) String() string {
	if r, ok := t.row(); ok {
		return r.name
	}
	return fmt.Sprintf("type %d", uint32(t))
}

// Known reports whether the type's size is known, so that its tensors can be
// carried.
func (t Type) Known() bool {
	_, ok := t.row()
	return ok
}

// Unit gives how many elements of a row are stored together and the bytes they
// take; 0 and 0 for an unknown type.
func (t Type) Unit() (elements, bytes int) {
	r, _ := t.row()
	return r.elements, r.bytes
}

// DType gives the type of tensor that decodes it; false where none does.
func (t Type) DType() (tensor.DType, bool) {
	r, _ := t.row()
	return r.dtype, r.decoded
}

// TypeOf gives ggml's type for a stored type; false where ggml has none (the
// 8-bit floats, unsigned integers, truth values).
func TypeOf(d tensor.DType) (Type, bool) {
	for _, r := range types {
		if r.decoded && r.dtype == d {
			return r.id, true
		}
	}
	return 0, false
}

// Decoded lists the names of the types whose numbers are read, for messages and
// documents.
func Decoded() []string {
	var list []string
	for _, r := range types {
		if r.decoded {
			list = append(list, r.name)
		}
	}
	return list
}

// knownTypes lists the names of all types.
func knownTypes() string {
	names := make([]string, len(types))
	for i, r := range types {
		names[i] = r.name
	}
	return strings.Join(names, ", ")
}
