package onnxops

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/posenc/hint"
)

// fitPiece is how many bytes of a weight are looked at in one go.
const fitPiece = 16 << 20

// fits tells of a weight that a graph reads in float16 and that has a number which
// becomes infinite there: 65520 or more, the middle between float16's largest number,
// 65504, and what would be its next. bfloat16 holds whatever float32 does, but for the
// last half step, which is looked for likewise.
func (s *initializers) fits(o Options) error {
	limit := 65520.0
	switch s.g.Computes() {
	case graph.BFloat16:
		limit = 0x1.ffp127
	case graph.Float:
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(s.narrowed)) {
		if err := s.fitsOne(s.narrowed[key], limit, o); err != nil {
			return err
		}
	}
	return nil
}

func (s *initializers) fitsOne(w family.Weight, limit float64, o Options) error {
	info, _ := s.src.Lookup(w.Tensor)
	size := int64(info.DType.Size())
	runs := family.JoinRanges(w.Rows)
	if len(runs) == 0 {
		runs = []family.Range{{Begin: 0, End: max(1, tensor.Matrix(info.Shape)[0])}}
	}
	if info.DType == tensor.F16 || limit > 65520 && info.DType == tensor.BF16 {
		return nil
	}
	for _, r := range runs {
		begin, end, err := tensor.RowBytes(info.DType, tensor.Matrix(info.Shape), r.Begin, r.End)
		if err != nil {
			return store.Errorf(s.src, w.Tensor, "%w", err)
		}
		for at := begin; at < end; at += fitPiece {
			raw, err := s.src.Read(w.Tensor, at, min(at+fitPiece, end))
			if err != nil {
				return err
			}
			if i, v, found := beyond(raw, info.DType, limit); found {
				if math.IsNaN(v) || math.IsInf(v, 0) {
					return fmt.Errorf("onnx: %w", store.Errorf(s.src, w.Tensor, "number %d is %g: expected a finite one", at/size+i, v))
				}
				return hint.Errorf("onnx: %w", store.Errorf(s.src, w.Tensor, "number %d is %g, and %s holds numbers up to %g: use "+hint.DType+" %s",
					at/size+i, v, o.DType, -unseen[s.g.Computes()], map[bool]string{true: DTypeBFloat16, false: DTypeFloat32}[limit == 65520]))
			}
		}
	}
	s.src.Release(w.Tensor)
	return nil
}

// beyond looks for the first number whose size is limit or more, a power of two of
// bfloat16 or a number of float32.
func beyond(raw []byte, d tensor.DType, limit float64) (index int64, v float64, found bool) {
	switch d {
	case tensor.BF16:
		least := uint16((math.Float32bits(float32(limit)) + 0xffff) >> 16)
		for i := 0; i+2 <= len(raw); i += 2 {
			if bits := binary.LittleEndian.Uint16(raw[i:]); bits&0x7fff >= least {
				return int64(i / 2), float64(math.Float32frombits(uint32(bits) << 16)), true
			}
		}
	case tensor.F32:
		least := math.Float32bits(float32(limit))
		for i := 0; i+4 <= len(raw); i += 4 {
			if bits := binary.LittleEndian.Uint32(raw[i:]); bits&0x7fffffff >= least {
				return int64(i / 4), float64(math.Float32frombits(bits)), true
			}
		}
	case tensor.F64:
		for i := 0; i+8 <= len(raw); i += 8 {
			if v := math.Float64frombits(binary.LittleEndian.Uint64(raw[i:])); !(math.Abs(v) < limit) {
				return int64(i / 8), v, true
			}
		}
	}
	return 0, 0, false
}
