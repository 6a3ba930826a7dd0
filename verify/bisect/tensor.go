package bisect

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

type node = *onnxpb.NodeProto

// shapes tells operators whose second input is a shape or a list of axes.
func shapes(n node) bool {
	switch n.GetOpType() {
	case "Reshape", "Expand", "Unsqueeze", "Squeeze":
		return true
	}
	return false
}

func wrongShape(m measured) bool { return strings.Contains(m.worst, "shape") }

// tensor lists the initialisers behind an input that is made of them alone.
func (w *walk) tensor(n node, input int, value string, layer int) []report.TensorFinding {
	var sources []*onnxpb.TensorProto
	var visit func(v string)
	visit = func(v string) {
		if t := w.plan.Weights[v]; t != nil {
			sources = append(sources, t)
			return
		}
		if i, ok := w.plan.Maker[v]; ok {
			for _, in := range w.plan.Nodes[i].GetInput() {
				visit(in)
			}
		}
	}
	visit(value)
	var list []report.TensorFinding
	for _, t := range sources {
		list = append(list, w.s.locate(t, input))
	}
	should := w.s.weightAt(n, input)
	if should == nil {
		for i, t := range sources {
			if !w.s.judgeTable(&list[i], t) && !w.s.judgeHeadTable(&list[i], t) {
				w.s.judgeByName(&list[i], t)
			}
		}
		w.s.judgeOrder(list, layer)
		return list
	}
	if judgeRounded(list, sources, should) {
		return list
	}
	var off float64
	var note string
	var err error
	if scales := scalesOf(sources); scales != "" {
		off, note, err = w.s.compareCoded(scales, should)
	} else {
		off, note, err = w.s.compareWeight(sources, should)
	}
	for i := range list {
		f := &list[i]
		f.Expected, f.State, f.MaxRel, f.Note = should.Tensor, report.StateGood, report.Number(off), note
		switch {
		case err != nil:
			f.State, f.Note = report.StateBad, err.Error()
		case note != "":
			f.State = report.StateBad
		}
		if f.State == report.StateBad && f.Tensor != "" && f.Tensor != should.Tensor {
			f.Note = fmt.Sprintf("the graph reads %s: expected %s; %s", f.Tensor, should.Tensor, f.Note)
		}
	}
	return list
}

// locate says where an initialiser's data lie.
func (s *search) locate(t *onnxpb.TensorProto, input int) report.TensorFinding {
	f := report.TensorFinding{Name: t.GetName(), Input: input, File: run.GraphFile, State: report.StateNone}
	location, offset, length := run.External(t)
	if location == "" {
		if v := small(t); v != "" {
			f.Note = v
		}
		return f
	}
	f.File, f.Begin, f.End = location, offset, offset+length
	stored := location
	for i, file := range s.ckpt.Files() {
		if location == names.WebData(filepath.Base(s.info.Path), i) { // the same file by the name that the graph has for it
			stored = filepath.Base(file.Path)
		}
	}
	for _, name := range s.ckpt.Names() {
		at, ok := s.ckpt.Place(name)
		if ok && filepath.Base(at.File) == stored && offset >= at.Offset && offset < at.Offset+at.Length {
			f.Tensor = name
		}
	}
	return f
}

// small spells a constant of few integers or floats.
func small(t *onnxpb.TensorProto) string {
	d, ok := dtypes[t.GetDataType()]
	n, err := tensor.Elements(t.GetDims())
	if !ok || err != nil || n > 8 || int64(len(t.GetRawData())) != n*int64(d.Size()) {
		return ""
	}
	if d == tensor.I64 {
		v := make([]int64, n)
		if tensor.DecodeInt64(v, t.GetRawData(), d) == nil {
			return fmt.Sprintf("%v", v)
		}
		return ""
	}
	v := make([]float64, n)
	if d.IsFloat() && tensor.Decode64(v, t.GetRawData(), d) == nil {
		return fmt.Sprintf("%v", v)
	}
	return ""
}

// dtypes are the element types of weights by ONNX's numbers.
var dtypes = map[int32]tensor.DType{
	int32(onnxpb.TensorProto_FLOAT): tensor.F32, int32(onnxpb.TensorProto_FLOAT16): tensor.F16, int32(onnxpb.TensorProto_BFLOAT16): tensor.BF16,
	int32(onnxpb.TensorProto_DOUBLE): tensor.F64, int32(onnxpb.TensorProto_INT64): tensor.I64, int32(onnxpb.TensorProto_INT32): tensor.I32, int32(onnxpb.TensorProto_BOOL): tensor.Bool,
}

// judgeTable compares a table of cosines or sines with what it should hold; it
// reports false for what is no such table.
func (s *search) judgeTable(f *report.TensorFinding, t *onnxpb.TensorProto) bool {
	prefix, sin := strings.CutSuffix(t.GetName(), names.SinTable)
	r, ok := s.rotaries()[strings.TrimSuffix(prefix, names.CosTable)]
	if !ok {
		return false
	}
	planes := r.Planes()
	d, raw := t.GetDims(), t.GetRawData()
	if len(d) != 2 || d[1] < int64(planes) || int64(len(raw)) != 4*d[0]*d[1] {
		f.State, f.Note = report.StateBad, fmt.Sprintf("its shape is %v: expected positions and %d planes", d, planes)
		return true
	}
	x := make([]float64, d[0]*d[1])
	if tensor.Decode64(x, raw, tensor.F32) != nil {
		return false
	}
	f.State = report.StateGood
	for row := range d[0] {
		for p := range planes {
			want, s := r.CosSin(p, row)
			if sin {
				want = s
			}
			got := x[row*d[1]+int64(p)]
			if off := math.Abs(got - want); !(off <= 2*report.Float32.Roundoff()*max(1, math.Abs(want))) && (f.State == report.StateGood || !(off <= float64(f.MaxRel))) {
				f.State, f.MaxRel = report.StateBad, report.Number(off)
				f.Note = fmt.Sprintf("position %d, plane %d is %.6g: expected %.6g", row, p, got, want)
			}
		}
	}
	return true
}

