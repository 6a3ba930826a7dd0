package convert

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/fsio"
	"github.com/pecvt/pecvt/convert/gguf"
	"github.com/pecvt/pecvt/convert/gguf/arch"
	"github.com/pecvt/pecvt/convert/gguf/rope"
	"github.com/pecvt/pecvt/convert/rewrite"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
)

// The keys that pecvt writes into a GGUF file: what pecvt.json is beside other
// formats, its schema, tool and encoding by themselves, and spaces that move the
// data to where a file system can share them.
const (
	schemaKey   = "pecvt.schema"
	toolKey     = "pecvt.tool"
	encodingKey = "pecvt.encoding"
	manifestKey = "pecvt.manifest"
	paddingKey  = "pecvt.padding"
)

// respelling is a GGUF file that becomes one of another encoding: a new header, the
// source's data as they are, and what is written over and behind them.
type respelling struct {
	source         string // the file's name
	h              *gguf.Header
	header         []byte
	edited         int   // tensors that change or come beside
	offset, length int64 // the data in the source
	patches        []patch
	sizes          arch.Sizes
	// tail is what comes behind the data.
	tail []byte
}

// patch is a piece of the data that changes, at an offset from their start: bytes,
// or rows of the source's tensors.
type patch struct {
	at     int64
	name   string
	data   []byte
	pieces []rewrite.Piece
}

// planRespelling plans a GGUF file from one: whatever the types of its tensors,
// their bytes stay.
func (p *Plan) planRespelling(src store.Store, m *family.Model) error {
	file := p.source.Files[0]
	path := file.path
	f, err := gguf.OpenIn(p.folder, file.Name)
	if err != nil {
		return err
	}
	defer f.Close()
	r := &respelling{source: file.Name, offset: f.DataStart()}
	if of, ok := src.(*arch.Model); ok {
		r.sizes = of.Sizes
	}
	h := &gguf.Header{Version: f.Header.Version, KVs: append([]gguf.KV{}, f.Header.KVs...), Tensors: append([]gguf.Tensor{}, f.Header.Tensors...)}
	if r.length, err = dataEnd(f); err != nil {
		return err
	}
	if err := p.respell(src, f, h, m, r); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	r.h = h
	return p.closeHeader(r)
}

// dataEnd gives the bytes up to the end of the last tensor.
func dataEnd(f *gguf.File) (end int64, err error) {
	for _, t := range f.Header.Tensors {
		n, err := t.Bytes()
		if err != nil {
			return 0, err
		}
		end = max(end, t.Offset+n)
	}
	return end, nil
}

// respell says the new rotation in the header, and in the tensors of factors.
func (p *Plan) respell(src store.Store, f *gguf.File, h *gguf.Header, m *family.Model, r *respelling) error {
	name, err := architecture(f)
	if err != nil {
		return err
	}
	row, err := arch.Find(name)
	if err != nil {
		return err
	}
	rw := p.rewrite
	if rw.Family != m.Family {
		return hint.Errorf(hint.Layout+" %s: a GGUF file of another architecture (%s) is %w from one of %s; start from the safetensors files, or leave "+hint.Layout, rw.Layout, rw.Family, posenc.ErrUnsupported, row.Name)
	}
	_, result, err := p.resultModel(src, m)
	if err != nil {
		return err
	}
	if err := p.respellRows(f, row, r); err != nil {
		return err
	}
	held, err := heldFactors(f)
	if err != nil {
		return err
	}
	wanted, err := p.wanted(result)
	if err != nil {
		return err
	}
	wanted.Before, wanted.BeforeLong, wanted.Has = &rw.Before, rw.BeforeLong, held
	s, err := rope.Say(row, wanted)
	if err != nil {
		return hint.Errorf(hint.To+" %s: %w", rw.To, err)
	}
	if err := s.Apply(h, row.Name); err != nil {
		return err
	}
	if rw.MaxPositions != m.MaxPositions {
		h.Set(gguf.NewUint32(row.Name+".context_length", uint32(rw.MaxPositions)))
	}
	for _, t := range []struct {
		name   string
		values []float32
	}{{arch.FreqTensor, s.Freqs}, {arch.LongTensor, s.Long}, {arch.ShortTensor, s.Short}} {
		if t.values == nil {
			continue
		}
		if err := r.factors(f, h, t.name, t.values); err != nil {
			return err
		}
	}
	return nil
}

