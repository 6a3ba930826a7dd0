package onnxops

import (
	"fmt"
	"path/filepath"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/onnxops/graph"
)

// dataAlign is the alignment of tensors in model.onnx.data, in bytes.
const dataAlign = 64

// store turns weights into initializers, each stored tensor once.
type store struct {
	g     *graph.Graph
	ckpt  *safetensors.Checkpoint
	mode  string
	cache map[string]*graph.Value
	data  []chunk // for model.onnx.data, in order
	end   int64   // its length so far
}

// chunk is one piece of model.onnx.data.
type chunk struct {
	tensor     string
	begin, end int64 // bytes of the stored tensor
	offset     int64 // in model.onnx.data
}

// onnxTypes maps what ONNX Runtime can cast to float32.
var onnxTypes = map[tensor.DType]graph.DType{
	tensor.BF16: graph.BFloat16, tensor.F16: graph.Float16, tensor.F32: graph.Float, tensor.F64: graph.Double,
}

// float32 returns the weight as float32, cast once where it is stored otherwise.
func (s *store) float32(w family.Weight) *graph.Value {
	v := s.stored(w)
	if v.DType() == graph.Float || s.g.Err() != nil {
		return v
	}
	name := "/cast/" + v.Name()
	if c := s.cache[name]; c != nil {
		return c
	}
	c := s.g.Op("Cast", name, []*graph.Value{v}, graph.IntAttr("to", int(graph.Float)))
	s.cache[name] = c
	return c
}

// optional is float32 for a weight that may be absent.
func (s *store) optional(w *family.Weight) *graph.Value {
	if w == nil {
		return nil
	}
	return s.float32(*w)
}

// stored returns the weight in its stored type: one initializer for a whole
// tensor or for one run of its rows, else the runs joined.
func (s *store) stored(w family.Weight) *graph.Value {
	info, file, ok := s.ckpt.Lookup(w.Tensor)
	if !ok {
		s.g.Fail(fmt.Errorf("tensor %q is not in the checkpoint", w.Tensor))
		return &graph.Value{}
	}
	if _, ok := onnxTypes[info.DType]; !ok {
		s.g.Fail(unsupported("%s: tensor %q is %s: weights may be BF16, F16, F32 or F64; convert the checkpoint to one of these first",
			file.Path, w.Tensor, info.DType))
		return &graph.Value{}
	}
	runs := mergeRuns(w.Rows)
	if len(runs) == 0 {
		return s.initializer(w.Tensor, w.Shape, info, file, 0, info.End-info.Begin)
	}
	row := (info.End - info.Begin) / info.Shape[0]
	parts := make([]*graph.Value, len(runs))
	for i, r := range runs {
		if r.Begin < 0 || r.End > info.Shape[0] {
			s.g.Fail(fmt.Errorf("tensor %q: rows %d to %d of %d", w.Tensor, r.Begin, r.End, info.Shape[0]))
			return &graph.Value{}
		}
		shape := append([]int64{r.End - r.Begin}, w.Shape[1:]...)
		name := fmt.Sprintf("%s[%d:%d]", w.Tensor, r.Begin, r.End)
		parts[i] = s.initializer(name, shape, info, file, r.Begin*row, r.End*row)
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

// mergeRuns joins neighbouring row ranges.
func mergeRuns(rows []family.Range) []family.Range {
	var out []family.Range
	for _, r := range rows {
		if n := len(out); n > 0 && out[n-1].End == r.Begin {
			out[n-1].End = r.End
			continue
		}
		out = append(out, r)
	}
	return out
}

// initializer adds bytes begin to end of a stored tensor as an initializer.
func (s *store) initializer(name string, shape []int64, info safetensors.Info, file *safetensors.File, begin, end int64) *graph.Value {
	if v := s.cache[name]; v != nil {
		return v
	}
	var v *graph.Value
	switch s.mode {
	case WeightsEmbed:
		raw, err := s.ckpt.Bytes(info.Name)
		if err != nil {
			s.g.Fail(err)
			return &graph.Value{}
		}
		v = s.g.Tensor(name, onnxTypes[info.DType], shape, raw[begin:end])
	case WeightsExternalCopy:
		s.end = (s.end + dataAlign - 1) / dataAlign * dataAlign
		s.data = append(s.data, chunk{tensor: info.Name, begin: begin, end: end, offset: s.end})
		v = s.g.External(name, onnxTypes[info.DType], shape, DataFile, s.end, end-begin)
		s.end += end - begin
	default:
		offset := file.DataStart() + info.Begin + begin
		v = s.g.External(name, onnxTypes[info.DType], shape, filepath.Base(file.Path), offset, end-begin)
	}
	s.cache[name] = v
	return v
}
