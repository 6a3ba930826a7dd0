package weights

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/verify/run"
)

// turned is an initializer that is a weight, or rows of one, the other way round and
// in float32.
type turned struct {
	info store.Info
	w    family.Weight
}

// turnedOf reads an initializer's name.
func (s *placed) turnedOf(name string) (turned, bool) {
	w, ok := run.TransposeOf(name)
	info, known := s.ckpt.Lookup(w.Tensor)
	if !ok || !known || len(info.Shape) == 0 {
		return turned{}, false
	}
	info.Shape = tensor.Matrix(info.Shape) // experts that lie in one tensor are rows of it
	w.Stored = info.Shape
	if w.Rows == nil {
		w.Rows = []family.Range{{Begin: 0, End: info.Shape[0]}}
	}
	for _, r := range w.Rows {
		if r.End > info.Shape[0] {
			return turned{}, false
		}
	}
	return turned{info, w}, true
}

// size is the weight's shape, (out, in).
func (t turned) size() (rows, columns int64) {
	for _, r := range t.w.Rows {
		rows += r.End - r.Begin
	}
	columns = 1
	for _, d := range t.info.Shape[1:] {
		columns *= d
	}
	if c := t.w.Columns; c != nil {
		if columns = c.Count; c.Across {
			return columns, rows
		}
	}
	return rows, columns
}

// unlike tells of a transposed weight whose type, shape or length is not that of the
// tensor of its name; "" where all are.
func (t turned) unlike(init *onnxpb.TensorProto) string {
	rows, columns := t.size()
	_, _, length := run.External(init)
	if length == 0 {
		length = int64(len(init.GetRawData()))
	}
	d := init.GetDims()
	switch {
	case init.GetDataType() != int32(onnxpb.TensorProto_FLOAT):
		return fmt.Sprintf("the graph has %q as %s: expected FLOAT", init.GetName(), onnxpb.TensorProto_DataType(init.GetDataType()))
	case len(d) != 2 || d[0] != columns || d[1] != rows:
		return fmt.Sprintf("the graph has %q as %v: expected [%d %d], the checkpoint has the tensor as %v", init.GetName(), d, columns, rows, t.info.Shape)
	case length != 4*rows*columns:
		return fmt.Sprintf("the graph's copy %q has %d bytes: expected %d", init.GetName(), length, 4*rows*columns)
	}
	return ""
}

// strayTurned compares a transposed weight with the checkpoint's numbers; "" where all are
// the same.
func (s *placed) strayTurned(t turned, init *onnxpb.TensorProto) string {
	if found := t.unlike(init); found != "" {
		return found
	}
	n, _ := t.size()
	want, err := run.Transposed(&t.w, n, s.ckpt)
	defer s.ckpt.Release(t.info.Name)
	if err != nil {
		return err.Error()
	}
	got := init.GetRawData()
	if location, offset, length := run.External(init); location != "" {
		f, err := os.Open(filepath.Join(s.dir, filepath.FromSlash(location)))
		if err != nil {
			return err.Error()
		}
		defer f.Close()
		got = make([]byte, length)
		if _, err := io.ReadFull(io.NewSectionReader(f, offset, length), got); err != nil {
			return fmt.Sprintf("the graph's copy %q: %s: %v", init.GetName(), location, err)
		}
	}
	if bytes.Equal(got, want) {
		return ""
	}
	i := 0
	for got[i] == want[i] {
		i++
	}
	return fmt.Sprintf("the graph's transposed copy of %q is not the checkpoint's at row %d, column %d of the weight", t.info.Name, int64(i/4)%n, int64(i/4)/n)
}