// respellRows plans the tensors whose rows change: they keep their type, since rows
// are whole blocks of it.
func (p *Plan) respellRows(f *gguf.File, row arch.Arch, r *respelling) error {
	for _, e := range p.rewrite.Edits {
		name, order, ok := row.InGGUF(e.Name)
		t, there := f.Lookup(name)
		if !ok || !there {
			return fmt.Errorf("internal error: tensor %q is edited and not in the file", e.Name)
		}
		shape := t.Shape()
		if !slices.Equal(shape, e.Shape) {
			return fmt.Errorf("tensor %q of shape %v becomes %v: %w in a GGUF file", name, shape, e.Shape, posenc.ErrUnsupported)
		}
		pieces, err := reorder(e.Pieces, order, r.sizes)
		if err != nil {
			return fmt.Errorf("tensor %q: %w", name, err)
		}
		for _, piece := range pieces {
			if piece.Negate {
				return fmt.Errorf("tensor %q: signs that change are %w in a GGUF file", name, posenc.ErrUnsupported)
			}
		}
		r.edited++
		r.patches = append(r.patches, patch{at: t.Offset, name: name, pieces: pieces})
	}
	return nil
}

// architecture reads general.architecture.
func architecture(f *gguf.File) (string, error) {
	kv, ok := f.Header.Find("general.architecture")
	if !ok {
		return "", fmt.Errorf("%s: key %q is missing: it names the architecture", f.Path, "general.architecture")
	}
	name, err := kv.Text()
	if err != nil {
		return "", fmt.Errorf("%s: key %q: %w", f.Path, "general.architecture", err)
	}
	return name, nil
}

