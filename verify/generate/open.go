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
	f, err := findAny(dir)
	if err != nil {
		return nil, err
	}
	st, err := os.Stat(f.path)
	if err != nil {
		return nil, err
	}
	nodes := &onnxpb.GraphProto{}
	if st.Size() <= skimmed {
		raw, err := os.ReadFile(f.path)
		if err != nil {
			return nil, err
		}
		m := &onnxpb.ModelProto{}
		if err := proto.Unmarshal(raw, m); err != nil {
			return nil, fmt.Errorf("%s: not an ONNX model, or one that is truncated or damaged (%d bytes): export it again", f.path, len(raw))
		}
		nodes = m.GetGraph()
	}
	s, err := f.own.Session(f.path, opts)
	if err != nil {
		return nil, err
	}
	g, err := newGraph(s, nodes, f.length, f.headSize)
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("%s: %w", f.path, err)
	}
	if f.shared {
		for _, c := range g.caches {
			c.inPlace = c.axis >= 0
		}
	}
	return g, nil
}

// found is a folder's graph, and what the folder says of it.
type found struct {
	path string
	own  *run.GraphInfo // empty where pecvt did not write it
	// length is how many positions it has, headSize how wide its caches are; 0 where
	// that is not told.
	length, headSize int
	shared           bool // caches are written in place
}

func findAny(dir string) (f found, err error) {
	if own, err := run.ReadGraph(dir); err == nil {
		return found{path: own.Path, own: own, length: own.MaxLength}, nil
	}
	f.own = &run.GraphInfo{}
	config := filepath.Join(dir, configFile)
	raw, err := os.ReadFile(config)
	if errors.Is(err, fs.ErrNotExist) {
		if f.path, err = run.FindGraph(dir); errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%s: no graph in it: neither %s nor %s is there; make a folder with one, pecvt export MODEL -o DIR", dir, run.GraphFile, configFile)
		}
		return f, err
	}
	if err != nil {
		return f, err
	}
	var c struct {
		Model struct {
			ContextLength int `json:"context_length"`
			Decoder       struct {
				Filename string `json:"filename"`
				HeadSize int    `json:"head_size"`
			} `json:"decoder"`
		} `json:"model"`
		Search struct {
			Shared bool `json:"past_present_share_buffer"`
		} `json:"search"`
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return f, fmt.Errorf("%s: %w", config, err)
	}
	if c.Model.Decoder.Filename == "" {
		return f, fmt.Errorf("%s: model.decoder.filename is missing: the graph is not known", config)
	}
	f.path, f.length, f.headSize, f.shared = filepath.Join(dir, c.Model.Decoder.Filename), c.Model.ContextLength, c.Model.Decoder.HeadSize, c.Search.Shared
	if _, err := os.Stat(f.path); errors.Is(err, fs.ErrNotExist) {
		return f, fmt.Errorf("%s: no graph in it: %s names %s, which is not there; make a folder with one, pecvt export MODEL -o DIR", dir, configFile, c.Model.Decoder.Filename)
	}
	return f, nil
}
