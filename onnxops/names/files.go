package names

import (
	"encoding/hex"
	"fmt"
)

// The graph's file, and that of its own copies of weights, which lies beside it.
const (
	GraphFile = "model.onnx"
	DataFile  = "model.onnx.data"
)

// Digest is the metadata of an initializer that was made of stored weights: [DigestOf]
// its bytes.
const Digest = "pecvt.sha256"

// DigestOf is how a SHA-256 is written there.
func DigestOf(sum [32]byte) string { return hex.EncodeToString(sum[:]) }

// WebFolder is where transformers.js looks for a graph in a model's folder, if it is
// told nothing else.
const WebFolder = "onnx"

// WebData is the name under which transformers.js looks for the i-th file of the weights
// of a graph there: it fetches as many as config.json says.
func WebData(graph string, i int) string {
	if i == 0 {
		return graph + "_data"
	}
	return fmt.Sprint(graph, "_data_", i)
}

// MaxWebData is the most files of weights that transformers.js 4.3.2 fetches.
const MaxWebData = 100
