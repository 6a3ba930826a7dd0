package weights

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/verify/run"
)

// behind finds the stored tensor that a weight of the graph is, NAME or its rows
// NAME[begin:end], and at which byte of it the weight begins.
func (s *placed) behind(t *onnxpb.TensorProto) (o origin, from int64, ok bool) {
	weight := t.GetName()
	o, ok = s.lookup(weight, t)
	if at := strings.LastIndexByte(weight, '['); !ok && at > 0 {
		if o, ok = s.lookup(weight[:at], t); ok && len(o.info.Shape) > 0 && o.info.Shape[0] > 0 {
			begin, _, _ := strings.Cut(weight[at+1:], ":")
			row, _ := strconv.ParseInt(begin, 10, 64)
			from = row * (o.info.Bytes() / tensor.Matrix(o.info.Shape)[0])
		}
	}
	return o, from, ok
}

// strayCopy compares the graph's own copy of a weight, in model.onnx or a file
// beside it, with the checkpoint's bytes; "" where they are the same, or where
// it is no weight of the checkpoint. A prompt reads few rows of an embedding, so
// no logit need tell of a copy that is damaged.
func (s *placed) strayCopy(t *onnxpb.TensorProto, location string, offset, length int64) string {
	if turned, ok := s.turnedOf(t.GetName()); ok {
		return s.strayTurned(turned, t)
	}
	if _, _, ok := run.CodedWeight(t.GetName()); ok {
		return "" // strayCoded compares what it amounts to
	}
	if _, ok := run.RoundedWeight(t.GetName()); ok {
		return "" // strayRounded does
	}
	o, from, ok := s.behind(t)
	if !ok {
		return ""
	}
	info := o.info
	stored, err := store.Bytes(o.src, info.Name)
	if err != nil {
		return err.Error()
	}
	var own io.Reader = bytes.NewReader(t.GetRawData())
	if location == "" {
		length = int64(len(t.GetRawData()))
	} else {
		f, err := os.Open(filepath.Join(s.dir, filepath.FromSlash(location)))
		if err != nil {
			return ""
		}
		defer f.Close()
		own = io.NewSectionReader(f, offset, length)
	}
	if from+length > int64(len(stored)) {
		return fmt.Sprintf("the graph's own copy of %q has %d bytes, the checkpoint %d", t.GetName(), length, int64(len(stored))-from)
	}
	piece := make([]byte, 1<<20)
	for at := int64(0); at < length; {
		n, err := io.ReadFull(own, piece[:min(int64(len(piece)), length-at)])
		want := stored[from+at : from+at+int64(n)]
		if !bytes.Equal(piece[:n], want) {
			i := 0
			for piece[i] == want[i] {
				i++
			}
			return fmt.Sprintf("the graph's own copy of %q is not the checkpoint's from number %d on", t.GetName(), (at+int64(i))/int64(info.DType.Size()))
		}
		if err != nil {
			return fmt.Sprintf("the graph's own copy of %q ends after %d of %d bytes", t.GetName(), at+int64(n), length)
		}
		at += int64(n)
	}
	o.src.Release(info.Name)
	return ""
}
