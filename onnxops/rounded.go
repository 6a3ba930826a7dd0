package onnxops

import (
	"fmt"
	"strings"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/quant/nearest"
	"github.com/pecvt/pecvt/convert/quant/widths"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/posenc/hint"
)

// Rounds tells whether the weights are rounded to codes.
func (o Options) Rounds() bool { return o.Weights == WeightsInt4 || o.Weights == WeightsInt8 }

// Scheme is how linear maps are.
func (o Options) Scheme() nearest.Scheme {
	s := nearest.Scheme{Bits: 4, Block: o.Coding.Block, Zeros: o.Coding.ZeroPoints}
	if o.Weights == WeightsInt8 {
		s.Bits = 8
	}
	return s
}

// schemesOf are those of a model's weights.
func schemesOf(m *family.Model, src store.Store, o Options) (widths.Schemes, error) {
	if o.Coding.Like != nil {
		src = o.Coding.Like
	}
	return widths.New(m, src, o.Scheme(), o.Coding.Head)
}

// rounded is a weight that becomes codes in blocks.
type rounded struct {
	w                     family.Weight
	scheme                nearest.Scheme
	part                  string
	rows, columns, across int64
	size                  int64 // bytes of a block
	code                  RowCoder
	pieces                <-chan *piece // its codes, see roundAhead
	codes                 *graph.Value  // as they were first asked for
	// made is what a first pass over the rows leaves for the tensors after the codes.
	scales, lows []uint16
	zeros        []byte
}

// roundable lists the weights that are rounded: embeddings and linear maps, experts'
// among them. What chooses experts or switches them stays as it is (a code's error there
// changes who computes), what the positional encoding reads too; so do norms, biases,
// convolutions and recurrences' own numbers, which are few, and maps narrower than a
// block.
func roundable(m *family.Model, of widths.Schemes, src store.Store) map[string]nearest.Scheme {
	list := map[string]nearest.Scheme{}
	q := store.Quantised(src)
	for _, p := range m.Parts() {
		var w *family.Weight
		switch of := p.Of.(type) {
		case *family.Linear:
			w = &of.Weight
		case *family.Weight:
			w = of
		}
		var s nearest.Scheme
		codes := false
		if w != nil {
			s, codes = of.Of(*w)
		}
		switch {
		case !codes || p.Kind != family.KindLinear && p.Kind != family.KindEmbedding || p.Encoding || p.Unread:
		case strings.HasSuffix(p.Place, family.AtRouter) || strings.HasSuffix(p.Place, family.AtSharedGate):
		case len(w.Shape) != 2 || w.Shape[1] < int64(s.Block):
		case q != nil && q.Tensors[w.Tensor] != nil:
		default:
			list[keyOf(*w)] = s
		}
	}
	return list
}

// loses tells of another kind of zero points that keeps the numbers of the first linear
// map where the one that was chosen rounds them anew, as floats do those of Q4_0, whose
// least number is seldom one of float16.
func loses(m *family.Model, src store.Store, o Options, list map[string]nearest.Scheme) (string, error) {
	if o.Sketch || o.Coding.Code != nil || o.Coding.Like != nil {
		return "", nil
	}
	for _, p := range m.Parts() {
		l, linear := p.Of.(*family.Linear)
		if !linear || list[keyOf(l.Weight)] != o.Scheme() || l.Weight.Tensor == m.Head.Weight.Tensor {
			continue
		}
		better, found, err := widths.Lossless(l.Weight, src, o.Scheme())
		if err != nil || !found {
			return "", err
		}
		return fmt.Sprintf("the numbers of %s are codes already (%v) and are rounded anew: "+hint.ZeroPoints+" %s with "+hint.Block+" %d loses nothing of such maps", l.Weight.Tensor, better, better.Zeros, better.Block), nil
	}
	return "", nil
}

// keyOf names a weight: its tensor, and which rows and columns it is.
func keyOf(w family.Weight) string { return names.RoundedWeight(w.Tensor, partOf(w), "") }

// rounds is a weight as codes, nil where it stays.
func (e *emitter) rounds(w family.Weight) *rounded {
	key := keyOf(w)
	s, codes := e.roundable[key]
	if !codes {
		return nil
	}
	if r := e.rounded[key]; r != nil {
		return r
	}
	r := &rounded{w: w, scheme: s, part: partOf(w), rows: w.Shape[0], columns: w.Shape[1], size: int64(s.Block * s.Bits / 8)}
	r.across = int64(s.Across(int(r.columns)))
	if e.opts.Coding.Code != nil {
		r.code = e.opts.Coding.Code(w)
	}
	e.rounded[key] = r
	e.weights.held[key] = s.String()
	return r
}

// byNBits tells whether products with a weight are MatMulNBits: not where standard
// operators decode it.
func (e *emitter) byNBits(r *rounded) bool {
	return !e.opts.Portable && (r.scheme.Bits != 8 || e.opts.Coding.Accuracy != AccuracyFloat32)
}

// level is the accuracy_level of products with codes.
func (e *emitter) level() int {
	if e.opts.Coding.Accuracy == AccuracyInt8 {
		return 4
	}
	return 1
}

