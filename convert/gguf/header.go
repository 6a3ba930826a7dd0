package gguf

import (
	"fmt"
	"math"
	"slices"

	"github.com/pecvt/pecvt/convert/tensor"
)

// DefaultAlignment is the alignment where general.alignment is absent.
const DefaultAlignment = 32

// alignmentKey is where a file says another one.
const alignmentKey = "general.alignment"

// Tensor is an entry of a file's list of tensors.
type Tensor struct {
	Name string
	Type Type
	// Dims are ggml's: the length of a row first. A matrix of n rows of m elements,
	// of shape [n, m], has the dims m, n.
	Dims []int64
	// Offset counts bytes from the start of the data.
	Offset int64
}

// Shape gives the dimensions as other formats order them: rows first.
func (t Tensor) Shape() []int64 {
	shape := slices.Clone(t.Dims)
	slices.Reverse(shape)
	return shape
}

// Bytes gives the size of the data. Rows are whole units of the type: a row that
// cuts a block, an unknown type, and a size beyond 64 bits are errors.
func (t Tensor) Bytes() (int64, error) {
	elements, unit := t.Type.Unit()
	if elements == 0 {
		return 0, fmt.Errorf("%v is not among the known types %s", t.Type, knownTypes())
	}
	n, err := tensor.Elements(t.Shape())
	if err != nil {
		return 0, err
	}
	row := int64(1)
	if len(t.Dims) > 0 {
		row = t.Dims[0]
	}
	if row%int64(elements) != 0 {
		return 0, fmt.Errorf("its rows of %d elements are no whole blocks of %s, which are %d", row, t.Type, elements)
	}
	n /= int64(elements)
	if n > math.MaxInt64/int64(unit) {
		return 0, fmt.Errorf("shape %v of %s: its size in bytes overflows 64 bits", t.Shape(), t.Type)
	}
	return n * int64(unit), nil
}

// Header is what a file says before its data.
type Header struct {
	// Version is 2 or 3.
	Version uint32
	// KVs are the metadata in their order; no key occurs twice.
	KVs []KV
	// Tensors are in the order of the list, which need not be that of the data.
	Tensors []Tensor
}

// Find gives the value of a key; false where there is none.
func (h *Header) Find(key string) (KV, bool) {
	for _, kv := range h.KVs {
		if kv.Key == key {
			return kv, true
		}
	}
	return KV{}, false
}

// Set puts a value in the place of the one with its key, or behind the last.
func (h *Header) Set(kv KV) {
	for i := range h.KVs {
		if h.KVs[i].Key == kv.Key {
			h.KVs[i] = kv
			return
		}
	}
	h.KVs = append(h.KVs, kv)
}

// Remove takes a key out; one that is not there is passed over.
func (h *Header) Remove(key string) {
	h.KVs = slices.DeleteFunc(h.KVs, func(kv KV) bool { return kv.Key == key })
}

// Tensor finds a tensor by its name.
func (h *Header) Tensor(name string) (Tensor, bool) {
	for _, t := range h.Tensors {
		if t.Name == name {
			return t, true
		}
	}
	return Tensor{}, false
}

// Alignment gives what the data's start and every tensor's offset are a multiple
// of: a multiple of 8, as the format asks. Anything else under general.alignment
// is an error.
func (h *Header) Alignment() (int64, error) {
	kv, ok := h.Find(alignmentKey)
	if !ok {
		return DefaultAlignment, nil
	}
	n, err := kv.Uint()
	if err != nil {
		return 0, fmt.Errorf("%s: %w", ofKey(alignmentKey), err)
	}
	if kv.Type != Uint32 || n == 0 || n%8 != 0 || n > maxAlignment {
		return 0, fmt.Errorf("%s: %s %d: expected a uint32 that is a multiple of 8, up to %d", ofKey(alignmentKey), kv.Type, n, maxAlignment)
	}
	return int64(n), nil
}

// Arrange gives every tensor its offset, one behind the other in the order of the
// list, each at a multiple of the alignment, and returns the size of the data: up
// to the end of the last tensor, padded as the others are.
func (h *Header) Arrange() (int64, error) {
	align, err := h.Alignment()
	if err != nil {
		return 0, err
	}
	at := int64(0)
	for i := range h.Tensors {
		n, err := h.Tensors[i].Bytes()
		if err != nil {
			return 0, fmt.Errorf("gguf: %s: %w", ofTensor(h.Tensors[i].Name), err)
		}
		if n > math.MaxInt64-at-align {
			return 0, fmt.Errorf("gguf: %s: the data would end beyond 64 bits", ofTensor(h.Tensors[i].Name))
		}
		h.Tensors[i].Offset = at
		at = roundUp(at+n, align)
	}
	return at, nil
}

func roundUp(n, to int64) int64 { return (n + to - 1) / to * to }
