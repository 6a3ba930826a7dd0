package verify

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// genAIFile is what onnxruntime-genai reads of a folder.
const genAIFile = "genai_config.json"

// genAIConfig is the part of it that the graph or the checkpoint decides.
type genAIConfig struct {
	Model struct {
		BOS           json.RawMessage `json:"bos_token_id"`
		EOS           json.RawMessage `json:"eos_token_id"`
		ContextLength int             `json:"context_length"`
		VocabSize     int             `json:"vocab_size"`
		Decoder       struct {
			Filename string            `json:"filename"`
			HeadSize int               `json:"head_size"`
			Hidden   int               `json:"hidden_size"`
			Heads    int               `json:"num_attention_heads"`
			KVHeads  int               `json:"num_key_value_heads"`
			Layers   int               `json:"num_hidden_layers"`
			Inputs   map[string]string `json:"inputs"`
			Outputs  map[string]string `json:"outputs"`
		} `json:"decoder"`
	} `json:"model"`
}

// genAI compares genai_config.json, where there is one, with the graph and the
// checkpoint: onnxruntime-genai believes it.
func (s *session) genAI() error {
	raw, err := os.ReadFile(filepath.Join(s.dir, genAIFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	c := report.Check{Name: report.CheckGenAI, Runner: run.InterpName, Against: run.GraphFile, Verdict: report.Pass}
	if c.Detail = s.wrongGenAI(raw); c.Detail != "" {
		c.Verdict, c.Blame = report.Fail, genAIFile+" is of another graph, or was changed: emit the graph again with pecvt export"
	}
	s.add(c)
	return nil
}

// wrongGenAI tells of the first thing that it says otherwise.
func (s *session) wrongGenAI(raw []byte) string {
	var g genAIConfig
	if err := json.Unmarshal(raw, &g); err != nil {
		return fmt.Sprintf("%s: not JSON of its kind: %v", genAIFile, err)
	}
	d, a := g.Model.Decoder, s.model.Blocks[0].Attn()
	if d.Filename != run.GraphFile {
		return fmt.Sprintf("%s: filename is %q: expected %q", genAIFile, d.Filename, run.GraphFile)
	}
	for _, x := range []struct {
		key       string
		got, want int
	}{
		{"head_size", d.HeadSize, a.QKDim}, {"hidden_size", d.Hidden, s.model.Hidden}, {"num_attention_heads", d.Heads, a.Heads},
		{"num_key_value_heads", d.KVHeads, a.KVHeads}, {"num_hidden_layers", d.Layers, len(s.model.Blocks)}, {"vocab_size", g.Model.VocabSize, s.model.Vocab},
	} {
		if x.got != x.want {
			return fmt.Sprintf("%s: %s is %d: the model has %d", genAIFile, x.key, x.got, x.want)
		}
	}
	if n := g.Model.ContextLength; n < 1 || n > s.info.MaxLength {
		return fmt.Sprintf("%s: context_length is %d: the graph's tables hold %d positions", genAIFile, n, s.info.MaxLength)
	}
	graph := s.info.Model.GetGraph()
	if why := unlikeNames("inputs", d.Inputs, graph.GetInput(), len(s.model.Blocks)); why != "" {
		return why
	}
	if why := unlikeNames("outputs", d.Outputs, graph.GetOutput(), len(s.model.Blocks)); why != "" {
		return why
	}
	for _, x := range []struct {
		key string
		got json.RawMessage
	}{{"bos_token_id", g.Model.BOS}, {"eos_token_id", g.Model.EOS}} {
		if want := s.tokenID(x.key); !bytes.Equal(compact(x.got), want) {
			return fmt.Sprintf("%s: %s is %s: the checkpoint's is %s", genAIFile, x.key, cmp.Or(string(compact(x.got)), "missing"), cmp.Or(string(want), "missing"))
		}
	}
	return ""
}

// unlikeNames holds the names of a graph's inputs or outputs, of which %d stands
// for every layer, against those that it has: all are there, and no other is.
func unlikeNames(what string, names map[string]string, list []*onnxpb.ValueInfoProto, layers int) string {
	var have, told []string
	for _, v := range list {
		have = append(have, v.GetName())
	}
	for _, key := range slices.Sorted(maps.Keys(names)) {
		n := names[key]
		if !strings.Contains(n, "%d") {
			told = append(told, n)
			continue
		}
		for i := range layers {
			told = append(told, strings.Replace(n, "%d", fmt.Sprint(i), 1))
		}
	}
	for _, n := range told {
		if !slices.Contains(have, n) {
			return fmt.Sprintf("%s: %s: the graph has no %q", genAIFile, what, n)
		}
	}
	for _, n := range have {
		if !slices.Contains(told, n) {
			return fmt.Sprintf("%s: %s: %q of the graph is not among them", genAIFile, what, n)
		}
	}
	return ""
}

// tokenID is a special token as generation_config.json has it, else config.json.
func (s *session) tokenID(key string) []byte {
	raw, err := os.ReadFile(filepath.Join(s.dir, "generation_config.json"))
	var m map[string]json.RawMessage
	if err == nil && json.Unmarshal(raw, &m) == nil && m[key] != nil {
		return compact(m[key])
	}
	if o := s.loaded.Config; o.Has(key) {
		return compact(o.Raw(key))
	}
	return nil
}

// compact is a JSON value without spaces.
func compact(raw json.RawMessage) []byte {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return raw
	}
	return b.Bytes()
}