// roundedProduct emits W x + c over rows, those of several weights of the same columns one
// after another: the codes' part as MatMulNBits, and that of the blocks' lows as a product
// with the sums of x over blocks. ONNX Runtime 1.32 takes floats for zero points too, and
// then decodes the whole map in every call: 11 to 20 times the time of float32, where this
// takes a tenth more than no zero points at all. Several weights are joined by rows, of
// constants, which a runtime does once, when the session loads.
func (e *emitter) roundedProduct(name string, x *graph.Value, c *graph.Value, list ...*rounded) *graph.Value {
	r := list[0]
	if !e.byNBits(r) {
		return e.decodedProduct(name, x, c, r)
	}
	if e.opts.DType == DTypeBFloat16 { // ONNX Runtime 1.32 has MatMulNBits of float32 and float16
		defer e.g.Wide()()
	}
	at := func(step string, is bool) string {
		if is {
			return name
		}
		return name + "/" + step
	}
	rows := int64(0)
	for _, r := range list {
		rows += r.rows
	}
	s := e.weights
	lows := r.scheme.Zeros == nearest.ZeroFloat
	in := []*graph.Value{x,
		e.joinedRows(name, "codes", list, s.codesOf),
		e.joinedRows(name, "scales", list, func(r *rounded) *graph.Value { return s.cast(s.halves(r, names.RoundedScales)) })}
	if r.scheme.Zeros == nearest.ZeroCode {
		in = append(in, e.joinedRows(name, "zeros", list, s.zerosOf))
	}
	y := e.g.Add(graph.Node{Domain: graph.Microsoft, Op: "MatMulNBits", Name: at("MatMulNBits", !lows && c == nil), In: in, Attrs: []graph.Attr{
		graph.IntAttr("K", int(r.columns)), graph.IntAttr("N", int(rows)), graph.IntAttr("bits", r.scheme.Bits),
		graph.IntAttr("block_size", r.scheme.Block), graph.IntAttr("accuracy_level", e.level()),
	}})[0]
	if lows {
		y = e.g.Op("Gemm", at("lows", c == nil), []*graph.Value{e.blockSums(x, r.scheme.Block, r.across, r.columns), e.joinedRows(name, "middles", list, e.middles), y}, graph.IntAttr("transB", 1))
	}
	if c == nil {
		return y
	}
	return e.g.Op("Add", name, []*graph.Value{y, c})
}

// decodedProduct is the same where standard operators decode the codes. The lows are no
// part of the map here either: OpenVINO 2026.4 multiplies codes that are cast, lessened by
// a number, multiplied and reshaped as they are, 4 or 8 bits each, and makes float32 of
// what has a sum besides.
func (e *emitter) decodedProduct(name string, x, c *graph.Value, r *rounded) *graph.Value {
	lows := r.scheme.Zeros == nearest.ZeroFloat
	in := []*graph.Value{x, e.decodedMap(r)}
	if c != nil {
		in = append(in, c)
	}
	transposed := graph.IntAttr("transB", 1)
	if !lows {
		return e.g.Op("Gemm", name, in, transposed)
	}
	y := e.g.Op("Gemm", name+"/"+names.Decoded, in, transposed)
	return e.g.Op("Gemm", name, []*graph.Value{e.blockSums(x, r.scheme.Block, r.across, r.columns), e.middles(r), y}, transposed)
}

// joinedRows are what a product reads of each weight, one after another.
func (e *emitter) joinedRows(name, step string, list []*rounded, of func(*rounded) *graph.Value) *graph.Value {
	var all []*graph.Value
	for _, r := range list {
		all = append(all, of(r))
	}
	if len(all) == 1 {
		return all[0]
	}
	return e.g.Op("Concat", name+"/"+step+"/Concat", all, graph.IntAttr("axis", 0))
}

// blockSums are the sums of x over blocks of its columns, (tokens, blocks).
func (e *emitter) blockSums(x *graph.Value, block int, across, columns int64) *graph.Value {
	name := fmt.Sprintf("%s/sums%d", x.Name(), block)
	return e.once(name, func() *graph.Value {
		if over := across*int64(block) - columns; over > 0 {
			x = e.g.Op("Pad", name+"/Pad", []*graph.Value{x, e.ints(fmt.Sprintf("pad%d", over), 0, 0, 0, over), e.scalar("pad_zero", 0)})
		}
		x = e.g.Op("Reshape", name+"/Reshape", []*graph.Value{x, e.ints(fmt.Sprintf("blocks%dx%d", across, block), -1, across, int64(block))})
		return e.g.Op("ReduceSum", name+"/ReduceSum", []*graph.Value{x, e.ints("axis2", 2)}, graph.IntAttr("keepdims", 0))
	})
}

