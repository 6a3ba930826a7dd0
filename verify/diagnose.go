package verify

import (
	"encoding/binary"
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/posenc"
)

// diagnose looks for what in the graph's own data contradicts the checkpoint,
// so that a failed check can say where to look. It returns "" where the data
// agree. It judges nothing: the checks do.
func (s *session) diagnose() string {
	if s.diagnosis == nil {
		found := s.strayWeights()
		if found == "" {
			found = s.strayTables()
		}
		s.diagnosis = &found
	}
	return *s.diagnosis
}

// strayWeights finds the first external weight that is not where the tensor
// file's header has the tensor of its name.
func (s *session) strayWeights() string {
	for _, t := range s.info.Model.GetGraph().GetInitializer() {
		location, offset, length := external(t)
		if !strings.HasSuffix(location, ".safetensors") {
			continue
		}
		name, from := t.GetName(), int64(0)
		info, file, ok := s.ckpt.Lookup(name)
		if at := strings.LastIndexByte(name, '['); !ok && at > 0 { // rows of a tensor: name[begin:end]
			if info, file, ok = s.ckpt.Lookup(name[:at]); ok && len(info.Shape) > 0 && info.Shape[0] > 0 {
				begin, _, _ := strings.Cut(name[at+1:], ":")
				row, _ := strconv.ParseInt(begin, 10, 64)
				from = row * ((info.End - info.Begin) / info.Shape[0])
			}
		}
		switch {
		case !ok:
			return fmt.Sprintf("the graph's weight %q is no tensor of the checkpoint: the graph was emitted for another one; emit it again with pecvt export", name)
		case filepath.Base(file.Path) != location:
			return fmt.Sprintf("the graph takes %q from %s, the checkpoint has it in %s: emit the graph again with pecvt export", name, location, filepath.Base(file.Path))
		case offset != file.DataStart()+info.Begin+from || offset+length > file.DataStart()+info.End:
			return fmt.Sprintf("the graph takes %q from bytes %d to %d of %s, whose header has it at %d to %d: the graph was emitted for another file, or the file was changed since; emit the graph again with pecvt export",
				name, offset, offset+length, location, file.DataStart()+info.Begin+from, file.DataStart()+info.End)
		}
	}
	return ""
}

// strayLink finds a tensor file that is a symbolic link out of the folder:
// ONNX Runtime and the interpreter refuse external data outside it.
func (s *session) strayLink() string {
	dir, err := filepath.EvalSymlinks(s.dir)
	if err != nil {
		return ""
	}
	for _, f := range s.ckpt.Files {
		name := filepath.Base(f.Path)
		to, err := filepath.EvalSymlinks(filepath.Join(s.dir, name))
		if err == nil && filepath.Dir(to) != absolute(dir) && filepath.Dir(to) != dir {
			return fmt.Sprintf("%s is a symbolic link to %s: a graph's weights must lie in its own folder; put the file there, or a hard link", name, to)
		}
	}
	return ""
}

// external returns where an initializer's data lie, "" for data of its own.
func external(t *onnxpb.TensorProto) (location string, offset, length int64) {
	for _, e := range t.GetExternalData() {
		switch e.GetKey() {
		case "location":
			location = e.GetValue()
		case "offset":
			offset, _ = strconv.ParseInt(e.GetValue(), 10, 64)
		case "length":
			length, _ = strconv.ParseInt(e.GetValue(), 10, 64)
		}
	}
	return location, offset, length
}

// strayTables finds the first cosine or sine in the graph that is not the one
// of the encoding that config.json declares.
func (s *session) strayTables() string {
	tables := map[string]*onnxpb.TensorProto{}
	for _, t := range s.info.Model.GetGraph().GetInitializer() {
		tables[t.GetName()] = t
	}
	var seen []posenc.Rotary
	for i := range s.model.Blocks {
		r := s.model.Blocks[i].Attn.Rotary
		if r.Dim == 0 || knownRotary(seen, r) {
			continue
		}
		prefix := "/rotary"
		if n := len(seen); n > 0 {
			prefix = fmt.Sprintf("/rotary.%d", n)
		}
		seen = append(seen, r)
		cos, sin := tables[prefix+"/cos_table"], tables[prefix+"/sin_table"]
		if cos == nil || sin == nil {
			return ""
		}
		if found := strayTable(r, cos, sin); found != "" {
			return found
		}
	}
	return ""
}

func knownRotary(seen []posenc.Rotary, r posenc.Rotary) bool {
	for _, o := range seen {
		if reflect.DeepEqual(o, r) {
			return true
		}
	}
	return false
}

// tableSlack is what rounding to float32 can change in a cosine or sine times
// the attention factor, with room for another sine function.
const tableSlack = 1e-6

func strayTable(r posenc.Rotary, cos, sin *onnxpb.TensorProto) string {
	if len(cos.GetDims()) != 2 || len(sin.GetDims()) != 2 {
		return ""
	}
	rows, width := int(cos.GetDims()[0]), int(cos.GetDims()[1])
	if width < r.Planes() || len(cos.GetRawData()) != 4*rows*width || len(sin.GetRawData()) != 4*rows*width {
		return fmt.Sprintf("the graph's tables have %d planes, the encoding of config.json has %d: emit the graph again with pecvt export", width, r.Planes())
	}
	at := func(t *onnxpb.TensorProto, row, plane int) float64 {
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(t.GetRawData()[4*(row*width+plane):])))
	}
	for row := range rows {
		for p := range r.Planes() {
			c, d := r.CosSin(p, int64(row))
			for _, v := range []struct {
				name      string
				got, want float64
			}{{"cos", at(cos, row, p), c}, {"sin", at(sin, row, p), d}} {
				if !(math.Abs(v.got-v.want) <= tableSlack*max(1, math.Abs(r.Gain))) {
					return fmt.Sprintf("the graph's %s table holds %.6g for position %d, plane %d, where config.json's encoding gives %.6g: the emission is wrong, or config.json was changed after it; emit the graph again with pecvt export",
						v.name, v.got, row, p, v.want)
				}
			}
		}
	}
	return ""
}
