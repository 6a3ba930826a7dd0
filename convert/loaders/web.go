package loaders

// WebName is how transformers.js 4.3.2 calls a graph by its numbers, with which it is
// asked for it, and which its configuration names (src/utils/dtypes.js).
type WebName struct {
	// DType is what the graph computes in, Weights what its weights are; see
	// onnxops.Options.
	DType, Weights string
	// Name is the dtype there, Suffix what the graph's file has after "model".
	Name, Suffix string
}

// Graph is the name of the graph's file.
func (n WebName) Graph() string { return "model" + n.Suffix + ".onnx" }

// WebNames are those of graphs that are emitted, the first one for what has none of its
// own. Others that it has are of no graph here: int8, uint8, bnb4, q2, q1 and theirs in
// float16.
func WebNames() []WebName {
	return []WebName{
		{"float32", "stored", "fp32", ""},
		{"float32", "float32", "fp32", ""},
		{"float32", "int8", "q8", "_quantized"},
		{"float32", "int4", "q4", "_q4"},
		{"float16", "stored", "fp16", "_fp16"},
		{"float16", "float32", "fp16", "_fp16"},
		{"float16", "int4", "q4f16", "_q4f16"},
	}
}

// Web looks a graph's name up.
func Web(dtype, weights string) (WebName, bool) {
	for _, n := range WebNames() {
		if n.DType == dtype && n.Weights == weights {
			return n, true
		}
	}
	return WebName{}, false
}
