package run

import (
	"fmt"
	"strings"

	"github.com/pecvt/pecvt/convert/safetensors"
)

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
