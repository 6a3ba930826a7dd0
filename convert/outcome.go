package convert

import (
	"bytes"
	"io"
	"io/fs"
	"slices"
	"time"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/quant"
	"github.com/pecvt/pecvt/convert/rewrite"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/tensor"
)

// outcome is what a rewrite makes of a source, as a store that is never written:
// the new configuration, the tensors under their new names, and the rows of the
// source's that each is made of. A writer of another format than safetensors
// starts from it.
type outcome struct {
	store.Store // the source
	config      []byte
	infos       map[string]store.Info
	edits       map[string]*rewrite.Edit
	names       []string
}

// newOutcome looks at a source through a rewrite.
func newOutcome(src store.Store, r *rewrite.Rewrite) (*outcome, error) {
	text, err := r.Config.Indented()
	if err != nil {
		return nil, err
	}
	o := &outcome{Store: src, config: text, infos: map[string]store.Info{}, edits: map[string]*rewrite.Edit{}}
	gone := map[string]bool{}
	for _, name := range r.Consumed {
		gone[name] = true
	}
	for i := range r.Edits {
		e := &r.Edits[i]
		info, err := editInfo(src, e)
		if err != nil {
			return nil, err
		}
		o.edits[e.Name], o.infos[e.Name] = e, store.Info{Name: e.Name, DType: info.DType, Shape: e.Shape}
		o.names = append(o.names, e.Name)
	}
	for _, name := range src.Names() {
		if info, ok := src.Lookup(name); ok && !gone[name] && o.edits[name] == nil {
			o.infos[name] = info
			o.names = append(o.names, name)
		}
	}
	slices.Sort(o.names)
	return o, nil
}

// model is the model that the outcome is, without the configuration's keys to pass
// over.
func (o *outcome) model(ignore []string) (*family.Model, error) {
	return families.LoadIgnoring(o, ignore)
}

// rows lists the source's rows that one of the outcome's tensors is made of.
func (o *outcome) rows(name string) []rewrite.Piece {
	if e := o.edits[name]; e != nil {
		return e.Pieces
	}
	info := o.infos[name]
	n := int64(1)
	if len(info.Shape) > 0 {
		n = info.Shape[0]
	}
	return []rewrite.Piece{{Tensor: name, Rows: family.Range{End: n}}}
}

func (o *outcome) Lookup(name string) (store.Info, bool) {
	info, ok := o.infos[name]
	return info, ok
}

func (o *outcome) Names() []string { return o.names }

// Quantised says how the source's weights are stored.
func (o *outcome) Quantised() *quant.Storage { return store.Quantised(o.Store) }

func (o *outcome) FS() fs.FS { return configFS{o.Store.FS(), o.config} }

// Read gives the bytes of a tensor that is one of the source's; those of an edited
// one are made as they are written.
func (o *outcome) Read(name string, begin, end int64) ([]byte, error) {
	if e := o.edits[name]; e != nil {
		section, err := o.Section(name)
		if err != nil {
			return nil, err
		}
		out := make([]byte, end-begin)
		_, err = section.ReadAt(out, begin)
		return out, err
	}
	if _, ok := o.infos[name]; !ok {
		return nil, store.Missing(o, name)
	}
	return o.Store.Read(name, begin, end)
}

// Section gives a tensor's bytes; those of an edited one are put together in
// memory, which only small ones that a model reads when it is loaded need.
func (o *outcome) Section(name string) (*io.SectionReader, error) {
	e := o.edits[name]
	if e == nil {
		return o.Store.Section(name)
	}
	var all bytes.Buffer
	for _, p := range e.Pieces {
		info, _ := o.Store.Lookup(p.Tensor)
		from, to, err := tensor.RowBytes(info.DType, info.Shape, p.Rows.Begin, p.Rows.End)
		if err != nil {
			return nil, store.Errorf(o.Store, p.Tensor, "%w", err)
		}
		raw, err := o.Store.Read(p.Tensor, from, to)
		if err != nil {
			return nil, err
		}
		raw = bytes.Clone(raw)
		if p.Zero {
			clear(raw)
		}
		if p.Negate {
			tensor.Negate(raw, info.DType, 0)
		}
		all.Write(raw)
	}
	return io.NewSectionReader(bytes.NewReader(all.Bytes()), 0, int64(all.Len())), nil
}

// configFS is a folder with another config.json.
type configFS struct {
	fs.FS
	config []byte
}

func (c configFS) Open(name string) (fs.File, error) {
	if name != "config.json" {
		return c.FS.Open(name)
	}
	return &memoryFile{bytes.NewReader(c.config)}, nil
}

// memoryFile is config.json in memory.
type memoryFile struct{ *bytes.Reader }

func (f *memoryFile) Close() error               { return nil }
func (f *memoryFile) Stat() (fs.FileInfo, error) { return f, nil }
func (f *memoryFile) Name() string               { return "config.json" }
func (f *memoryFile) Mode() fs.FileMode          { return 0o444 }
func (f *memoryFile) ModTime() time.Time         { return time.Time{} }
func (f *memoryFile) IsDir() bool                { return false }
func (f *memoryFile) Sys() any                   { return nil }
