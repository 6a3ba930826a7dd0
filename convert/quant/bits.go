package quant

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/pecvt/pecvt/convert/tensor"
)

// stream is a line of codes of a few bits each in little-endian words of 32 bits,
// step bytes apart. Code k takes bits k·bits to (k+1)·bits − 1 of the line, the
// lowest first; one may begin in a word and end in the next. Words whose bytes follow
// each other (a step of 4) make a line of bytes as well.
type stream struct {
	raw  []byte // from the line's first word on
	step int64
	bits uint
}

// read gives the codes from the one numbered from on, each less offset.
func (s stream) read(dst []float32, from int64, offset float32) {
	if len(dst) == 0 {
		return
	}
	at := from * int64(s.bits)
	word, mask := at/32, uint64(1)<<s.bits-1
	held := uint64(s.word(word)) >> (at % 32)
	have := uint(32 - at%32)
	for i := range dst {
		if have < s.bits {
			word++
			held |= uint64(s.word(word)) << have
			have += 32
		}
		dst[i] = float32(held&mask) - offset
		held >>= s.bits
		have -= s.bits
	}
}

func (s stream) word(i int64) uint32 { return binary.LittleEndian.Uint32(s.raw[i*s.step:]) }

// one gives a single code.
func (s stream) one(k int64) float64 {
	var code [1]float32
	s.read(code[:], k, 0)
	return float64(code[0])
}

// words is how many words of 32 bits hold n codes.
func words(n, bits int64) int64 { return (n*bits + 31) / 32 }

var words32 = []tensor.DType{tensor.I32, tensor.U32}

// part looks up one of the tensors that a weight is made of, which must be there, of
// one of the types and of this shape.
func part(src Source, name, what string, types []tensor.DType, shape ...int64) (tensor.Info, error) {
	info, ok := src.Lookup(name)
	if !ok {
		return info, fmt.Errorf("tensor %q is missing: it holds the %s", name, what)
	}
	if !slices.Contains(types, info.DType) {
		return info, fmt.Errorf("tensor %q, the %s, has dtype %s: expected one of %v", name, what, info.DType, types)
	}
	if shape != nil && !slices.Equal(info.Shape, shape) {
		return info, fmt.Errorf("tensor %q, the %s, has shape %v: expected %v", name, what, info.Shape, shape)
	}
	return info, nil
}

var plainFloats = []tensor.DType{tensor.F16, tensor.BF16, tensor.F32}

// whole reads all bytes of a tensor.
func whole(src Source, name string) ([]byte, error) {
	info, ok := src.Lookup(name)
	if !ok {
		return nil, fmt.Errorf("tensor %q is missing", name)
	}
	return src.Read(name, 0, info.Bytes())
}

// column reads numbers of a tensor, step elements apart.
func column(src Source, name string, dst []float64, from, step int64) error {
	raw, err := whole(src, name)
	if err != nil {
		return err
	}
	info, _ := src.Lookup(name)
	size := int64(info.DType.Size())
	for k := range dst {
		at := (from + int64(k)*step) * size
		if err := tensor.Decode64(dst[k:k+1], raw[at:at+size], info.DType); err != nil {
			return fmt.Errorf("tensor %q: %w", name, err)
		}
	}
	return finite(name, dst, from, step)
}