// middles are the numbers of the middle codes, which MatMulNBits takes for 0.
func (e *emitter) middles(r *rounded) *graph.Value {
	s := e.weights
	name := "/rounded/" + keyOf(r.w) + "middles"
	defer s.g.Wide()()
	return s.once(name, func(string) *graph.Value {
		half := s.g.Op("Mul", name+"/Mul", []*graph.Value{s.cast(s.halves(r, names.RoundedScales)), e.scalar(fmt.Sprintf("middle%d", r.scheme.Bits), float64(r.scheme.Middle()))})
		return s.g.Op("Add", name+"/Add", []*graph.Value{half, s.cast(s.halves(r, names.RoundedLows))})
	})
}

// decodedMap is the map as float32, of standard operators over constants, which a runtime
// computes once, when the session loads, or leaves to its products: but for lows, which
// are products of their own. Each operator leaves a copy of the map behind in ONNX
// Runtime, so there are few.
func (e *emitter) decodedMap(r *rounded) *graph.Value {
	s := e.weights
	name := "/rounded/" + keyOf(r.w) + "map"
	return s.once(name, func(string) *graph.Value {
		return e.decoded(name, r, func(v *graph.Value) *graph.Value { return v }, r.scheme.Bits == 8 || e.opts.Opset >= uint4Since, false)
	})
}

// uint4Since is the operator set that brought integers of 4 bits.
const uint4Since = 21

// roundedRows looks up rows of an embedding, (tokens, columns), and decodes them.
func (e *emitter) roundedRows(name string, r *rounded, ids *graph.Value) *graph.Value {
	return e.decoded(name, r, func(v *graph.Value) *graph.Value {
		return e.g.Op("Gather", fmt.Sprintf("%s/%s/Gather", name, v.Name()[strings.LastIndex(v.Name(), "~")+1:]), []*graph.Value{v, ids})
	}, r.scheme.Bits == 8, true)
}

// decoded decodes the rows that of picks of codes, scales and what makes up zeros: of
// codes with one in each element or of bytes, with lows or from the middle code on.
func (e *emitter) decoded(name string, r *rounded, of func(*graph.Value) *graph.Value, elements, lows bool) *graph.Value {
	s, g := e.weights, e.g
	defer g.Wide()()
	op := func(step, op string, in ...*graph.Value) *graph.Value {
		return g.Op(op, name+"/"+step+"/"+op, in)
	}
	float := func(step string, v *graph.Value) *graph.Value {
		return g.Op("Cast", name+"/"+step+"/Cast", []*graph.Value{of(v)}, graph.IntAttr("to", int(graph.Float)))
	}
	spread := func(step string, v *graph.Value) *graph.Value { return op(step+"/each", "Unsqueeze", v, s.ints(2)) }
	block := int64(r.scheme.Block)
	var v *graph.Value
	if elements {
		v = float("codes", s.elementsOf(r))
	} else {
		v = op("blocks", "Reshape", e.nibbles(name+"/codes", float("codes", s.codesOf(r))), s.ints(-1, r.across, block))
	}
	lows = lows && r.scheme.Zeros == nearest.ZeroFloat
	switch {
	case r.scheme.Zeros != nearest.ZeroCode && !lows:
		v = op("zero", "Sub", v, e.scalar(fmt.Sprintf("middle%d", r.scheme.Bits), float64(r.scheme.Middle())))
	case r.scheme.Zeros == nearest.ZeroCode:
		z := float("zeros", s.zerosOf(r))
		if r.scheme.Bits == 4 {
			z = op("zeros/row", "Reshape", e.nibbles(name+"/zeros", z), s.ints(-1, (r.across+1)/2*2))
			if r.across%2 != 0 {
				z = op("zeros/cut", "Slice", z, s.ints(0), s.ints(r.across), s.ints(1))
			}
		}
		v = op("zero", "Sub", v, spread("zeros", z))
	}
	v = op("scale", "Mul", v, spread("scales", float("scales", s.halves(r, names.RoundedScales))))
	if lows {
		v = op("low", "Add", v, spread("lows", float("lows", s.halves(r, names.RoundedLows))))
	}
	if r.across*block == r.columns {
		return g.Op("Reshape", name, []*graph.Value{v, s.ints(-1, r.columns)})
	}
	v = op("row", "Reshape", v, s.ints(-1, r.across*block))
	return g.Op("Slice", name, []*graph.Value{v, s.ints(0), s.ints(r.columns), s.ints(1)})
}

// nibbles are the two codes of each byte, the lower first, along a last axis of their own.
func (e *emitter) nibbles(name string, v *graph.Value) *graph.Value {
	g := e.g
	axis := e.ints("axis-1", -1)
	high := g.Op("Floor", name+"/high/Floor", []*graph.Value{g.Op("Mul", name+"/high/Mul", []*graph.Value{v, e.scalar("sixteenth", 1.0/16)})})
	low := g.Op("Sub", name+"/low/Sub", []*graph.Value{v, g.Op("Mul", name+"/low/Mul", []*graph.Value{high, e.scalar("sixteen", 16)})})
	pair := []*graph.Value{g.Op("Unsqueeze", name+"/low/Unsqueeze", []*graph.Value{low, axis}), g.Op("Unsqueeze", name+"/high/Unsqueeze", []*graph.Value{high, axis})}
	return g.Op("Concat", name+"/pairs/Concat", pair, graph.IntAttr("axis", -1))
}
