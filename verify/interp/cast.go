package interp

import (
	"errors"
	"fmt"
	"math"

	"github.com/pecvt/pecvt/convert/tensor"
)

// integerTypes are the ranges of ONNX's integer types; U64 stops at what int64
// holds.
var integerTypes = map[tensor.DType][2]int64{
	tensor.I8:  {math.MinInt8, math.MaxInt8},
	tensor.I16: {math.MinInt16, math.MaxInt16},
	tensor.I32: {math.MinInt32, math.MaxInt32},
	tensor.I64: {math.MinInt64, math.MaxInt64},
	tensor.U8:  {0, math.MaxUint8},
	tensor.U16: {0, math.MaxUint16},
	tensor.U32: {0, math.MaxUint32},
	tensor.U64: {0, math.MaxInt64},
}

// cast converts among kinds; see the package comment for what rounds. An
// undecoded weight that stays a float stays undecoded.
func cast(c *call) ([]*Array, error) {
	if !c.has("to") {
		return nil, errors.New(`attribute "to" is missing`)
	}
	if err := c.need(0, Float, Int, Bool); err != nil {
		return nil, err
	}
	d, err := elementType(int32(c.int("to", 0)))
	if err != nil {
		return nil, err
	}
	in := c.in[0]
	if in.Kind == Float && d.IsFloat() {
		return []*Array{in.typed(typeOf(d))}, nil
	}
	if in, err = in.dense(); err != nil {
		return nil, err
	}
	switch {
	case d.IsFloat():
		out, err := castToFloat(in)
		return one(out.typed(typeOf(d)), err)
	case d == tensor.Bool:
		return one(castToBool(in))
	default:
		return one(castToInt(in, integerTypes[d]))
	}
}

// castLike converts floats to the type of its second input, as a Cast.
func castLike(c *call) ([]*Array, error) {
	if err := c.need(0, Float); err != nil {
		return nil, err
	}
	if err := c.need(1, Float); err != nil {
		return nil, err
	}
	if c.in[1].of == 0 {
		return nil, errors.New("the type of input 1 is not known")
	}
	return []*Array{c.in[0].typed(c.in[1].of)}, nil
}

func castToFloat(a *Array) (*Array, error) {
	switch a.Kind {
	case Int:
		return apply(a, Float, func(x int64) float64 { return float64(x) })
	case Bool:
		return apply(a, Float, func(x bool) float64 {
			if x {
				return 1
			}
			return 0
		})
	default:
		return a, nil
	}
}

func castToBool(a *Array) (*Array, error) {
	switch a.Kind {
	case Float:
		return apply(a, Bool, func(x float64) bool { return x != 0 })
	case Int:
		return apply(a, Bool, func(x int64) bool { return x != 0 })
	default:
		return a, nil
	}
}

func castToInt(a *Array, bounds [2]int64) (*Array, error) {
	lo, hi := bounds[0], bounds[1]
	switch a.Kind {
	case Float:
		return truncate(a, lo, hi)
	case Bool:
		return apply(a, Int, func(x bool) int64 {
			if x {
				return 1
			}
			return 0
		})
	}
	if hi == math.MaxInt64 {
		for i, x := range a.I {
			if x < lo {
				return nil, fmt.Errorf("element %d is %d, outside the integer type", i, x)
			}
		}
		return a, nil
	}
	span := hi - lo + 1 // a power of two: keep that many low bits
	return apply(a, Int, func(x int64) int64 { return (x-lo)&(span-1) + lo })
}
