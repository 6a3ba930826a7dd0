package written

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// constants are a graph's initializers, by name.
type constants map[string]*onnxpb.TensorProto

func constantsOf(g *onnxpb.GraphProto) constants {
	c := constants{}
	for _, t := range g.GetInitializer() {
		c[t.GetName()] = t
	}
	return c
}

// number reads a float32 constant of one element.
func (c constants) number(name string) (float32, bool) {
	t := c[name]
	switch {
	case t == nil || t.GetDataType() != int32(onnxpb.TensorProto_FLOAT) || len(t.GetDims()) > 0:
		return 0, false
	case len(t.GetRawData()) == 4:
		return math.Float32frombits(binary.LittleEndian.Uint32(t.GetRawData())), true
	case len(t.GetFloatData()) == 1:
		return t.GetFloatData()[0], true
	}
	return 0, false
}

// ints reads a list of int64.
func (c constants) ints(name string) ([]int64, bool) {
	t := c[name]
	if t == nil || t.GetDataType() != int32(onnxpb.TensorProto_INT64) || len(t.GetDims()) != 1 {
		return nil, false
	}
	list := t.GetInt64Data()
	if list == nil {
		raw := t.GetRawData()
		for i := 0; i+8 <= len(raw); i += 8 {
			list = append(list, int64(binary.LittleEndian.Uint64(raw[i:])))
		}
	}
	return list, int64(len(list)) == t.GetDims()[0]
}

// numberOf is the constant that a node reads.
func (g *group) numberOf(n node, input int) float32 {
	v, ok := g.constants.number(n.GetInput()[input])
	if !ok {
		g.fail("%s reads %s as input %d: expected a constant of one float32", n.GetName(), n.GetInput()[input], input)
	}
	return v
}

// isNumber holds that a node reads a constant of that value.
func (g *group) isNumber(n node, input int, want float64) {
	if v := g.numberOf(n, input); v != float32(want) {
		g.fail("%s reads %v as input %d: expected %v", n.GetName(), v, input, float32(want))
	}
}

// intsOf is the list of constants that a node reads.
func (g *group) intsOf(n node, input int) []int64 {
	v, ok := g.constants.ints(n.GetInput()[input])
	if !ok {
		g.fail("%s reads %s as input %d: expected constant integers", n.GetName(), n.GetInput()[input], input)
	}
	return v
}

// areInts holds that a node reads these.
func (g *group) areInts(n node, input int, want ...int64) {
	if v := g.intsOf(n, input); !slices.Equal(v, want) {
		g.fail("%s reads %s as input %d: expected %s", n.GetName(), fmt.Sprint(v), input, fmt.Sprint(want))
	}
}
