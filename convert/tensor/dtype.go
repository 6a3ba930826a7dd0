package tensor

import (
	"fmt"
	"strings"
)

// DType is the element type of a stored tensor.
type DType uint8

// The element types, named as Go identifiers. [DType.String] gives the
// spelling of a safetensors header.
const (
	BF16   DType = iota // bfloat16: 1 sign, 8 exponent, 7 mantissa bits
	F16                 // IEEE binary16: 1, 5, 10
	F32                 // IEEE binary32: 1, 8, 23
	F64                 // IEEE binary64: 1, 11, 52
	F8E4M3              // OCP E4M3 (the "fn" form): 1, 4, 3; no infinity, NaN only at 0x7f and 0xff
	F8E5M2              // OCP E5M2: 1, 5, 2; infinities and NaN as in IEEE 754
	I64
	I32
	I16
	I8
	U64
	U32
	U16
	U8
	Bool // one byte, 0 is false
)

type dtypeInfo struct {
	name    string
	size    int
	isFloat bool
}

// The order follows the constants; the test checks that it does.
var dtypes = [...]dtypeInfo{
	BF16:   {"BF16", 2, true},
	F16:    {"F16", 2, true},
	F32:    {"F32", 4, true},
	F64:    {"F64", 8, true},
	F8E4M3: {"F8_E4M3", 1, true},
	F8E5M2: {"F8_E5M2", 1, true},
	I64:    {"I64", 8, false},
	I32:    {"I32", 4, false},
	I16:    {"I16", 2, false},
	I8:     {"I8", 1, false},
	U64:    {"U64", 8, false},
	U32:    {"U32", 4, false},
	U16:    {"U16", 2, false},
	U8:     {"U8", 1, false},
	Bool:   {"BOOL", 1, false},
}

// DTypes lists every element type, in the order of the constants.
func DTypes() []DType {
	all := make([]DType, len(dtypes))
	for i := range all {
		all[i] = DType(i)
	}
	return all
}

// ParseDType reads the safetensors spelling of an element type ("BF16",
// "F8_E4M3", "BOOL", ...). It is case-sensitive, as the format is. An unknown
// name is an error that lists the known ones.
func ParseDType(name string) (DType, error) {
	for i, d := range dtypes {
		if d.name == name {
			return DType(i), nil
		}
	}
	known := make([]string, len(dtypes))
	for i, d := range dtypes {
		known[i] = d.name
	}
	return 0, fmt.Errorf("unknown dtype %q: known are %s", name, strings.Join(known, ", "))
}

// Valid reports whether d is one of the constants.
func (d DType) Valid() bool { return int(d) < len(dtypes) }

// String gives the safetensors spelling of d.
func (d DType) String() string {
	if !d.Valid() {
		return fmt.Sprintf("DType(%d)", uint8(d))
	}
	return dtypes[d].name
}

// Size gives the bytes of one element. It panics if d is not valid.
func (d DType) Size() int { return dtypes[d].size }

// IsFloat reports whether d is a floating-point type. It panics if d is not
// valid.
func (d DType) IsFloat() bool { return dtypes[d].isFloat }
