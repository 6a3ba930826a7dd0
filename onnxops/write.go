package onnxops

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/fsio"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
)

// Write exports the model into dir: model.onnx, model.onnx.data with
// PlaceExternalCopy, and genai_config.json where onnxruntime-genai can run the
// graph; see Options.Folder for other places and names. It returns the names of the files written, sorted. With PlaceExternal
// the store's files must be put into dir too: ONNX Runtime refuses symbolic links
// and folders above, onnx hard links as well.
//
// Weights are streamed from the store; what is held in memory is the graph
// with its tables.
func Write(dir string, m *family.Model, src store.Store, opts Options) ([]string, error) {
	w, err := write(dir, m, src, opts)
	if err != nil {
		return nil, err
	}
	return w.files, nil
}

// written is what was: files, what their reader should know, and [Emitted.Bytes].
type written struct {
	files, notes []string
	bytes        int64
	record       *convert.GraphRecord
	runtime      Runtime
}

func write(dir string, m *family.Model, src store.Store, opts Options) (*written, error) {
	opts, err := opts.withDefaults(m)
	if err != nil {
		return nil, err
	}
	model, weights, err := export(m, src, opts)
	if err != nil {
		return nil, err
	}
	config, notes, err := genAIFor(m, model, src.FS(), opts)
	if err != nil {
		return nil, err
	}
	var files []string
	notes = append(notes, weights.heldNotes()...)
	if opts.Folder != "" {
		if err := os.MkdirAll(filepath.Join(dir, opts.Folder), 0o777); err != nil {
			return nil, fmt.Errorf("onnx: %w", err)
		}
	}
	put := func(name string, fill func(io.Writer) error) error {
		files = append(files, path.Join(opts.Folder, name))
		return writeFile(filepath.Join(dir, opts.Folder, name), fill)
	}
	switch {
	case opts.Sketch && len(weights.data) > 0:
		name := path.Join(opts.Folder, weights.dataFile())
		files = append(files, name)
		if err = writeFile(filepath.Join(dir, name), func(io.Writer) error { return nil }); err == nil {
			err = os.Truncate(filepath.Join(dir, name), weights.end)
		}
	case opts.Placement == PlaceExternalCopy || len(weights.data) > 0:
		err = put(weights.dataFile(), weights.writeData)
	case opts.Placement == PlaceExternal && opts.Folder != "":
		var placed, said []string
		placed, said, err = placeTensors(dir, src, opts.Folder, opts.graphFile())
		files, notes = append(files, placed...), append(notes, said...)
	}
	if err == nil { // after the data, whose digests it has
		weights.digest(model)
		err = put(opts.graphFile(), func(w io.Writer) error { return WriteModel(w, model) })
	}
	if err == nil && config != nil {
		files = append(files, GenAIFile)
		err = writeFile(filepath.Join(dir, GenAIFile), func(w io.Writer) error {
			_, err := w.Write(config)
			return err
		})
	}
	if err != nil {
		return nil, err
	}
	slices.Sort(files)
	size, err := sizeOf(dir, src, opts.Folder, opts.graphFile(), model)
	if err != nil {
		return nil, err
	}
	return &written{files, notes, size, recordOf(model), leastRuntime(model)}, nil
}

// sizeOf is the size of a graph in a folder of a model's, with the files that its
// initializers name.
func sizeOf(dir string, src store.Store, folder, graph string, model *onnxpb.ModelProto) (size int64, err error) {
	read := map[string]bool{graph: true}
	for _, t := range model.GetGraph().GetInitializer() {
		for _, e := range t.GetExternalData() {
			if e.GetKey() == "location" {
				read[e.GetValue()] = true
			}
		}
	}
	for name := range read {
		st, err := os.Stat(filepath.Join(dir, folder, filepath.FromSlash(name)))
		switch {
		case errors.Is(err, fs.ErrNotExist): // of the checkpoint, which lies elsewhere
			for _, f := range src.Files() {
				if filepath.Base(f.Path) == name {
					size += f.Size
				}
			}
		case err != nil:
			return 0, fmt.Errorf("onnx: %w", err)
		default:
			size += st.Size()
		}
	}
	return size, nil
}

// genAIFor is genai_config.json for a graph. Where onnxruntime-genai cannot run
// the standard form, or layers that carry states, there is none, which a note says:
// other runtimes can.
func genAIFor(m *family.Model, model *onnxpb.ModelProto, files fs.FS, opts Options) (text []byte, notes []string, err error) {
	if opts.Folder != "" { // it looks for the graph beside its configuration
		return nil, nil, nil
	}
	if err = oneHeadSize(m); err == nil {
		err = genAIRuns(m, model)
	}
	mixed := slices.ContainsFunc(m.Blocks, func(b family.Block) bool { return b.Attn() == nil || b.States() != nil })
	if err != nil && (opts.Attention == AttentionStandard || mixed) {
		return nil, []string{"no " + GenAIFile + ": " + strings.TrimSuffix(err.Error(), ": "+posenc.ErrUnsupported.Error())}, nil
	}
	if err != nil {
		return nil, nil, err
	}
	return genAIConfig(m, files, opts)
}

