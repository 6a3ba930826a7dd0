package onnxops

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/names"
)

// scaled is the weight's rows as float32, (code − zero) · scale + offset, of standard operators
// whose inputs are all constant: a runtime makes it once, when the session loads.
// ONNX Runtime 1.32 does so for these and not for DequantizeLinear, which it computes
// in every call, 7 to 60 times as long as the product takes.
func (s *initializers) scaled(c *coded) *graph.Value {
	at := "/coded/" + c.w.Tensor
	if p := c.part(); p != "" {
		at += "[" + p + "]"
	}
	s.hold(c, FormScaled)
	defer s.g.Wide()()
	return s.once(at, func(string) *graph.Value {
		op := func(name, op string, in ...*graph.Value) *graph.Value {
			return s.g.Op(op, at+"/"+name+"/"+op, in)
		}
		v := s.codes(c)
		across := c.across()
		even := across > 1 && c.grid.Index == "" && across*c.block == c.columns
		spread := func(name string, v *graph.Value) *graph.Value { // to each column of its block
			switch {
			case across == 1:
				return v
			case even:
				return op(name, "Unsqueeze", v, s.ints(2))
			}
			return s.g.Op("Gather", at+"/"+name+"/Gather", []*graph.Value{v, s.blockOf(c)}, graph.IntAttr("axis", 1))
		}
		if even {
			v = op("blocks", "Reshape", v, s.ints(c.rows, across, c.block))
		}
		if c.grid.HasZeros() {
			v = op("zero", "Sub", v, spread("zero", s.zeros(c)))
		}
		v = op("scale", "Mul", v, spread("scale", s.scales(c)))
		if c.grid.ReadOffsets != nil {
			v = op("offset", "Add", v, spread("offset", s.offsets(c)))
		}
		if even || len(c.w.Shape) != 2 {
			v = op("rows", "Reshape", v, s.ints(c.w.Shape...))
		}
		return v
	})
}

// blockOf gives the block of each column.
func (s *initializers) blockOf(c *coded) *graph.Value {
	name := fmt.Sprintf("/coded/blocks/%d/%d", c.columns, c.block)
	if c.grid.Index != "" {
		name = "/coded/blocks/" + c.grid.Index
	}
	return s.once(name, func(name string) *graph.Value {
		given, err := c.grid.BlockOf(c.src)
		if err != nil {
			return s.fail(fmt.Errorf("tensor %q: %w", c.w.Tensor, err))
		}
		of := make([]int64, c.columns)
		for j := range of {
			of[j] = int64(j) / c.block
			if given != nil {
				of[j] = int64(given[j])
			}
		}
		return s.g.Ints(name, of...)
	})
}

// byCodes is a weight that MatMulNBits multiplies as it is stored, nil for another.
func (e *emitter) byCodes(w family.Weight) *coded {
	c := e.weights.codedOf(w)
	if c == nil || e.opts.Linear == LinearMatMul {
		return nil
	}
	c.w.Columns = w.Columns
	if form, _ := e.weights.form(c, e.opts); form != FormNBits {
		return nil
	}
	return c
}

// inCodes tells whether one of the maps is multiplied so.
func (e *emitter) inCodes(maps ...family.Linear) bool {
	return slices.ContainsFunc(maps, func(l family.Linear) bool { return e.rounds(l.Weight) != nil || e.byCodes(l.Weight) != nil })
}

// nbits emits W x + bias over rows as MatMulNBits in float32: accuracy_level 1 keeps what
// enters it as it is, where 4 rounds it to 8 bits. Blocks' minimums are a product with
// the sums of x over blocks, as of weights that are rounded ([emitter.roundedProduct]).
func (e *emitter) nbits(name string, x, bias *graph.Value, c *coded) *graph.Value {
	e.weights.hold(c, FormNBits)
	defer e.g.Wide()()
	at := func(step string, is bool) string {
		if is {
			return name
		}
		return name + "/" + step
	}
	minimums := c.grid.ReadOffsets != nil
	in := []*graph.Value{x, e.weights.packed(c), e.weights.scales(c)}
	if c.grid.HasZeros() || c.grid.Low != -8 && !minimums {
		in = append(in, e.weights.packedZeros(c))
	}
	y := e.g.Add(graph.Node{Domain: graph.Microsoft, Op: "MatMulNBits", Name: at("MatMulNBits", !minimums && bias == nil), In: in, Attrs: []graph.Attr{
		graph.IntAttr("K", int(c.columns)), graph.IntAttr("N", int(c.rows)), graph.IntAttr("bits", 4),
		graph.IntAttr("block_size", int(c.block)), graph.IntAttr("accuracy_level", e.level()),
	}})[0]
	if minimums {
		sums := e.blockSums(x, int(c.block), c.across(), c.columns)
		y = e.g.Op("Gemm", at("lows", bias == nil), []*graph.Value{sums, e.codedMiddles(c), y}, graph.IntAttr("transB", 1))
	}
	if bias == nil {
		return y
	}
	return e.g.Op("Add", name, []*graph.Value{y, bias})
}

// codedMiddles are the numbers of code 8, which MatMulNBits takes for 0, of blocks with
// minimums.
func (e *emitter) codedMiddles(c *coded) *graph.Value {
	s := e.weights
	name := "/coded/" + names.CodedWeight(c.w.Tensor, c.part(), "middles")
	return s.once(name, func(string) *graph.Value {
		half := s.g.Op("Mul", name+"/Mul", []*graph.Value{s.scales(c), e.scalar("middle4", 8)})
		return s.g.Op("Add", name+"/Add", []*graph.Value{half, s.offsets(c)})
	})
}

// multiplied tells whether a weight is multiplied as it is stored.
func (s *initializers) multiplied() bool {
	for _, form := range s.held {
		if form == FormNBits {
			return true
		}
	}
	return false
}

// hold notes what the graph has of a weight.
func (s *initializers) hold(c *coded, form string) { s.held[c.w.Tensor+"["+c.part()+"]"] = form }

// heldNotes say how many weights in codes went which way, and why some are floats.
func (s *initializers) heldNotes() []string {
	counts := map[string]int{}
	for _, form := range s.held {
		counts[form]++
	}
	var list []string
	for _, form := range slices.Sorted(maps.Keys(counts)) {
		list = append(list, fmt.Sprintf("%d as %s", counts[form], form))
	}
	if list == nil {
		return nil
	}
	if s.loses != "" {
		return []string{"weights that are stored in codes: " + strings.Join(list, ", "), s.loses}
	}
	return []string{"weights that are stored in codes: " + strings.Join(list, ", ")}
}
