package onnxops

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// Emitted is a graph that was written: its options with every default filled in,
// the names of its files, sorted, and what whoever serves it should know.
type Emitted struct {
	Options
	Files []string
	Notes []string
	// Bytes is the size of the graph with every file of weights that it reads, the
	// checkpoint's own where it points into them.
	Bytes int64
	// Record is what the graph says of its numbers, which pecvt.json has too.
	Record *convert.GraphRecord
	// Runtime is the least ONNX Runtime that gives its numbers.
	Runtime Runtime
}

// Emit writes the graph of the checkpoint in dir, a folder, into that folder, and what it
// says of its numbers into pecvt.json where there is one; see
// [Write] for the files. The zero Options are those of the command pecvt export.
// Errors wrap posenc.ErrUnsupported where no graph of that form expresses the
// model.
func Emit(dir string, o Options) (*Emitted, error) {
	src, err := store.Open(dir)
	if err != nil {
		return nil, err
	}
	return emitFrom(src, dir, o)
}

// EmitInto is [Emit] for a conversion's result that is not in its place yet: the
// checkpoint is read from made.Folder, the graph goes to made.Dir.
func EmitInto(made convert.Made, o Options) (*Emitted, error) {
	if _, local := made.Folder.Local(); local {
		return Emit(made.Dir, o)
	}
	src, err := store.OpenIn(made.Folder)
	if err != nil {
		return nil, err
	}
	return emitFrom(src, made.Dir, o)
}

// emitFrom closes src.
func emitFrom(src store.Store, dir string, o Options) (*Emitted, error) {
	defer src.Close()
	m, err := families.Load(src)
	if err != nil {
		return nil, err
	}
	if o, err = o.withDefaults(m); err != nil {
		return nil, err
	}
	w, err := write(dir, m, src, o)
	if err != nil {
		return nil, err
	}
	if err := convert.RecordGraph(dir, w.record); err != nil {
		return nil, err
	}
	return &Emitted{Options: o, Files: w.files, Notes: w.notes, Bytes: w.bytes, Record: w.record, Runtime: w.runtime}, nil
}

// Finish gives convert.RunOptions.Finish a function that emits the graph of the
// result.
func Finish(o Options) func(ctx context.Context, made convert.Made) error {
	return func(_ context.Context, made convert.Made) error {
		_, err := EmitInto(made, o)
		return err
	}
}

// roomyLength is the least default length of the tables: small models are run
// past their trained length on purpose, and the rows cost a few kilobytes.
const roomyLength = 4096

// tableLength is the default number of positions in a graph's tables:
// max_position_embeddings, and at least roomyLength. Where the rotation changes
// with the length it is what runs as trained: the trained length, or, of dynamic
// scaling, the length up to which nothing is scaled.
func tableLength(m *family.Model) (int, error) {
	roomy := max(m.MaxPositions, roomyLength)
	length := roomy
	for _, rope := range m.Ropes() {
		trained, err := rope.Spectrum(m.TrainedLength)
		if err != nil {
			return 0, err
		}
		longer, err := rope.Spectrum(roomy)
		if err != nil {
			return 0, err
		}
		switch {
		case slices.Equal(trained.InvFreq, longer.InvFreq):
		case rope.Type == "dynamic":
			length = min(length, m.MaxPositions)
		default:
			length = min(length, m.TrainedLength)
		}
	}
	if n := m.Selects(); n > 0 {
		length = min(length, n)
	}
	return length, nil
}

// turnsFor is the model as it turns for sequences of up to n positions. Rotations
// of the other rope types are taken from the blocks as they stand.
func turnsFor(m *family.Model, n int) (*family.Model, error) {
	for _, rope := range m.Ropes() {
		changes, err := rope.ByLength()
		if err != nil {
			return nil, err
		}
		if changes {
			return m.AtLength(n)
		}
	}
	return m, nil
}

// recordOf repeats a graph's metadata.
func recordOf(m *onnxpb.ModelProto) *convert.GraphRecord {
	r := &convert.GraphRecord{}
	for _, p := range m.GetMetadataProps() {
		switch v := p.GetValue(); p.GetKey() {
		case "pecvt.dtype":
			r.DType = v
		case "pecvt.coding":
			r.Coding = v
		case "pecvt.head":
			r.Head = v
		case "pecvt.accuracy":
			r.Accuracy = v
		case "pecvt.logits":
			r.Logits = v
		case "pecvt.rounding":
			r.Rounding = v
		case "pecvt.rounding_texts":
			if r.Texts = json.RawMessage(v); !json.Valid(r.Texts) {
				r.Texts, _ = json.Marshal(v) // a string always has a form
			}
		}
	}
	return r
}
