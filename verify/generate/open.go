package generate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/proto"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/verify/ort"
	"github.com/pecvt/pecvt/verify/run"
)

// configFile is onnxruntime-genai's, which names a folder's graph.
const configFile = "genai_config.json"

// skimmed is how large a graph's file may be for its nodes to be looked at: larger
// ones hold their weights.
const skimmed = 64 << 20

// OpenAny opens the graph of any folder whose decoder has the usual interface
// (input_ids, attention_mask, position_ids or not, past_key_values.N.key and .value,
// which present.N.key and .value go on with; logits): pecvt's, onnxruntime-genai's,
// optimum's, mobius'. An input of another name is an error.
func OpenAny(dir string, opts ort.Options) (*Graph, error) {
	path, length, shared, err := findAny(dir)
	if err != nil {
		return nil, err
	}
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	nodes := &onnxpb.GraphProto{}
	if st.Size() <= skimmed {
		raw, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		m := &onnxpb.ModelProto{}
		if err := proto.Unmarshal(raw, m); err != nil {
			return nil, fmt.Errorf("%s: not an ONNX model, or a truncated one", path)
		}
		nodes = m.GetGraph()
	}
	s, err := ort.Open(path, opts)
	if err != nil {
		return nil, err
	}
	g, err := newGraph(s, nodes, length)
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if shared {
		for _, c := range g.caches {
			c.inPlace = c.axis >= 0
		}
	}
	return g, nil
}

// findAny finds a folder's graph, how many positions it has where that is told, and
// whether the folder says that its caches are written in place.
func findAny(dir string) (path string, length int, shared bool, err error) {
	if own, err := run.ReadGraphMeta(dir); err == nil {
		path, err := run.FindGraph(dir)
		return path, own.MaxLength, false, err
	}
	raw, err := os.ReadFile(filepath.Join(dir, configFile))
	if errors.Is(err, fs.ErrNotExist) {
		if path, err = run.FindGraph(dir); errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%s: no graph in it: neither %s nor %s is there; make a folder with one, pecvt export MODEL -o DIR", dir, run.GraphFile, configFile)
		}
		return path, 0, false, err
	}
	if err != nil {
		return "", 0, false, err
	}
	var c struct {
		Model struct {
			ContextLength int `json:"context_length"`
			Decoder       struct {
				Filename string `json:"filename"`
			} `json:"decoder"`
		} `json:"model"`
		Search struct {
			Shared bool `json:"past_present_share_buffer"`
		} `json:"search"`
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return "", 0, false, fmt.Errorf("%s: %w", filepath.Join(dir, configFile), err)
	}
	if c.Model.Decoder.Filename == "" {
		return "", 0, false, fmt.Errorf("%s: model.decoder.filename is missing: the graph is not known", filepath.Join(dir, configFile))
	}
	return filepath.Join(dir, c.Model.Decoder.Filename), c.Model.ContextLength, c.Search.Shared, nil
}
