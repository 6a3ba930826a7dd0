package onnxops

import (
	"fmt"
	"io"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/onnxops/graph"
)

// dataAlign is the alignment of tensors in model.onnx.data, in bytes.
const dataAlign = 64

// initializers turns weights into initializers, each stored tensor once.
type initializers struct {
	g     *graph.Graph
	src   store.Store
	mode  string
	kind  string // Options.Weights
	opset int
	held  map[string]string // weights in codes, by name and rows: what the graph has of each
	loses string            // of codes that keep what these round anew, "" where none are known
	// folder is where the graph goes in the model's folder, "" for beside the model.
	folder string
	// graph is the name of the graph's file.
	graph string
	cache map[string]*graph.Value
	data  []chunk // for model.onnx.data, in order
	end   int64   // its length so far
	// ahead are the weights whose codes lie there, in order.
	ahead []*rounded
	// narrowed are the weights that the graph reads in 16 bits.
	narrowed map[string]family.Weight
	// digests are those of what was made, by initializer, once it is written.
	digests map[string]string
	// views are initializers that are others' bytes: which.
	views map[string]string
}

// chunk is one piece of model.onnx.data.
type chunk struct {
	src        store.Store
	tensor     string
	begin, end int64 // bytes of the stored tensor
	offset     int64 // in model.onnx.data
	// write, where not nil, makes the piece's bytes of what is stored; begin and end
	// then are those of what it writes, which is initializer name.
	write func(io.Writer) error
	name  string
}

// onnxTypes maps what ONNX Runtime can cast to float32.
var onnxTypes = map[tensor.DType]graph.DType{
	tensor.BF16: graph.BFloat16, tensor.F16: graph.Float16, tensor.F32: graph.Float, tensor.F64: graph.Double,
}

// float32 returns the weight in the type that nodes take now, which is float32 but in
// graphs of 16 bits, cast once where it is stored otherwise.
func (s *initializers) float32(w family.Weight) *graph.Value {
	v := s.cast(s.stored(w))
	if s.g.Takes() != graph.Float {
		s.narrows(w)
	}
	if w.Columns == nil || s.g.Err() != nil {
		return v
	}
	return s.columns(w, v)
}

// cast returns a value in the type that nodes take now. A value of that type is cast
// too where that is not float32, which a runtime drops: then the graph in float32 is
// this one with other casts.
func (s *initializers) cast(v *graph.Value) *graph.Value {
	to := s.g.Takes()
	if v.DType() == graph.Float || s.g.Err() != nil {
		return v // and what reads it casts it
	}
	name := "/cast/" + v.Name()
	if c := s.cache[name]; c != nil {
		return s.g.Typed(c, to)
	}
	c := s.g.Op("Cast", name, []*graph.Value{v}, graph.IntAttr("to", int(to)))
	s.cache[name] = c
	return c
}

// narrows notes that a weight is read in 16 bits.
func (s *initializers) narrows(w family.Weight) {
	if s.narrowed == nil {
		s.narrowed = map[string]family.Weight{}
	}
	s.narrowed[keyOf(w)] = w
}

// optional is float32 for a weight that may be absent.
func (s *initializers) optional(w *family.Weight) *graph.Value {
	if w == nil {
		return nil
	}
	return s.float32(*w)
}

// stored returns the weight in its stored type: one initializer for a whole
// tensor or for one run of its rows, else the runs joined.
func (s *initializers) stored(w family.Weight) *graph.Value {
	if c := s.codedOf(w); c != nil {
		if c.nothing == "" {
			return s.scaled(c)
		}
		s.hold(c, fmt.Sprintf("%s (%s)", FormFloat32, c.nothing))
	}
	info, ok := s.readable(w)
	if !ok {
		return &graph.Value{}
	}
	defer s.g.AsTheyAre()()
	return s.raw(s.src, w, info)
}

