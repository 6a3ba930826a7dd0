package tensor

import (
	"fmt"
	"strings"
)

// DType is the type of a stored tensor's elements. Most types store each element
// by itself; a block format stores a run of elements of one row as a unit, with
// scales that serve all of them.
type DType uint8

// The types, named as Go identifiers. [DType.String] gives the
// spelling of a safetensors header.
const (
	BF16   DType = iota // bfloat16: 1 sign, 8 exponent, 7 mantissa bits
	F16                 // IEEE binary16: 1, 5, 10
	F32                 // IEEE binary32: 1, 8, 23
	F64                 // IEEE binary64: 1, 11, 52
	F8E4M3              // OCP E4M3 (the "fn" form): 1, 4, 3; no infinity, NaN only at 0x7f and 0xff
	F8E5M2              // OCP E5M2: 1, 5, 2; infinities and NaN as in IEEE 754
	F8E8M0              // OCP E8M0: 2^(code − 127), no sign and no zero; NaN at 0xff
	I64
	I32
	I16
	I8
	U64
	U32
	U16
	U8
	Bool // one byte, 0 is false

	// The block formats of GGUF files, in the order that documents list them; each
	// is described beside its codec. They are read, and Q8_0 is written.
	Q8_0
	Q4_0
	Q4_1
	Q5_0
	Q5_1
	Q4_K
	Q5_K
	Q6_K
	MXFP4
)

type dtypeInfo struct {
	name     string
	elements int // of a unit
	bytes    int // of a unit
	isFloat  bool
	// sign is the byte of a unit whose highest bit negates all that it holds;
	// -1 where none does.
	sign int
	// header tells whether a safetensors header may name the type.
	header bool
}

// The order follows the constants; the test checks that it does.
var dtypes = [...]dtypeInfo{
	BF16:   {"BF16", 1, 2, true, 1, true},
	F16:    {"F16", 1, 2, true, 1, true},
	F32:    {"F32", 1, 4, true, 3, true},
	F64:    {"F64", 1, 8, true, 7, true},
	F8E4M3: {"F8_E4M3", 1, 1, true, 0, true},
	F8E5M2: {"F8_E5M2", 1, 1, true, 0, true},
	F8E8M0: {"F8_E8M0", 1, 1, true, -1, true},
	I64:    {"I64", 1, 8, false, -1, true},
	I32:    {"I32", 1, 4, false, -1, true},
	I16:    {"I16", 1, 2, false, -1, true},
	I8:     {"I8", 1, 1, false, -1, true},
	U64:    {"U64", 1, 8, false, -1, true},
	U32:    {"U32", 1, 4, false, -1, true},
	U16:    {"U16", 1, 2, false, -1, true},
	U8:     {"U8", 1, 1, false, -1, true},
	Bool:   {"BOOL", 1, 1, false, -1, true},
	Q8_0:   {"Q8_0", q8Elements, q8Bytes, true, 1, false},
	Q4_0:   {"Q4_0", 32, q40Bytes, true, 1, false},
	Q4_1:   {"Q4_1", 32, q41Bytes, true, -1, false},
	Q5_0:   {"Q5_0", 32, q50Bytes, true, 1, false},
	Q5_1:   {"Q5_1", 32, q51Bytes, true, -1, false},
	Q4_K:   {"Q4_K", kElements, q4kBytes, true, -1, false},
	Q5_K:   {"Q5_K", kElements, q5kBytes, true, -1, false},
	Q6_K:   {"Q6_K", kElements, q6kBytes, true, 209, false},
	MXFP4:  {"MXFP4", 32, mxfp4Bytes, true, -1, false},
}

// DTypes lists the types whose elements are stored one by one, in the order of the
// constants. [BlockFormats] lists the others.
func DTypes() []DType { return listed(false) }

// BlockFormats lists the types whose elements are stored in blocks.
func BlockFormats() []DType { return listed(true) }

func listed(blocks bool) []DType {
	var list []DType
	for i := range dtypes {
		if d := DType(i); d.IsBlock() == blocks {
			list = append(list, d)
		}
	}
	return list
}

// ParseDType reads the safetensors spelling of a type ("BF16", "F8_E4M3", "BOOL",
// ...). It is case-sensitive, as the format is. An unknown name, and one of a
// block format, which no safetensors header can claim, is an error that lists the
// known ones.
func ParseDType(name string) (DType, error) {
	for i, d := range dtypes {
		if d.header && d.name == name {
			return DType(i), nil
		}
	}
	var known []string
	for _, d := range dtypes {
		if d.header {
			known = append(known, d.name)
		}
	}
	return 0, fmt.Errorf("unknown dtype %q: known are %s", name, strings.Join(known, ", "))
}

// Valid reports whether d is one of the constants.
func (d DType) Valid() bool { return int(d) < len(dtypes) }

// String gives the spelling of d: that of a safetensors header, GGUF's name for a
// block format.
func (d DType) String() string {
	if !d.Valid() {
		return fmt.Sprintf("DType(%d)", uint8(d))
	}
	return dtypes[d].name
}

// Unit gives how many elements are stored together and the bytes they take: 1 and
// their size, or the length of a block format's block and the bytes of its codes
// and scales. It panics if d is not valid.
func (d DType) Unit() (elements, bytes int) { return dtypes[d].elements, dtypes[d].bytes }

// IsBlock reports whether d is a block format: one whose unit is more than one
// element. It panics if d is not valid.
func (d DType) IsBlock() bool { return dtypes[d].elements > 1 }

// Encodes reports whether numbers can be written in d: all types but the block
// formats that are only read. It panics if d is not valid.
func (d DType) Encodes() bool { return !d.IsBlock() || d == Q8_0 }

// InHeader reports whether a safetensors header can name d. It panics if d is not
// valid.
func (d DType) InHeader() bool { return dtypes[d].header }

// Size gives the bytes of one element. An element of a block format has no size
// of its own: Size panics for one, and if d is not valid. Where d comes from a
// stored tensor, [DType.Unit], [ByteSize], [RowBytes] and [Count] serve every type.
func (d DType) Size() int {
	if d.IsBlock() {
		panic(fmt.Sprintf("tensor: Size of %s, whose elements are stored in blocks", d))
	}
	return dtypes[d].bytes
}

// IsFloat reports whether d holds real numbers: a floating-point type, or a block
// format of scaled codes. It panics if d is not valid.
func (d DType) IsFloat() bool { return dtypes[d].isFloat }
