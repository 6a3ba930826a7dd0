package gguf

import (
	"encoding/binary"
	"math"
)

// NewText makes a string.
func NewText(key, text string) KV { return KV{key, String, appendText(nil, text)} }

// NewUint32 makes a uint32.
func NewUint32(key string, x uint32) KV {
	return KV{key, Uint32, binary.LittleEndian.AppendUint32(nil, x)}
}

// NewFloat32 makes a float32.
func NewFloat32(key string, x float32) KV {
	return KV{key, Float32, binary.LittleEndian.AppendUint32(nil, math.Float32bits(x))}
}

// NewBool makes a truth value.
func NewBool(key string, x bool) KV { return KV{key, Bool, []byte{truth(x)}} }

// NewTexts makes an array of strings.
func NewTexts(key string, list []string) KV {
	raw := arrayOf(String, len(list))
	for _, s := range list {
		raw = appendText(raw, s)
	}
	return KV{key, Array, raw}
}

// NewInt32s makes an array of int32.
func NewInt32s(key string, list []int32) KV {
	raw := arrayOf(Int32, len(list))
	for _, x := range list {
		raw = binary.LittleEndian.AppendUint32(raw, uint32(x))
	}
	return KV{key, Array, raw}
}

// NewFloat32s makes an array of float32.
func NewFloat32s(key string, list []float32) KV {
	raw := arrayOf(Float32, len(list))
	for _, x := range list {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
	}
	return KV{key, Array, raw}
}

// NewBools makes an array of truth values.
func NewBools(key string, list []bool) KV {
	raw := arrayOf(Bool, len(list))
	for _, x := range list {
		raw = append(raw, truth(x))
	}
	return KV{key, Array, raw}
}

func truth(x bool) byte {
	if x {
		return 1
	}
	return 0
}

func appendText(raw []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint64(raw, uint64(len(s))), s...)
}

func arrayOf(elem ValueType, n int) []byte {
	raw := binary.LittleEndian.AppendUint32(nil, uint32(elem))
	return binary.LittleEndian.AppendUint64(raw, uint64(n))
}
