package gguf

import (
	"encoding/binary"
	"fmt"
	"math"
)

// ValueType is the type of a metadata value, by its number in the file.
type ValueType uint32

// The types of values.
const (
	Uint8 ValueType = iota
	Int8
	Uint16
	Int16
	Uint32
	Int32
	Float32
	Bool
	String
	Array
	Uint64
	Int64
	Float64
)

var valueTypes = [...]struct {
	name string
	size int // of the value; 0 where it says its own
}{
	Uint8: {"uint8", 1}, Int8: {"int8", 1}, Uint16: {"uint16", 2}, Int16: {"int16", 2}, Uint32: {"uint32", 4}, Int32: {"int32", 4},
	Float32: {"float32", 4}, Bool: {"bool", 1}, String: {"string", 0}, Array: {"array", 0}, Uint64: {"uint64", 8}, Int64: {"int64", 8}, Float64: {"float64", 8},
}

// String gives the type's name.
func (t ValueType) String() string {
	if int(t) >= len(valueTypes) {
		return fmt.Sprintf("value type %d", uint32(t))
	}
	return valueTypes[t].name
}

// KV is one entry of the metadata.
type KV struct {
	Key  string
	Type ValueType
	// Raw is the value as the file spells it, behind its type: a number's bytes; a
	// string's length in 8 bytes and the string; an array's element type in 4 bytes,
	// count in 8, and elements. What [Read] and the functions of this package make
	// is well-formed.
	Raw []byte
}

// Elem gives the type and the number of an array's elements; for any other value
// its own type and 1.
func (kv KV) Elem() (ValueType, int) {
	if kv.Type != Array {
		return kv.Type, 1
	}
	return ValueType(binary.LittleEndian.Uint32(kv.Raw)), int(binary.LittleEndian.Uint64(kv.Raw[4:]))
}

func (kv KV) is() string {
	if e, n := kv.Elem(); kv.Type == Array {
		return fmt.Sprintf("an array of %d %s", n, e)
	}
	return kv.Type.String()
}

// Uint reads an integer that is not negative.
func (kv KV) Uint() (uint64, error) {
	if kv.Type == Array {
		return 0, fmt.Errorf("%s: expected an integer", kv.is())
	}
	return integerAt(kv.Type, kv.Raw)
}

// Float reads a number of either floating-point type.
func (kv KV) Float() (float64, error) {
	switch kv.Type {
	case Float32:
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(kv.Raw))), nil
	case Float64:
		return math.Float64frombits(binary.LittleEndian.Uint64(kv.Raw)), nil
	}
	return 0, fmt.Errorf("%s: expected a float32", kv.is())
}

// Bool reads a truth value.
func (kv KV) Bool() (bool, error) {
	if kv.Type != Bool {
		return false, fmt.Errorf("%s: expected a bool", kv.is())
	}
	return kv.Raw[0] != 0, nil
}

// Text reads a string.
func (kv KV) Text() (string, error) {
	if kv.Type != String {
		return "", fmt.Errorf("%s: expected a string", kv.is())
	}
	return string(kv.Raw[8:]), nil
}

// Texts reads an array of strings.
func (kv KV) Texts() ([]string, error) {
	e, n := kv.Elem()
	if kv.Type != Array || e != String {
		return nil, fmt.Errorf("%s: expected an array of strings", kv.is())
	}
	// One copy holds them all: a vocabulary has hundreds of thousands.
	all, at := string(kv.Raw), 12
	list := make([]string, n)
	for i := range list {
		size := int(binary.LittleEndian.Uint64(kv.Raw[at:]))
		list[i] = all[at+8 : at+8+size]
		at += 8 + size
	}
	return list, nil
}

// Uints reads an array of integers that are not negative; a single one is an array
// of length 1.
func (kv KV) Uints() ([]uint64, error) {
	e, n, raw := kv.numbers()
	list := make([]uint64, n)
	size := valueTypes[e].size
	for i := range list {
		x, err := integerAt(e, raw[i*size:])
		if err != nil {
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
		list[i] = x
	}
	return list, nil
}

// Floats reads an array of float32; a single one is an array of length 1.
func (kv KV) Floats() ([]float32, error) {
	e, n, raw := kv.numbers()
	if e != Float32 {
		return nil, fmt.Errorf("%s: expected an array of float32", kv.is())
	}
	list := make([]float32, n)
	for i := range list {
		list[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return list, nil
}

// Bools reads an array of truth values; a single one is an array of length 1.
func (kv KV) Bools() ([]bool, error) {
	e, n, raw := kv.numbers()
	if e != Bool {
		return nil, fmt.Errorf("%s: expected an array of bool", kv.is())
	}
	list := make([]bool, n)
	for i := range list {
		list[i] = raw[i] != 0
	}
	return list, nil
}

func (kv KV) numbers() (elem ValueType, n int, raw []byte) {
	elem, n = kv.Elem()
	raw = kv.Raw
	if kv.Type == Array {
		raw = raw[12:]
	}
	if valueTypes[elem].size == 0 {
		n = 0
	}
	return elem, n, raw
}

// integerAt reads the integer at the start of raw.
func integerAt(t ValueType, raw []byte) (uint64, error) {
	var x int64
	switch t {
	case Uint8:
		return uint64(raw[0]), nil
	case Uint16:
		return uint64(binary.LittleEndian.Uint16(raw)), nil
	case Uint32:
		return uint64(binary.LittleEndian.Uint32(raw)), nil
	case Uint64:
		return binary.LittleEndian.Uint64(raw), nil
	case Int8:
		x = int64(int8(raw[0]))
	case Int16:
		x = int64(int16(binary.LittleEndian.Uint16(raw)))
	case Int32:
		x = int64(int32(binary.LittleEndian.Uint32(raw)))
	case Int64:
		x = int64(binary.LittleEndian.Uint64(raw))
	default:
		return 0, fmt.Errorf("%s: expected an integer", t)
	}
	if x < 0 {
		return 0, fmt.Errorf("%d: expected an integer that is not negative", x)
	}
	return uint64(x), nil
}