// heldFactors reads the factors that a file holds.
func heldFactors(f *gguf.File) (*rope.Held, error) {
	h := &rope.Held{}
	for name, into := range map[string]*[]float32{arch.FreqTensor: &h.Freqs, arch.LongTensor: &h.Long, arch.ShortTensor: &h.Short} {
		t, ok := f.Lookup(name)
		if !ok {
			continue
		}
		if t.Type != gguf.F32 || len(t.Dims) != 1 {
			return nil, fmt.Errorf("tensor %q is %s %v: expected a row of F32", name, t.Type, t.Shape())
		}
		n, err := t.Bytes()
		if err != nil {
			return nil, err
		}
		raw, err := f.Read(name, 0, n)
		if err != nil {
			return nil, err
		}
		*into = make([]float32, t.Dims[0])
		if err := tensor.Decode32(*into, raw, tensor.F32); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// factors puts a tensor of factors over the one that is there, or behind the data.
func (r *respelling) factors(f *gguf.File, h *gguf.Header, name string, values []float32) error {
	raw := make([]byte, 4*len(values))
	if err := tensor.Encode32(raw, values, tensor.F32); err != nil {
		return err
	}
	if t, ok := f.Lookup(name); ok {
		if t.Dims[0] != int64(len(values)) {
			return fmt.Errorf("tensor %q has %d factors, the rotation has %d planes: the file contradicts itself", name, t.Dims[0], len(values))
		}
		if n, err := t.Bytes(); err != nil {
			return err
		} else if old, err := f.Read(name, 0, n); err != nil || bytes.Equal(old, raw) {
			return err
		}
		r.edited++
		r.patches = append(r.patches, patch{at: t.Offset, name: name, data: raw})
		return nil
	}
	align, err := h.Alignment()
	if err != nil {
		return err
	}
	for (r.length+int64(len(r.tail)))%align != 0 {
		r.tail = append(r.tail, 0)
	}
	h.Tensors = append(h.Tensors, gguf.Tensor{Name: name, Type: gguf.F32, Dims: []int64{int64(len(values))}, Offset: r.length + int64(len(r.tail))})
	r.tail = append(r.tail, raw...)
	r.edited++
	return nil
}

// closeHeader adds pecvt's own keys and the plan of the file.
func (p *Plan) closeHeader(r *respelling) error {
	p.respelling = r
	if err := p.sealRespelling(); err != nil {
		return err
	}
	align, err := r.h.Alignment()
	if err != nil {
		return err
	}
	for (r.length+int64(len(r.tail)))%align != 0 {
		r.tail = append(r.tail, 0)
	}
	p.Files = append(p.Files, FilePlan{Name: p.fileName(), Action: Respell, Source: p.source.Files[0].Name, Tensors: len(r.h.Tensors), Edited: r.edited,
		Bytes: int64(len(r.header)) + r.length + int64(len(r.tail))})
	return nil
}

// sealRespelling writes the header with the manifest as it stands, and moves the
// data's start to where blocks can be shared with the source.
func (p *Plan) sealRespelling() (err error) {
	r := p.respelling
	if err := p.describeIn(r.h); err != nil {
		return err
	}
	r.h.Remove(paddingKey)
	if r.header, err = r.h.Encode(); err != nil || int64(len(r.header))%fsio.Block == r.offset%fsio.Block {
		return err
	}
	r.h.Set(gguf.NewText(paddingKey, ""))
	if r.header, err = r.h.Encode(); err != nil {
		return err
	}
	off := (r.offset - int64(len(r.header))) % fsio.Block
	r.h.Set(gguf.NewText(paddingKey, strings.Repeat(" ", int(off+fsio.Block)%fsio.Block)))
	r.header, err = r.h.Encode()
	return err
}

// describeIn writes pecvt's own keys into a header.
func (p *Plan) describeIn(h *gguf.Header) error {
	man := p.manifest()
	text, err := json.Marshal(man)
	if err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	h.Set(gguf.NewUint32(schemaKey, ManifestSchema))
	h.Set(gguf.NewText(toolKey, man.Tool))
	h.Set(gguf.NewText(encodingKey, man.Encoding.To))
	h.Set(gguf.NewText(manifestKey, string(text)))
	h.Set(store.NoGGUFSums(h))
	return nil
}

// write carries a respelling out.
func (r *respelling) write(w *run, to output) (how string, err error) {
	out, err := w.headed(to, r.h, r.header)
	if err != nil {
		return "", err
	}
	if out.file == nil {
		if err := r.stream(w, out); err != nil {
			return "", err
		}
		return string(fsio.Copied), out.seal()
	}
	start := int64(len(r.header))
	action, err := out.copySource(w, r.source, r.offset, r.length)
	if err != nil {
		return "", err
	}
	if _, err := out.Write(r.tail); err != nil {
		return "", err
	}
	w.report(int64(len(r.tail)))
	for _, p := range r.patches {
		if _, err := out.file.Seek(start+p.at, io.SeekStart); err != nil {
			return "", fsio.WriteError(out.path, err)
		}
		if _, err := io.Copy(out.file, p.reader(w)); err != nil {
			return "", fmt.Errorf("tensor %q: %w", p.name, fsio.WriteError(out.path, err))
		}
		if action != fsio.Reflinked {
			if err := out.resum(w.ctx, p.name); err != nil {
				return "", err
			}
		}
	}
	if action == fsio.Reflinked { // of whose blocks nothing was read
		return string(action), nil
	}
	return string(action), out.seal()
}

// reader gives the bytes of a patch.
func (p *patch) reader(w *run) io.Reader {
	if p.pieces == nil {
		return bytes.NewReader(p.data)
	}
	return bufio.NewReaderSize(&rowReader{ctx: w.ctx, section: w.section, pieces: p.pieces, report: func(int64) {}}, 1<<20)
}

// stream writes the data, with its patches, and the tail from front to back.
func (r *respelling) stream(w *run, out *summed) error {
	in, err := w.folder.Open(r.source)
	if err != nil {
		return err
	}
	defer in.Close()
	patches := slices.Clone(r.patches)
	slices.SortFunc(patches, func(a, b patch) int { return cmp.Compare(a.at, b.at) })
	at := int64(0)
	until := func(end int64) error {
		if end < at {
			return fmt.Errorf("internal error: what changes of %s overlaps at %d", r.source, end)
		}
		n, err := io.Copy(out, io.NewSectionReader(in.Reader(), r.offset+at, end-at))
		w.report(n)
		at += n
		if err == nil && at != end {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	for _, p := range patches {
		if err := until(p.at); err != nil {
			return err
		}
		n, err := io.Copy(out, p.reader(w))
		if err != nil {
			return fmt.Errorf("tensor %q: %w", p.name, err)
		}
		w.report(n)
		at += n
	}
	if err := until(r.length); err != nil {
		return err
	}
	_, err = out.Write(r.tail)
	w.report(int64(len(r.tail)))
	return err
}
