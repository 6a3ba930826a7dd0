package convert

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/rewrite"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/posenc/hint"
)

// tensorFile is one tensor file of the result.
type tensorFile struct {
	name string
	// from is the source's file (its place in the checkpoint) when the file
	// stays as it is, else -1.
	from     int
	infos    []safetensors.Info
	edits    map[string]*rewrite.Edit
	added    map[string]*rewrite.Tensor
	metadata map[string]string
}

const (
	singleName = "model.safetensors"
	indexName  = "model.safetensors.index.json"
)

// planTensors decides the tensor files and their index.
func (p *Plan) planTensors(src store.Store, m *family.Model) error {
	groups, err := p.groups(src, m)
	if err != nil {
		return err
	}
	if groups, err = p.reshard(groups); err != nil {
		return err
	}
	for _, name := range m.Ignored {
		if _, stored := src.Lookup(name); stored {
			p.Notes = append(p.Notes, fmt.Sprintf("the source stores tensors that carry no weight (such as %s): loaders pass over them, and files that are written anew leave them out", name))
			break
		}
	}
	files := src.Files()
	unchanged := len(groups) == len(files)
	var shards []safetensors.Shard
	for i := range groups {
		g := &groups[i]
		g.name = singleName
		if len(groups) > 1 {
			g.name = fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, len(groups))
		}
		f := FilePlan{Name: g.name, Action: Rewrite, Tensors: len(g.infos)}
		var data int64
		for _, info := range g.infos {
			data += info.Bytes()
			if g.edits[info.Name] != nil || g.added[info.Name] != nil || p.replaced[info.Name] {
				f.Edited++
			}
		}
		if g.from >= 0 {
			from := files[g.from]
			f.Action, f.Source, f.Bytes = p.placing(from.Path), filepath.Base(from.Path), from.Size
			unchanged = unchanged && f.Source == g.name
		} else {
			header, err := safetensors.Header(g.infos, g.metadata)
			if err != nil {
				return err
			}
			f.Bytes, unchanged = int64(len(header))+data, false
		}
		p.Files = append(p.Files, f)
		shards = append(shards, safetensors.Shard{File: g.name, Infos: g.infos, Bytes: data})
	}
	p.tensors = groups
	return p.planIndex(src, shards, unchanged)
}

// planIndex writes an index for several files; the source's own one where it
// already says the same.
func (p *Plan) planIndex(src store.Store, shards []safetensors.Shard, unchanged bool) error {
	if len(shards) < 2 {
		return nil
	}
	if unchanged && filepath.Base(src.IndexPath()) == indexName {
		return p.addCopy(indexName, indexName)
	}
	var err error
	if p.index, err = safetensors.Index(shards); err != nil {
		return err
	}
	p.Files = append(p.Files, FilePlan{Name: indexName, Action: Write, Bytes: int64(len(p.index))})
	return nil
}

