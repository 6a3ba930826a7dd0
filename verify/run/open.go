package run

import (
	"context"
	"fmt"
	"strings"

	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/verify/ort"
)

// GraphMeta is what a graph's metadata says of it.
type GraphMeta struct {
	Encoding, Attention string
	// Weights is the fingerprint of the tensor files it was emitted for.
	Weights string
	// MaxLength is the number of positions its tables hold.
	MaxLength int
}

// ReadGraphMeta reads the metadata of model.onnx in a folder, and refuses a
// graph that pecvt did not emit.
func ReadGraphMeta(dir string) (GraphMeta, error) {
	info, err := ReadGraph(dir)
	if err != nil {
		return GraphMeta{}, err
	}
	return GraphMeta{Encoding: info.Encoding, Attention: info.Attention, Weights: info.Weights, MaxLength: info.MaxLength}, nil
}

// Graph is an emitted graph opened in ONNX Runtime for long runs over one row:
// logits stay the runtime's float32, and no check is made of them.
type Graph struct {
	info    *GraphInfo
	session *ort.Session
}

// OpenGraph opens model.onnx of a folder. The library must be loaded
// ([ort.Load]).
func OpenGraph(dir string, opts ort.Options) (*Graph, error) {
	info, err := ReadGraph(dir)
	if err != nil {
		return nil, err
	}
	s, err := ort.Open(info.Path, opts)
	if err != nil {
		return nil, err
	}
	return &Graph{info: info, session: s}, nil
}

// MaxLength is the number of positions of the graph's tables.
func (g *Graph) MaxLength() int { return g.info.MaxLength }

// Close frees the session.
func (g *Graph) Close() error { return g.session.Close() }

// Run continues a sequence: ids are the tokens at positions from, from+1, …
// and past what the call before returned (nil at position 0). It returns the
// logits, row-major (len(ids), vocabulary), in memory that the caller owns.
func (g *Graph) Run(ctx context.Context, ids []int64, from int, past State) (logits []float32, present State, err error) {
	in := Prompt([][]int64{ids}, int64(from))
	mask := make([]int64, from+len(ids))
	for i := range mask {
		mask[i] = 1
	}
	feeds := map[string]ort.Tensor{
		"input_ids":      ort.Int64(ids, 1, int64(len(ids))),
		"attention_mask": ort.Int64(mask, 1, int64(len(mask))),
	}
	if g.info.Positions {
		feeds[names.PositionIDs] = ort.Int64(in.Positions[0], 1, int64(len(ids)))
	}
	caches, _ := past.(map[string]ort.Tensor)
	for _, c := range g.info.Caches {
		if caches != nil {
			feeds[c.Past] = caches[c.Present]
			continue
		}
		shape := append([]int64{1}, c.Dims[1:]...)
		feeds[c.Past] = ort.Float32(make([]float32, Elements(shape)), shape...)
	}
	out, err := g.session.RunContext(ctx, feeds)
	if err != nil {
		return nil, nil, err
	}
	l := out[names.Logits]
	if l.F32 == nil || len(l.Shape) != 3 || l.Shape[0] != 1 || l.Shape[1] != int64(len(ids)) {
		return nil, nil, fmt.Errorf("output \"logits\" is %s of shape %v: expected F32 of [1 %d vocabulary]", l.DType, l.Shape, len(ids))
	}
	delete(out, names.Logits)
	for _, c := range g.info.Caches {
		if _, ok := out[c.Present]; !ok {
			return nil, nil, fmt.Errorf("output %q is missing", c.Present)
		}
	}
	return l.F32, out, nil
}

// ReadIDs reads the tensor input_ids, integers of shape (rows, positions), of a
// safetensors file, each a token of the vocabulary.
func ReadIDs(path string, vocab int) ([][]int64, error) {
	if !strings.HasSuffix(path, ".safetensors") {
		return nil, fmt.Errorf("%s: expected a .safetensors file with the tensor input_ids", path)
	}
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return IDsOf(f, vocab)
}
