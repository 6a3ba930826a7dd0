package convert

import (
	"fmt"
	"slices"

	"github.com/pecvt/pecvt/convert/loaders"
)

// webKey is where config.json tells transformers.js of graphs in the folder onnx.
const webKey = "transformers.js_config"

// webConfig is what it says. Data counts the files of weights beside a graph: the
// number of them is all that transformers.js is told, the names are its own. Without
// DType a browser looks for a graph of 8-bit weights.
type webConfig struct {
	Data  map[string]int `json:"use_external_data_format,omitempty"`
	DType string         `json:"dtype"`
}

// webValue is webKey's value for the result; nil where no such graph comes into it, or no
// configuration that transformers.js reads.
func (p *Plan) webValue() any {
	files := 0
	switch p.options.WebWeights {
	case "":
		return nil
	case "external-copy":
		files = 1
	case "external":
		files = len(p.tensors)
	}
	if p.rewrite.Spelling == loaders.Own {
		return nil
	}
	graph := loaders.WebNames()[0]
	for _, n := range loaders.WebNames() {
		if n.Name == p.options.WebName {
			graph = n
		}
	}
	c := webConfig{DType: graph.Name}
	if files > 0 {
		c.Data = map[string]int{graph.Graph(): files}
	}
	return c
}

// webNotes says which files that the tokenizers of transformers.js read are not
// among the result's.
func (p *Plan) webNotes() {
	if p.options.WebWeights == "" {
		return
	}
	for _, name := range []string{"tokenizer.json", tokenizerConfigName} {
		if !slices.ContainsFunc(p.Files, func(f FilePlan) bool { return f.Name == name }) {
			p.Notes = append(p.Notes, fmt.Sprintf("no %s, which the tokenizers of transformers.js read: the graph runs there on token ids", name))
		}
	}
}
