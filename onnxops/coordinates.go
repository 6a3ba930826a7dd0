package onnxops

import (
	"fmt"
	"math"

	"github.com/pecvt/pecvt/onnxops/graph"
)

// Positions are split as j = high + low, high a multiple of digitBase, and what
// multiplies them into parts of 12 bits: products of a digit and a part are then
// exact in float32 for every position below 2^22.
const (
	digitBase = 1024
	partBits  = 12
)

// digits is how many digits the positions of the graph have.
func (e *emitter) digits() int {
	if e.opts.MaxLength <= digitBase {
		return 1
	}
	return 2
}

// place is this call's positions as a float32 column, (batch, 1, sequence, 1).
func (e *emitter) place() *graph.Value {
	return e.once("/place/all", func() *graph.Value { return e.column("all", e.positions) })
}

// highPlace is the high digit of place, times its base.
func (e *emitter) highPlace() *graph.Value {
	return e.once("/place/high", func() *graph.Value {
		base := e.int64Scalar("digit_base", digitBase)
		v := e.g.Op("Div", "/place/high/Div", []*graph.Value{e.positions, base})
		return e.column("high", e.g.Op("Mul", "/place/high/Mul", []*graph.Value{v, base}))
	})
}

func (e *emitter) column(name string, v *graph.Value) *graph.Value {
	v = e.g.Op("Cast", "/place/"+name+"/Cast", []*graph.Value{v}, graph.IntAttr("to", int(graph.Float)))
	return e.g.Op("Unsqueeze", "/place/"+name+"/Unsqueeze", []*graph.Value{v, e.ints("axes13", 1, 3)})
}

// coordinate is one extra coordinate: all·position + high·(its high digit) + one.
type coordinate struct{ all, high, one float64 }

// The coordinates that hold a position itself, its digits and 1.
var (
	unit    = coordinate{one: 1}
	whole   = coordinate{all: 1}
	highest = coordinate{high: 1}
	lowest  = coordinate{all: 1, high: -1}
)

func (c coordinate) times(f float64) coordinate {
	return coordinate{c.all * f, c.high * f, c.one * f}
}

// coordinates are rows of coordinates, one row per head, over the positions
// given (nil: those of this call): (batch, heads, sequence, row length). Equal
// ones are made once for all layers.
func (e *emitter) coordinates(prefix string, rows [][]coordinate, positions *graph.Value) *graph.Value {
	key := "/coordinates"
	if positions != nil {
		key += positions.Name()
	}
	return e.once(fmt.Sprint(key, rows), func() *graph.Value {
		if e.named[prefix]++; e.named[prefix] > 1 {
			prefix = fmt.Sprintf("%s.%d", prefix, e.named[prefix]-1)
		}
		dims := []int64{1, int64(len(rows)), 1, int64(len(rows[0]))}
		constant := func(name string, pick func(coordinate) float64) (*graph.Value, bool) {
			var v []float64
			some := false
			for _, row := range rows {
				for _, c := range row {
					v = append(v, pick(c))
					some = some || pick(c) != 0
				}
			}
			if !some && name != "per_position" { // which gives the shape
				return nil, false
			}
			return e.floats(prefix+"/"+name, dims, v), true
		}
		all := positions
		if all == nil {
			all = e.place()
		}
		m, _ := constant("per_position", func(c coordinate) float64 { return c.all })
		y := e.g.Op("Mul", prefix+"/Mul", []*graph.Value{all, m})
		if m, some := constant("per_high_digit", func(c coordinate) float64 { return c.high }); some {
			part := e.g.Op("Mul", prefix+"/high/Mul", []*graph.Value{e.highPlace(), m})
			y = e.g.Op("Add", prefix+"/high/Add", []*graph.Value{y, part})
		}
		if m, some := constant("constant", func(c coordinate) float64 { return c.one }); some {
			y = e.g.Op("Add", prefix+"/Add", []*graph.Value{y, m})
		}
		return y
	})
}

// split cuts v into two parts whose sum it is, the first of at most 12 bits.
func (e *emitter) split(prefix string, v *graph.Value) (high, low *graph.Value) {
	g := e.g
	wide := g.Op("Mul", prefix+"/split/Mul", []*graph.Value{v, e.scalar("splitter", 1<<partBits+1)})
	rest := g.Op("Sub", prefix+"/split/rest/Sub", []*graph.Value{wide, v})
	high = g.Op("Sub", prefix+"/split/high/Sub", []*graph.Value{wide, rest})
	return high, g.Op("Sub", prefix+"/split/low/Sub", []*graph.Value{v, high})
}

// splitConstant is split for a number known now; low is rounded to float32.
func splitConstant(v float64) (high, low float64) {
	if v == 0 {
		return 0, 0
	}
	_, exp := math.Frexp(v)
	step := math.Ldexp(1, exp-partBits)
	high = math.RoundToEven(v/step) * step
	return high, float64(float32(v - high))
}
