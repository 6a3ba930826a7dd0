package verify

import "testing"

// GiveRuntime makes ONNX Runtime read another graph of the folder while a test
// runs: what is wrong with it is then wrong in the runtime alone.
func GiveRuntime(t *testing.T, graph string) {
	old := ortGraph
	ortGraph = graph
	t.Cleanup(func() { ortGraph = old })
}
