package weights

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/verify/run"
)

// placed is a graph's weights beside a checkpoint's.
type placed struct {
	dir    string
	info   *run.GraphInfo
	ckpt   store.Store
	loaded *family.Model
	codes  map[string]string // tensors of codes and the model's that they are of
}

// Stray tells of the first weight of a graph in dir that is not the checkpoint's of
// its name: where it lies, its type and shape, its bytes, and that a node reads
// every tensor of the model; "" where all are. m is the model as the checkpoint
// declares it.
func Stray(info *run.GraphInfo, st store.Store, m *family.Model) string {
	s := &placed{dir: info.Dir(), info: info, ckpt: st, loaded: m}
	for _, look := range []func() string{s.strayWeight, s.unlikeWeight, s.strayCoded, s.strayRounded, s.strayDigest, s.unreadWeight} {
		if found := look(); found != "" {
			return found
		}
	}
	return ""
}

// strayWeight tells of the first external weight that is not where the tensor
// file's header has the tensor of its name, or of the first copy that is not of
// its bytes; "" where there is none.
func (s *placed) strayWeight() string {
	for _, t := range s.info.Model.GetGraph().GetInitializer() {
		location, offset, length := run.External(t)
		if !strings.HasSuffix(location, ".safetensors") && !s.stores(location) {
			if found := s.strayCopy(t, location, offset, length); found != "" {
				return found
			}
			continue
		}
		name := t.GetName()
		o, from, ok := s.behind(t)
		at, placed := store.Stored(s.ckpt).Place(o.info.Name)
		switch {
		case !ok:
			return fmt.Sprintf("the graph's weight %q is no tensor of the checkpoint", name)
		case !placed:
			return fmt.Sprintf("the graph takes %q from %s, the checkpoint has it in no file", name, location)
		case filepath.Base(at.File) != location:
			return fmt.Sprintf("the graph takes %q from %s, the checkpoint has it in %s", name, location, filepath.Base(at.File))
		case offset != at.Offset+from || offset+length > at.Offset+at.Length:
			return fmt.Sprintf("the graph takes %q from bytes %d to %d of %s, whose header has it at %d to %d",
				name, offset, offset+length, location, at.Offset+from, at.Offset+at.Length)
		}
	}
	return ""
}

// stores tells whether a file of that name is one of the checkpoint's.
func (s *placed) stores(name string) bool {
	return slices.ContainsFunc(s.ckpt.Files(), func(f store.File) bool { return filepath.Base(f.Path) == name })
}

// unreadWeight names the first weight of the model that no node of the graph
// reads, "" where all are read.
func (s *placed) unreadWeight() string {
	g := s.info.Model.GetGraph()
	used := map[string]bool{}
	for _, n := range g.GetNode() {
		for _, in := range n.GetInput() {
			used[in] = true
		}
	}
	unread := map[string]bool{}
	for _, p := range s.loaded.Parts() {
		for _, w := range p.Weights {
			unread[w.Tensor] = unread[w.Tensor] || p.Unread || p.Kind == family.KindValues
		}
	}
	read := map[string][]family.Range{}
	for _, t := range g.GetInitializer() {
		if !used[t.GetName()] {
			continue
		}
		if turned, ok := s.turnedOf(t.GetName()); ok {
			read[turned.info.Name] = append(read[turned.info.Name], turned.w.Rows...)
		}
		if w, of, ok := run.CodedWeight(t.GetName()); ok && (of == names.Codes || of == names.Nibbles) {
			rows := w.Rows
			if info, ok := s.ckpt.Lookup(w.Tensor); ok && rows == nil {
				rows = []family.Range{{Begin: 0, End: tensor.Matrix(info.Shape)[0]}}
			}
			read[w.Tensor] = append(read[w.Tensor], rows...)
		}
		if w, ok := run.RoundedWeight(t.GetName()); ok {
			rows := w.Rows
			if info, ok := s.ckpt.Lookup(w.Tensor); ok && rows == nil {
				rows = []family.Range{{Begin: 0, End: tensor.Matrix(info.Shape)[0]}}
			}
			read[w.Tensor] = append(read[w.Tensor], rows...)
		}
		p, ok := s.pieceOf(t)
		if ok {
			read[p.of] = append(read[p.of], p.rows)
		}
	}
	for _, w := range s.loaded.Weights() {
		if w.Tensor == "" || unread[w.Tensor] {
			continue
		}
		for _, rows := range rowsRead(w) {
			if !covered(rows, read[w.Tensor]) {
				return fmt.Sprintf("no node of the graph reads rows %d to %d of tensor %q", rows.Begin, rows.End-1, w.Tensor)
			}
		}
	}
	return ""
}

// rowsRead are the rows of its tensor that a weight reads.
func rowsRead(w family.Weight) []family.Range {
	if w.Rows != nil {
		return w.Rows
	}
	n := int64(1)
	if len(w.Stored) > 0 {
		n = w.Stored[0]
	}
	return []family.Range{{Begin: 0, End: n}}
}

// covered tells whether every row of want is in one of have.
func covered(want family.Range, have []family.Range) bool {
	for at := want.Begin; at < want.End; {
		next := at
		for _, r := range have {
			if r.Begin <= at && at < r.End {
				next = max(next, r.End)
			}
		}
		if next == at {
			return false
		}
		at = next
	}
	return true
}
