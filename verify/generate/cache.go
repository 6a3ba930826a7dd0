package generate

import (
	"fmt"
	"slices"

	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/verify/ort"
)

// cache is what one input takes over from one output of the call before.
type cache struct {
	past, present string
	// shape is that of one row; axis is the one that grows by a call's tokens, -1 for a
	// state, which does not.
	shape []int64
	axis  int
	// inPlace: the operator writes into what it reads, and halves[0] is all there is,
	// room positions long.
	inPlace bool
	room    int
	halves  [2]buffer
	now     int // the half to read
}

// newCache takes headSize for the last dimension where the graph leaves it open, as
// onnxruntime-genai's do.
func newCache(v ort.Value, outputs []ort.Value, headSize int) (*cache, error) {
	present, ok := names.PresentOf(v.Name)
	if !ok {
		return nil, fmt.Errorf("input %q: it is not known which output goes on with it", v.Name)
	}
	i := slices.IndexFunc(outputs, func(o ort.Value) bool { return o.Name == present })
	if i < 0 {
		return nil, fmt.Errorf("input %q: the graph has no output %q, which goes on with it", v.Name, present)
	}
	if outputs[i].DType != v.DType {
		return nil, fmt.Errorf("input %q is %s, output %q is %s: expected the same", v.Name, v.DType, present, outputs[i].DType)
	}
	if len(v.Shape) < 2 {
		return nil, fmt.Errorf("input %s: expected (batch, ...)", v)
	}
	c := &cache{past: v.Name, present: present, axis: -1, shape: slices.Clone(v.Shape)}
	c.shape[0] = 1
	if last := len(c.shape) - 1; c.shape[last] < 0 && headSize > 0 && slices.Contains(v.Symbols[:last], names.PastLength) {
		c.shape[last] = int64(headSize)
	}
	for d, n := range c.shape {
		switch {
		case n >= 0:
		case c.axis >= 0:
			return nil, fmt.Errorf("input %s: two dimensions are not fixed: expected one, which grows", v)
		default:
			c.axis, c.shape[d] = d, 0
		}
	}
	c.halves[0].dtype, c.halves[1].dtype = v.DType, v.DType
	return c, nil
}

// begin empties the cache.
func (c *cache) begin() {
	c.now = 0
	if c.axis < 0 {
		c.halves[0].grow(elements(c.shape))
		c.halves[0].zero()
	}
}

// at is the shape with a number of positions.
func (c *cache) at(positions int) []int64 {
	if c.axis < 0 {
		return c.shape
	}
	s := slices.Clone(c.shape)
	s[c.axis] = int64(positions)
	return s
}

// turn gives what the next call reads and where it writes, length tokens having been
// and total being there after it; room is how many positions to make room for.
func (c *cache) turn(length, total, room int) (past, present ort.Tensor) {
	if c.inPlace {
		if c.room < total {
			c.widen(length, room)
		}
		t := c.halves[0].tensor(c.at(c.room))
		return t, t
	}
	next := &c.halves[1-c.now]
	if n := elements(c.at(total)); next.size() < n {
		next.grow(elements(c.at(room)))
	}
	return c.halves[c.now].tensor(c.at(length)), next.tensor(c.at(total))
}

// turned is called when the call has been.
func (c *cache) turned() {
	if !c.inPlace {
		c.now = 1 - c.now
	}
}

// widen makes room for more positions in place, and keeps those that are there.
func (c *cache) widen(length, room int) {
	old, inner := c.halves[0], elements(c.shape[c.axis+1:])
	c.halves[0] = buffer{dtype: old.dtype}
	c.halves[0].grow(elements(c.at(room)))
	for o := range elements(c.shape[:c.axis]) {
		c.halves[0].copy(o*int64(room)*inner, old, o*int64(c.room)*inner, int64(length)*inner)
	}
	c.room = room
}

// buffer is memory of one element type that tensors are cut from.
type buffer struct {
	dtype tensor.DType
	f32   []float32
	i64   []int64
	bytes []byte
}

// size is in elements.
func (b *buffer) size() int64 {
	switch b.dtype {
	case tensor.F32:
		return int64(len(b.f32))
	case tensor.I64:
		return int64(len(b.i64))
	}
	return int64(len(b.bytes) / b.dtype.Size())
}

// grow makes room for n elements; what was there is lost where there was none.
func (b *buffer) grow(n int64) {
	if b.size() >= n {
		return
	}
	switch b.dtype {
	case tensor.F32:
		b.f32 = make([]float32, n)
	case tensor.I64:
		b.i64 = make([]int64, n)
	default:
		b.bytes = make([]byte, n*int64(b.dtype.Size()))
	}
}

func (b *buffer) zero() {
	clear(b.f32)
	clear(b.i64)
	clear(b.bytes)
}

// tensor is the buffer's front in a shape that it has room for.
func (b *buffer) tensor(shape []int64) ort.Tensor {
	n := elements(shape)
	switch b.dtype {
	case tensor.F32:
		return ort.Float32(b.f32[:n], shape...)
	case tensor.I64:
		return ort.Int64(b.i64[:n], shape...)
	}
	return ort.Raw(b.dtype, b.bytes[:n*int64(b.dtype.Size())], shape...)
}

// copy takes n elements over.
func (b *buffer) copy(to int64, from buffer, at, n int64) {
	switch b.dtype {
	case tensor.F32:
		copy(b.f32[to:to+n], from.f32[at:at+n])
	case tensor.I64:
		copy(b.i64[to:to+n], from.i64[at:at+n])
	default:
		size := int64(b.dtype.Size())
		copy(b.bytes[to*size:(to+n)*size], from.bytes[at*size:(at+n)*size])
	}
}

func elements(shape []int64) int64 {
	n := int64(1)
	for _, d := range shape {
		n *= d
	}
	return n
}