// groups lists the result's tensors, source file by source file.
func (p *Plan) groups(src store.Store, m *family.Model) ([]tensorFile, error) {
	byName := map[string]*rewrite.Edit{}  // by the result's name
	byFirst := map[string]*rewrite.Edit{} // by the tensor whose place it takes
	added := map[string]*rewrite.Tensor{}
	gone := map[string]bool{}
	for _, name := range p.rewrite.Consumed {
		gone[name] = true
	}
	for i := range p.rewrite.Edits {
		e := &p.rewrite.Edits[i]
		byName[e.Name] = e
		byFirst[e.Pieces[0].Tensor] = e
	}
	last := tensorFile{from: -1, edits: byName, added: added}
	for i := range p.rewrite.Added {
		t := &p.rewrite.Added[i]
		added[t.Name] = t
		last.infos = append(last.infos, safetensors.Info{Name: t.Name, DType: t.DType, Shape: t.Shape})
	}
	var groups []tensorFile
	var err error
	for i, f := range src.Files() {
		g := tensorFile{from: i, edits: byName, added: added, metadata: f.Metadata}
		if f.Format != safetensors.Format { // what is written is safetensors
			g.from, g.metadata = -1, nil
		}
		g.infos = make([]safetensors.Info, 0, len(f.Tensors))
		for _, name := range f.Tensors {
			stored, _ := src.Lookup(name)
			info := safetensors.Info{Name: name, DType: stored.DType, Shape: stored.Shape}
			if e := byFirst[info.Name]; e != nil {
				edited, err := editInfo(src, e)
				if err != nil {
					return nil, err
				}
				g.infos, g.from = append(g.infos, edited), -1
				continue
			}
			if gone[info.Name] {
				g.from = -1
				continue
			}
			if p.replaced[info.Name] {
				g.from = -1
			}
			g.infos = append(g.infos, info)
		}
		if g.from < 0 {
			g.infos = slices.DeleteFunc(g.infos, func(i safetensors.Info) bool { return slices.Contains(m.Ignored, i.Name) })
		}
		if g.infos, err = safetensors.Layout(g.infos); err != nil {
			return nil, err
		}
		if len(g.infos) > 0 {
			groups = append(groups, g)
		}
	}
	// what is new has a file of its own, so that the others can be links
	if last.infos != nil {
		if last.infos, err = safetensors.Layout(last.infos); err != nil {
			return nil, err
		}
		groups = append(groups, last)
	}
	return groups, nil
}

// reshard divides the tensors anew where a file is larger than asked, and lays
// out the files that are written anew.
func (p *Plan) reshard(groups []tensorFile) ([]tensorFile, error) {
	var all []safetensors.Info
	split := false
	for _, g := range groups {
		var size int64
		for _, info := range g.infos {
			size += info.Bytes()
		}
		split = split || p.options.MaxShardSize > 0 && size > p.options.MaxShardSize && len(g.infos) > 1
	}
	if split {
		for _, g := range groups {
			all = append(all, g.infos...)
		}
		shards, err := safetensors.PlanShards(all, p.options.MaxShardSize)
		if err != nil {
			return nil, err
		}
		first := groups[0]
		groups = nil
		for _, s := range shards {
			groups = append(groups, tensorFile{from: -1, infos: s.Infos, edits: first.edits, added: first.added, metadata: first.metadata})
		}
	}
	for i := range groups {
		g := &groups[i]
		if g.from >= 0 {
			continue
		}
		if g.metadata["format"] == "" { // stock loaders ask for it
			if g.metadata == nil {
				g.metadata = map[string]string{}
			}
			g.metadata["format"] = "pt"
		}
		var err error
		if g.infos, err = safetensors.Layout(g.infos); err != nil {
			return nil, err
		}
	}
	return groups, nil
}

// editInfo finds an edited tensor's dtype and checks that its pieces fit.
func editInfo(src store.Store, e *rewrite.Edit) (safetensors.Info, error) {
	out := safetensors.Info{Name: e.Name, Shape: e.Shape}
	var rows int64
	for i, piece := range e.Pieces {
		info, ok := src.Lookup(piece.Tensor)
		if !ok {
			return out, fmt.Errorf("tensor %q: needs %q, which the checkpoint lacks", e.Name, piece.Tensor)
		}
		if i == 0 {
			out.DType = info.DType
		}
		if info.DType != out.DType {
			return out, hint.Errorf("%s: tensor %q is %s and %q is %s: they cannot share %q; convert the checkpoint to one dtype, or use "+hint.Layout+" native", store.Where(src, piece.Tensor), e.Pieces[0].Tensor, out.DType, piece.Tensor, info.DType, e.Name)
		}
		if len(info.Shape) != len(e.Shape) || !slices.Equal(info.Shape[1:], e.Shape[1:]) || piece.Rows.Begin < 0 || piece.Rows.End > info.Shape[0] {
			return out, fmt.Errorf("internal error: tensor %q of shape %v: rows %v of %q of shape %v do not fit", e.Name, e.Shape, piece.Rows, piece.Tensor, info.Shape)
		}
		rows += piece.Count()
	}
	if rows != e.Shape[0] {
		return out, fmt.Errorf("internal error: tensor %q of shape %v: its pieces have %d rows", e.Name, e.Shape, rows)
	}
	return out, nil
}