// judgeByName compares an initialiser with the tensor of its name.
func (s *search) judgeByName(f *report.TensorFinding, t *onnxpb.TensorProto) {
	weight := family.Weight{Tensor: t.GetName()}
	if at := strings.LastIndexByte(weight.Tensor, '['); at > 0 {
		begin, end, ok := strings.Cut(strings.TrimSuffix(weight.Tensor[at+1:], "]"), ":")
		a, err1 := strconv.ParseInt(begin, 10, 64)
		b, err2 := strconv.ParseInt(end, 10, 64)
		if ok && err1 == nil && err2 == nil {
			weight.Tensor, weight.Rows = weight.Tensor[:at], []family.Range{{Begin: a, End: b}}
		}
	}
	if _, ok := s.ckpt.Lookup(weight.Tensor); !ok {
		return
	}
	off, note, err := s.compareWeight([]*onnxpb.TensorProto{t}, &weight)
	f.Expected, f.State, f.MaxRel, f.Note = weight.Tensor, report.StateGood, report.Number(off), note
	if err != nil {
		f.State, f.Note = report.StateBad, err.Error()
	} else if note != "" {
		f.State = report.StateBad
	}
}

// joinedAfter begins the note of a part that stands in the wrong place.
const joinedAfter = "it is joined after "

// judgeOrder holds the parts of a layer's fused projection against the order in
// which their outputs are taken apart: queries, keys, values.
func (s *search) judgeOrder(list []report.TensorFinding, layer int) {
	if layer < 0 || layer >= len(s.model.Blocks) {
		return
	}
	a := s.model.Blocks[layer].Attn()
	if a == nil {
		return
	}
	place := map[string]int{}
	for i, l := range []family.Linear{a.Q, a.K, a.V} {
		place[l.Weight.Tensor] = i
		if l.Bias != nil {
			place[l.Bias.Tensor] = i
		}
	}
	delete(place, "")
	for i := 1; i < len(list); i++ {
		before, ok := place[list[i-1].Expected]
		here, ok2 := place[list[i].Expected]
		if ok && ok2 && here < before {
			list[i].State, list[i].MaxRel = report.StateBad, report.Number(math.Inf(1))
			list[i].Note = joinedAfter + list[i-1].Expected + ": expected before it"
		}
	}
}

// compareWeight reads initialisers, joined, beside the checkpoint's weight, a
// piece at a time: max |got − want| / max |want|.
func (s *search) compareWeight(sources []*onnxpb.TensorProto, should *family.Weight) (off float64, note string, err error) {
	raw, dtype, err := s.bytesOf(sources, should)
	if err != nil {
		return 0, "", err
	}
	defer s.ckpt.Release(should.Tensor)
	var got []io.Reader
	for _, t := range sources {
		if d, known := dtypes[t.GetDataType()]; !known || d != dtype {
			return 0, "", fmt.Errorf("its elements are %s: expected %s", onnxpb.TensorProto_DataType(t.GetDataType()), dtype)
		}
		location, offset, length := run.External(t)
		if location == "" {
			got = append(got, bytes.NewReader(t.GetRawData()))
			continue
		}
		f, err := os.Open(filepath.Join(s.info.Dir(), location))
		if err != nil {
			return 0, "", err
		}
		defer f.Close()
		got = append(got, io.NewSectionReader(f, offset, length))
	}
	return compareReaders(io.MultiReader(got...), bytes.NewReader(raw), dtype)
}

// bytesOf are the bytes that initialisers should hold: the weight's as stored, or
// float32 the other way round where the one there is says so by its name.
func (s *search) bytesOf(sources []*onnxpb.TensorProto, should *family.Weight) ([]byte, tensor.DType, error) {
	if len(sources) == 1 {
		if _, ok := run.TransposeOf(sources[0].GetName()); ok && len(should.Shape) == 2 {
			raw, err := run.Transposed(should, should.Shape[0], s.ckpt)
			return raw, tensor.F32, err
		}
	}
	return should.Bytes(s.ckpt)
}

func compareReaders(got, want io.Reader, d tensor.DType) (off float64, note string, err error) {
	const piece = 1 << 15
	a, b := make([]byte, piece*d.Size()), make([]byte, piece*d.Size())
	x, y := make([]float64, piece), make([]float64, piece)
	var worst, largest float64
	differ, total := 0, 0
	for {
		n, errA := io.ReadFull(got, a)
		m, errB := io.ReadFull(want, b)
		if n != m {
			return 0, "", fmt.Errorf("it has %d bytes after element %d: expected %d", n, total, m)
		}
		k := n / d.Size()
		if err := errors.Join(tensor.Decode64(x[:k], a[:k*d.Size()], d), tensor.Decode64(y[:k], b[:k*d.Size()], d)); err != nil {
			return 0, "", err
		}
		for i := range k {
			if !bytes.Equal(a[i*d.Size():(i+1)*d.Size()], b[i*d.Size():(i+1)*d.Size()]) {
				differ++
				d := math.Abs(x[i] - y[i])
				if math.IsNaN(d) {
					d = math.Inf(1)
				}
				worst = max(worst, d)
			}
			largest = max(largest, math.Abs(y[i]))
		}
		total += k
		if errA != nil || errB != nil {
			break
		}
	}
	if differ == 0 {
		return 0, "", nil
	}
	return report.Ratio(worst, largest), fmt.Sprintf("%d of %d elements differ from the checkpoint's", differ, total), nil
}
