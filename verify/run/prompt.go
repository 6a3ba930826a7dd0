package run

import (
	"fmt"
	"math/rand/v2"

	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/verify/report"
)

// RandomIDs returns one row of n token ids drawn uniformly from the
// vocabulary, its first and last id among them where there is room: an embedding
// cut short or clamped shows there. The same seed gives the same row.
func RandomIDs(n, vocab int, seed int64) [][]int64 {
	rng := rand.New(rand.NewPCG(uint64(seed), 0x9e3779b97f4a7c15))
	row := make([]int64, n)
	for i := range row {
		row[i] = rng.Int64N(int64(vocab))
	}
	if n >= 8 {
		row[n/4], row[n/2] = int64(vocab)-1, 0
	}
	return [][]int64{row}
}

// IDsOf reads the (rows, positions) integers of the tensor input_ids.
func IDsOf(f *safetensors.File, vocab int) ([][]int64, error) {
	info, ok := f.Lookup("input_ids")
	if !ok {
		return nil, fmt.Errorf("%s: tensor \"input_ids\" is missing: token ids are read from it", f.Path)
	}
	if len(info.Shape) != 2 || info.Shape[0] == 0 || info.Shape[1] == 0 {
		return nil, fmt.Errorf("%s: tensor \"input_ids\" has shape %v: expected (rows, positions)", f.Path, info.Shape)
	}
	raw, err := f.Bytes("input_ids")
	if err != nil {
		return nil, err
	}
	n := int(info.Shape[1])
	flat := make([]int64, info.Shape[0]*info.Shape[1])
	if err := tensor.DecodeInt64(flat, raw, info.DType); err != nil {
		return nil, fmt.Errorf("%s: tensor \"input_ids\": %w", f.Path, err)
	}
	for i, id := range flat {
		if id < 0 || id >= int64(vocab) {
			return nil, fmt.Errorf("%s: input_ids[%d][%d] is %d: expected a token of the vocabulary of %d", f.Path, i/n, i%n, id, vocab)
		}
	}
	rows := make([][]int64, info.Shape[0])
	for b := range rows {
		rows[b] = flat[b*n : (b+1)*n]
	}
	return rows, nil
}

// Golden is a file of given answers: input_ids (rows, positions), logits
// (rows, positions, vocabulary), and hidden.i of shape (rows, positions,
// hidden) where there are some.
type Golden struct {
	File   *safetensors.File
	Ids    [][]int64
	Logits *report.Logits
}

func OpenGolden(path string, vocab int) (*Golden, error) {
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, err
	}
	g := &Golden{File: f}
	if g.Ids, err = IDsOf(f, vocab); err != nil {
		f.Close()
		return nil, err
	}
	if g.Logits, err = g.Values("logits", vocab); err != nil {
		f.Close()
		return nil, err
	}
	return g, nil
}

// Values reads a float tensor of shape (rows, positions, width).
func (g *Golden) Values(name string, width int) (*report.Logits, error) {
	info, ok := g.File.Lookup(name)
	if !ok {
		return nil, fmt.Errorf("%s: tensor %q is missing: the given answers are read from it", g.File.Path, name)
	}
	rows, positions := int64(len(g.Ids)), int64(len(g.Ids[0]))
	if len(info.Shape) != 3 || info.Shape[0] != rows || info.Shape[1] != positions || info.Shape[2] != int64(width) {
		return nil, fmt.Errorf("%s: tensor %q has shape %v: expected [%d %d %d], as input_ids and the model have it", g.File.Path, name, info.Shape, rows, positions, width)
	}
	raw, err := g.File.Bytes(name)
	if err != nil {
		return nil, err
	}
	l := &report.Logits{B: int(rows), S: int(positions), V: width, Data: make([]float64, rows*positions*int64(width))}
	if err := tensor.Decode64(l.Data, raw, info.DType); err != nil {
		return nil, fmt.Errorf("%s: tensor %q: %w", g.File.Path, name, err)
	}
	return l, nil
}