// raw is stored for a tensor of any store, in the type that it has there.
func (s *initializers) raw(src store.Store, w family.Weight, info store.Info) *graph.Value {
	runs := family.JoinRanges(w.Rows)
	if len(runs) == 0 {
		return s.initializer(src, w.Tensor, w.Shape, info, 0, info.Bytes())
	}
	parts := make([]*graph.Value, len(runs))
	for i, r := range runs {
		begin, end, err := tensor.RowBytes(info.DType, tensor.Matrix(info.Shape), r.Begin, r.End)
		if err != nil {
			return s.fail(store.Errorf(src, w.Tensor, "%w", err))
		}
		shape := append([]int64{r.End - r.Begin}, w.Shape[1:]...)
		if w.Columns != nil {
			shape = []int64{r.End - r.Begin, w.Width()}
		}
		name := fmt.Sprintf("%s[%d:%d]", w.Tensor, r.Begin, r.End)
		parts[i] = s.initializer(src, name, shape, info, begin, end)
	}
	if len(parts) == 1 {
		return parts[0]
	}
	name := fmt.Sprintf("/rows/%s[%d:%d+%d]", w.Tensor, runs[0].Begin, runs[0].End, len(runs)-1)
	if v := s.cache[name]; v != nil {
		return v
	}
	v := s.g.Op("Concat", name, parts, graph.IntAttr("axis", 0))
	s.cache[name] = v
	return v
}

// readable finds a weight's tensor, or records that it is not there or of a type that
// graphs have no number for.
func (s *initializers) readable(w family.Weight) (store.Info, bool) {
	info, ok := s.src.Lookup(w.Tensor)
	switch _, known := onnxTypes[info.DType]; {
	case !ok:
		s.fail(store.Missing(s.src, w.Tensor))
	case !known:
		s.fail(unsupported("%s: tensor %q is %s: weights may be BF16, F16, F32 or F64; convert the checkpoint to one of these first",
			store.Where(s.src, w.Tensor), w.Tensor, info.DType))
	}
	return info, s.g.Err() == nil
}

// initializer adds bytes begin to end of a stored tensor as an initializer.
func (s *initializers) initializer(src store.Store, name string, shape []int64, info store.Info, begin, end int64) *graph.Value {
	if v := s.cache[name]; v != nil {
		return v
	}
	t, ok := onnxTypes[info.DType]
	if !ok {
		t = codeTypes[info.DType]
	}
	at, inFile := src.Place(info.Name)
	var v *graph.Value
	switch {
	case s.mode == PlaceEmbed:
		raw, err := src.Read(info.Name, begin, end)
		if err != nil {
			return s.fail(err)
		}
		v = s.g.Tensor(name, t, shape, raw)
	case s.mode == PlaceExternal && inFile:
		v = s.g.External(name, t, shape, fileIn(s.folder, s.graph, src, at.File), at.Offset+begin, end-begin)
	case s.mode == PlaceExternal && !s.decodes(info.Name):
		return s.fail(unsupported("%s: tensor %q lies in no file that a graph could read it from: embed the weights or copy them", src.Root(), info.Name))
	default:
		at := s.place(chunk{src: src, tensor: info.Name, begin: begin, end: end})
		v = s.g.External(name, t, shape, s.dataFile(), at, end-begin)
	}
	s.cache[name] = v
	return v
}

// decodes tells whether a tensor is made of others as it is read.
func (s *initializers) decodes(name string) bool {
	q := store.Quantised(s.src)
	return q != nil && q.Tensors[name] != nil
}

// place appends a piece to model.onnx.data and returns its offset there.
func (s *initializers) place(c chunk) int64 {
	c.offset = (s.end + dataAlign - 1) / dataAlign * dataAlign
	s.data = append(s.data, c)
	s.end = c.offset + c.end - c.begin
	return c.offset
}

func (s *initializers) fail(err error) *graph.Value {
	s.g.Fail(err)
	return &graph.Value{}
}
