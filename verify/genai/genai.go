// Package genai holds genai_config.json, which onnxruntime-genai believes, against
// the graph and the checkpoint beside it. It shares no code with what writes it.
package genai

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/verify/run"
	"github.com/pecvt/pecvt/verify/special"
)

// File is what onnxruntime-genai reads of a folder.
const File = "genai_config.json"

// decoderType makes onnxruntime-genai run a decoder with a graph's inputs and outputs.
const decoderType = "llama"

// Folder is where one lies.
type Folder struct {
	Dir   string
	Model *family.Model
	Graph *run.GraphInfo
}

// file is the part of genai_config.json that the graph or the checkpoint decides.
type file struct {
	Model struct {
		BOS           json.RawMessage `json:"bos_token_id"`
		EOS           json.RawMessage `json:"eos_token_id"`
		PAD           json.RawMessage `json:"pad_token_id"`
		Type          string          `json:"type"`
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
	Search struct {
		MaxLength   int  `json:"max_length"`
		ShareBuffer bool `json:"past_present_share_buffer"`
	} `json:"search"`
}

// Wrong tells of the first thing that the text of genai_config.json says
// otherwise, "" where there is none.
func (f *Folder) Wrong(raw []byte) string {
	var g file
	if err := json.Unmarshal(raw, &g); err != nil {
		return fmt.Sprintf("%s: not JSON of its kind: %v", File, err)
	}
	d, a := g.Model.Decoder, f.Model.FirstAttn()
	if d.Filename != run.GraphFile {
		return fmt.Sprintf("%s: filename is %q: expected %q", File, d.Filename, run.GraphFile)
	}
	for _, x := range []struct {
		key       string
		got, want int
	}{
		{"head_size", d.HeadSize, a.QKDim}, {"hidden_size", d.Hidden, f.Model.Hidden}, {"num_attention_heads", d.Heads, a.Heads},
		{"num_key_value_heads", d.KVHeads, a.KVHeads}, {"num_hidden_layers", d.Layers, len(f.Model.Blocks)}, {"vocab_size", g.Model.VocabSize, f.Model.Vocab},
	} {
		if x.got != x.want {
			return fmt.Sprintf("%s: %s is %d: the model has %d", File, x.key, x.got, x.want)
		}
	}
	if n := g.Model.ContextLength; n < 1 || n > f.Graph.MaxLength {
		return fmt.Sprintf("%s: context_length is %d: the graph's tables hold %d positions", File, n, f.Graph.MaxLength)
	}
	if n := g.Search.MaxLength; n < 1 || n > g.Model.ContextLength {
		return fmt.Sprintf("%s: max_length is %d: context_length is %d", File, n, g.Model.ContextLength)
	}
	graph := f.Graph.Model.GetGraph()
	// GroupQueryAttention alone gives back a cache of the size that it was given.
	inPlace := slices.ContainsFunc(graph.GetNode(), func(n *onnxpb.NodeProto) bool { return n.GetOpType() == "GroupQueryAttention" })
	if g.Search.ShareBuffer != inPlace {
		return fmt.Sprintf("%s: past_present_share_buffer is %v: expected %v, as the graph's caches are", File, g.Search.ShareBuffer, inPlace)
	}
	for _, c := range f.Graph.Caches {
		if width := c.Dims[len(c.Dims)-1]; width != int64(d.HeadSize) {
			return fmt.Sprintf("%s: head_size is %d: the graph's %s is %d wide, and onnxruntime-genai has one size for keys and values", File, d.HeadSize, c.Past, width)
		}
	}
	if why := unlikeNames("inputs", d.Inputs, graph.GetInput(), len(f.Model.Blocks)); why != "" {
		return why
	}
	if why := unlikeNames("outputs", d.Outputs, graph.GetOutput(), len(f.Model.Blocks)); why != "" {
		return why
	}
	if g.Model.Type != decoderType {
		return fmt.Sprintf("%s: type is %q: expected %q, whatever the family: of another one onnxruntime-genai asks for other inputs", File, g.Model.Type, decoderType)
	}
	files := special.Files{Dir: f.Dir, Config: f.Model.Config.Raw, Vocab: f.Model.Vocab}
	for _, x := range []struct {
		kind string
		got  json.RawMessage
		most int
	}{{"bos", g.Model.BOS, 1}, {"eos", g.Model.EOS, math.MaxInt}, {"pad", g.Model.PAD, 1}} {
		want, err := files.IDs(x.kind)
		if err != nil {
			return err.Error()
		}
		if x.kind == "pad" && len(want) == 0 { // a row is filled up with what ends it
			if want, err = files.IDs("eos"); err != nil {
				return err.Error()
			}
		}
		want = want[:min(len(want), x.most)]
		if got, err := special.IDsOf(x.got); err != nil || !slices.Equal(got, want) {
			return fmt.Sprintf("%s: %s_token_id is %s: the checkpoint's is %s", File, x.kind, cmp.Or(string(x.got), "missing"), spelledIDs(want))
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
			return fmt.Sprintf("%s: %s: the graph has no %q", File, what, n)
		}
	}
	for _, n := range have {
		if !slices.Contains(told, n) {
			return fmt.Sprintf("%s: %s: %q of the graph is not among them", File, what, n)
		}
	}
	return ""
}

func spelledIDs(ids []int64) string {
	switch len(ids) {
	case 0:
		return "missing"
	case 1:
		return strconv.FormatInt(ids[0], 10)
	}
	var text []string
	for _, id := range ids {
		text = append(text, strconv.FormatInt(id, 10))
	}
	return "[" + strings.Join(text, ", ") + "]"
}
