package verify

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// GraphFile is the name of the graph in a converted folder.
const GraphFile = "model.onnx"

// graphInfo is what a graph's interface and metadata say of it.
type graphInfo struct {
	Model *onnxpb.ModelProto
	// Encoding, Attention, MaxLength and Weights (the fingerprint of the tensor
	// files it was emitted for) come from the graph's metadata.
	Encoding, Attention, Weights string
	MaxLength                    int
	// Layers, KVHeads and HeadDim come from its cache inputs.
	Layers, KVHeads, HeadDim int
	// Positions reports an input position_ids.
	Positions bool
}

// readGraph decodes model.onnx in a folder (the weights stay outside).
func readGraph(dir string) (*graphInfo, error) {
	path := filepath.Join(dir, GraphFile)
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("graph: %w", err)
	}
	m := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(raw, m); err != nil {
		return nil, fmt.Errorf("%s: not an ONNX model, or one that is truncated or damaged (%d bytes): emit it again with pecvt export", path, len(raw))
	}
	if m.GetGraph() == nil || len(m.GetGraph().GetOutput()) == 0 {
		return nil, fmt.Errorf("%s: no graph in it: the file is empty or truncated; emit it again with pecvt export", path)
	}
	g := &graphInfo{Model: m}
	for _, p := range m.GetMetadataProps() {
		switch p.GetKey() {
		case "pecvt.encoding":
			g.Encoding = p.GetValue()
		case "pecvt.attention":
			g.Attention = p.GetValue()
		case "pecvt.weights":
			g.Weights = p.GetValue()
		case "pecvt.max_length":
			if g.MaxLength, err = strconv.Atoi(p.GetValue()); err != nil || g.MaxLength <= 0 {
				return nil, fmt.Errorf("%s: metadata pecvt.max_length is %q: expected a positive number", path, p.GetValue())
			}
		}
	}
	if g.MaxLength == 0 {
		return nil, fmt.Errorf("%s: no metadata pecvt.max_length: the graph was not emitted by pecvt; emit one with pecvt export", path)
	}
	for _, in := range m.GetGraph().GetInput() {
		switch name := in.GetName(); {
		case name == "position_ids":
			g.Positions = true
		case strings.HasPrefix(name, "past_key_values.") && strings.HasSuffix(name, ".key"):
			g.Layers++
			dims := in.GetType().GetTensorType().GetShape().GetDim()
			if len(dims) != 4 {
				return nil, fmt.Errorf("%s: input %q has %d dimensions: expected (batch, kv_heads, past, head_dim)", path, name, len(dims))
			}
			g.KVHeads, g.HeadDim = int(dims[1].GetDimValue()), int(dims[3].GetDimValue())
		}
	}
	if g.Layers == 0 || g.KVHeads <= 0 || g.HeadDim <= 0 {
		return nil, fmt.Errorf("%s: no key/value cache among its inputs: emit it again with pecvt export", path)
	}
	return g, nil
}
