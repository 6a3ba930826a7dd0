package convert

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/place"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/tensor"
)

// Skeleton writes into dir what the plan's result looks like without its
// weights: config.json, the index, what comes along beside them, and tensor files
// with their true headers over holes of their true size. What is read for its values is
// there: the tensors of the block, and tables that a reader holds to what the model
// computes. Whatever depends on names, shapes and offsets alone (such as a graph that
// points into the files) can be made from it before anything is converted; the holes take
// no space where the file system has sparse files.
func (p *Plan) Skeleton(dir string) error {
	src, err := p.reopen(context.Background())
	if err != nil {
		return err
	}
	defer src.Close()
	files, folder := src.Files(), store.Folder(src)
	for _, t := range p.tensors {
		header, err := p.headerOf(folder, files, t)
		if err != nil {
			return err
		}
		if err := sparse(filepath.Join(dir, t.name), header, p.sizeOf(t.name)); err != nil {
			return err
		}
		if err := beside(src, filepath.Join(dir, t.name), int64(len(header)), t); err != nil {
			return err
		}
		if err := p.values(src, filepath.Join(dir, t.name), int64(len(header)), t); err != nil {
			return err
		}
	}
	if err := sparse(filepath.Join(dir, "config.json"), p.config, int64(len(p.config))); err != nil {
		return err
	}
	for name, text := range p.beside {
		if name != "config.json" {
			if err := sparse(filepath.Join(dir, name), text, int64(len(text))); err != nil {
				return err
			}
		}
	}
	for _, f := range p.Files {
		if f.Action != Copy || f.Tensors > 0 || f.Name == "config.json" || f.Name == indexName {
			continue
		}
		to := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
			return fmt.Errorf("plan: %w", err)
		}
		if _, err := folder.Copy(context.Background(), f.Source, to, nil, nil); err != nil {
			return fmt.Errorf("plan: %w", err)
		}
	}
	if p.index == nil {
		if p.sizeOf(indexName) == 0 {
			return nil
		}
		if p.index, err = folder.ReadFile(filepath.Base(src.IndexPath())); err != nil {
			return fmt.Errorf("plan: %w", err)
		}
	}
	return sparse(filepath.Join(dir, indexName), p.index, int64(len(p.index)))
}

// besideBytes bounds what is copied of a tensor beside codes.
const besideBytes = 1 << 20

// beside copies what stands beside the codes of quantised weights into a tensor file
// of holes: sizes and orders of columns are among it, which a reader needs to know the
// weights' shapes. Scales that a grid has as plain numbers are not: they are read with
// the codes alone, and a mixture has a hundred thousand of them.
func beside(src store.Store, path string, data int64, t tensorFile) error {
	q := store.Quantised(src)
	if q == nil {
		return nil
	}
	parts := map[string]bool{}
	for _, w := range q.Tensors {
		for _, name := range w.Parts[1:] {
			if g := w.Grid; g == nil || name != g.Scales || g.ReadScales != nil {
				parts[name] = true
			}
		}
	}
	if len(parts) == 0 {
		return nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	defer f.Close()
	stored := store.Stored(src)
	for _, info := range t.infos {
		if !parts[info.Name] {
			continue
		}
		at := data + info.Begin
		if place, ok := stored.Place(info.Name); ok && t.from >= 0 {
			at = place.Offset
		}
		raw, err := stored.Read(info.Name, 0, min(info.Bytes(), besideBytes))
		if err != nil {
			return err
		}
		if _, err := f.WriteAt(raw, at); err != nil {
			return fmt.Errorf("plan: %w", err)
		}
	}
	return f.Close()
}

// values writes into a tensor file of holes what is read for its values: the tensors of
// the block, those that the rewrite brings and those that the source stores, and what
// the source's reader looked at (family.Model.Valued).
func (p *Plan) values(src store.Store, path string, data int64, t tensorFile) error {
	if !slices.ContainsFunc(t.infos, func(i safetensors.Info) bool { return p.valued(i.Name) != nil }) {
		return nil
	}
	infos, err := safetensors.Layout(t.infos)
	if err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	defer f.Close()
	stored := store.Stored(src)
	for _, info := range infos {
		if own := t.added[info.Name]; own != nil {
			if own.Values == nil || !family.OfBlock(info.Name) {
				continue
			}
			raw := make([]byte, info.Bytes())
			if err = tensor.Encode64(raw, own.Values, own.DType); err == nil {
				_, err = f.WriteAt(raw, data+info.Begin)
			}
		} else {
			err = p.storedValues(stored, info, f, data, t)
		}
		if err != nil {
			return fmt.Errorf("plan: tensor %q: %w", info.Name, err)
		}
	}
	return f.Close()
}

// valued lists what is read of a tensor for its values; none is nil.
func (p *Plan) valued(name string) []family.Weight {
	if family.OfBlock(name) {
		return []family.Weight{{Tensor: name}}
	}
	return p.read[name]
}

// storedValues writes what is read of one stored tensor for its values to where it lies
// in a file. One that the rewrite changes stays a hole: no reader has seen its values.
func (p *Plan) storedValues(stored store.Store, info safetensors.Info, f *os.File, data int64, t tensorFile) error {
	list := p.valued(info.Name)
	if own, ok := stored.Lookup(info.Name); list == nil || !ok || own.Bytes() != info.Bytes() || t.edits[info.Name] != nil {
		return nil
	}
	begin := data + info.Begin
	if place, ok := stored.Place(info.Name); ok && t.from >= 0 {
		begin = place.Offset
	}
	copied := func(from, to int64) error {
		raw, err := stored.Read(info.Name, from, to)
		if err == nil {
			_, err = f.WriteAt(raw, begin+from)
		}
		return err
	}
	for _, w := range list {
		if w.Rows == nil {
			if err := copied(0, info.Bytes()); err != nil {
				return err
			}
		}
		for _, r := range w.Rows {
			from, to, err := tensor.RowBytes(info.DType, tensor.Matrix(info.Shape), r.Begin, r.End)
			if err == nil {
				err = copied(from, to)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// headerOf returns the first bytes of a tensor file of the result, up to its
// data.
func (p *Plan) headerOf(folder *place.Folder, files []store.File, t tensorFile) ([]byte, error) {
	if t.from < 0 {
		return safetensors.Header(t.infos, t.metadata)
	}
	src := files[t.from]
	header := make([]byte, src.DataStart)
	f, err := folder.Open(filepath.Base(src.Path))
	if err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	defer f.Close()
	if _, err := f.Reader().ReadAt(header, 0); err != nil {
		return nil, fmt.Errorf("plan: %s: header: %w", src.Path, err)
	}
	return header, nil
}

// sizeOf returns a planned file's size, 0 if there is none of that name.
func (p *Plan) sizeOf(name string) int64 {
	for _, f := range p.Files {
		if f.Name == name {
			return f.Bytes
		}
	}
	return 0
}

// sparse writes a file that begins with some bytes and has a hole behind them.
func sparse(path string, begin []byte, size int64) error {
	if err := os.WriteFile(path, begin, 0o600); err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	if err := os.Truncate(path, size); err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	return nil
}