// writeFile writes a file, whole or not at all: the folder may be one in use.
func writeFile(path string, fill func(io.Writer) error) error {
	err := fsio.Whole(path, 0o666, false, func(to io.Writer) error {
		w := bufio.NewWriterSize(to, 1<<20)
		err := fill(w)
		if err == nil {
			return w.Flush()
		}
		if at := (*fs.PathError)(nil); errors.As(err, &at) { // it names its file
			return err
		}
		return fmt.Errorf("%s: %w", path, err)
	})
	if err != nil {
		return fmt.Errorf("onnx: %w", err)
	}
	return nil
}

// writeData streams model.onnx.data.
func (s *initializers) writeData(w io.Writer) error {
	defer roundAhead(s.src, s.ahead)()
	var at int64
	for _, c := range s.data {
		if _, err := w.Write(make([]byte, c.offset-at)); err != nil {
			return err
		}
		if err := s.writeChunk(w, c); err != nil {
			return err
		}
		at = c.offset + c.end - c.begin
		s.src.Release(c.tensor)
	}
	return nil
}

func (s *initializers) writeChunk(w io.Writer, c chunk) error {
	if c.write != nil {
		sum := sha256.New()
		err := c.write(io.MultiWriter(w, sum))
		s.digests[c.name] = names.DigestOf([sha256.Size]byte(sum.Sum(nil)))
		return err
	}
	step := c.end - c.begin
	if s.decodes(c.tensor) { // what is read is made
		step = 16 << 20
	}
	for at := c.begin; at < c.end; at += step {
		raw, err := c.src.Read(c.tensor, at, min(at+step, c.end))
		if err == nil {
			_, err = w.Write(raw)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// digest notes the digests of what was made: damage to it can look like any other codes.
func (s *initializers) digest(model *onnxpb.ModelProto) {
	for _, t := range model.GetGraph().GetInitializer() {
		if sum := s.digests[cmp.Or(s.views[t.GetName()], t.GetName())]; sum != "" {
			t.MetadataProps = append(t.MetadataProps, &onnxpb.StringStringEntryProto{Key: names.Digest, Value: sum})
		}
	}
}

// maxModelBytes is the most that a protobuf message, so a model.onnx, may take.
const maxModelBytes = 1<<31 - 1

// WriteModel writes a model's bytes, the same as those of [graph.Marshal] but for
// the place of the initializers, which come last in the graph. Their data is
// written from where it lies, so a model with embedded weights is not held in
// memory a second time.
func WriteModel(w io.Writer, m *onnxpb.ModelProto) error {
	opts := proto.MarshalOptions{Deterministic: true}
	inits := m.GetGraph().GetInitializer()
	graphOnly := &onnxpb.GraphProto{
		Name: m.Graph.Name, Node: m.Graph.Node, DocString: m.Graph.DocString, Input: m.Graph.Input,
		Output: m.Graph.Output, ValueInfo: m.Graph.ValueInfo, MetadataProps: m.Graph.MetadataProps,
	}
	body, err := opts.Marshal(graphOnly)
	if err != nil {
		return err
	}
	heads, total := make([][]byte, len(inits)), len(body)
	for i, t := range inits {
		if heads[i], err = initializerHead(t); err != nil {
			return err
		}
		total += len(heads[i]) + len(t.GetRawData())
	}
	rest, err := opts.Marshal(&onnxpb.ModelProto{
		IrVersion: m.IrVersion, OpsetImport: m.OpsetImport, ProducerName: m.ProducerName,
		ProducerVersion: m.ProducerVersion, Domain: m.Domain, ModelVersion: m.ModelVersion,
		DocString: m.DocString, MetadataProps: m.MetadataProps, Functions: m.Functions,
	})
	if err != nil {
		return err
	}
	if total+len(rest)+16 > maxModelBytes {
		return hint.Errorf("the model takes %d bytes, at most %d fit into one file: use "+hint.Placement+" external or external-copy", total+len(rest), maxModelBytes)
	}
	rest = protowire.AppendTag(rest, graphField, protowire.BytesType)
	rest = protowire.AppendVarint(rest, uint64(total))
	for _, b := range [][]byte{rest, body} {
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	for i, t := range inits {
		if _, err := w.Write(heads[i]); err != nil {
			return err
		}
		if _, err := w.Write(t.GetRawData()); err != nil {
			return err
		}
	}
	return nil
}

// Field numbers of ONNX that WriteModel writes by hand.
const (
	graphField       protowire.Number = 7 // ModelProto.graph
	initializerField protowire.Number = 5 // GraphProto.initializer
	rawDataField     protowire.Number = 9 // TensorProto.raw_data
)

// initializerHead is an initializer field of a graph up to its raw data, which
// comes last.
func initializerHead(t *onnxpb.TensorProto) ([]byte, error) {
	raw := t.GetRawData()
	head := &onnxpb.TensorProto{
		Name: t.Name, DataType: t.DataType, Dims: t.Dims, ExternalData: t.ExternalData, DataLocation: t.DataLocation,
		MetadataProps: t.MetadataProps,
	}
	inner, err := proto.MarshalOptions{Deterministic: true}.Marshal(head)
	if err != nil {
		return nil, err
	}
	if len(raw) > 0 {
		inner = protowire.AppendTag(inner, rawDataField, protowire.BytesType)
		inner = protowire.AppendVarint(inner, uint64(len(raw)))
	}
	out := protowire.AppendTag(nil, initializerField, protowire.BytesType)
	out = protowire.AppendVarint(out, uint64(len(inner)+len(raw)))
	return append(out, inner...), nil
}
