package run

import (
	"fmt"
	"strings"

	"github.com/pecvt/pecvt/convert/safetensors"
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
