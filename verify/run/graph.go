package run

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/loaders"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/verify/interp"
	"github.com/pecvt/pecvt/verify/written"
)

// GraphFile is the name of the graph in a converted folder; in names.WebFolder there it
// has one of loaders.WebNames.
const GraphFile = names.GraphFile

// FindGraph returns the path of the graph in a folder: beside the checkpoint or
// where transformers.js looks. None is an error of fs.ErrNotExist, two of them are
// an error too: neither is the folder's.
func FindGraph(dir string) (string, error) {
	path, err := graphIn(dir)
	web, inside := graphIn(filepath.Join(dir, names.WebFolder))
	switch {
	case errors.Is(inside, fs.ErrNotExist):
		return path, err
	case inside != nil:
		return "", inside
	case err == nil:
		return "", fmt.Errorf("%s: a graph in it and one in %s: which is meant is not known; move one away", dir, filepath.Join(names.WebFolder, filepath.Base(web)))
	}
	return web, nil
}

// GraphNames are the names in a folder, with slashes, that [FindGraph] looks for.
func GraphNames() []string {
	list := []string{GraphFile}
	for _, name := range loaders.WebNames() {
		list = append(list, name.Graph(), names.WebFolder+"/"+name.Graph())
	}
	return list
}

// graphIn is the graph that lies in a folder itself, by any of its names.
func graphIn(dir string) (string, error) {
	var found []string
	for _, name := range loaders.WebNames() {
		path := filepath.Join(dir, name.Graph())
		if slices.Contains(found, path) {
			continue
		}
		if _, err := os.Stat(path); err == nil {
			found = append(found, path)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	switch len(found) {
	case 0:
		_, err := os.Stat(filepath.Join(dir, GraphFile))
		return filepath.Join(dir, GraphFile), err
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("%s: the graphs %s and %s in it: which is meant is not known; move one away", dir, filepath.Base(found[0]), filepath.Base(found[1]))
}

// GraphInfo is what a graph's interface and metadata say of it.
type GraphInfo struct {
	// Path is the graph's file; its weights lie beside it.
	Path  string
	Model *onnxpb.ModelProto
	// Written is the graph with each operator that it has written out in others as
	// one node.
	Written *written.Graph
	// Encoding, Attention, MaxLength and Weights (the fingerprint of the tensor
	// files it was emitted for) come from the graph's metadata.
	Encoding, Attention, Weights string
	// Accuracy is "int8" where its products with codes may round what enters them.
	Accuracy string
	// Coding is what the codes of linear maps are, of a graph whose weights were rounded;
	// Head, where it is not "", what those of the embedding and the head are.
	Coding, Head string
	// Rounding is "given" where the codes of its weights are not the nearest ones.
	Rounding string
	// Functions is "inlined" where it says that it has none, Linear the form of its
	// linear maps, "" for the default.
	Functions, Linear string
	// Cache is "latent" where it carries latents in the place of keys and values, ""
	// for the default.
	Cache string
	// DType is the element type that it computes in, "float16" or "bfloat16", "" for
	// float32.
	DType string
	// Logits is LogitsLast where it gives those of each row's last token alone, "" for
	// the default.
	Logits    string
	MaxLength int
	// Layers is how many layers have a cache of keys, or latents, among its inputs.
	Layers int
	// Caches are what goes from one call to the next, in the inputs' order.
	Caches []cacheInfo
	// Positions reports an input position_ids.
	Positions bool
}

// InGraph is a layer's attention as the graph has it: what it caches, and what meets in
// its scores.
func (g *GraphInfo) InGraph(a *family.Attention) *family.Attention {
	if g.Cache == names.Latent && a.Latent != nil {
		return a.Absorbed()
	}
	return a
}

// Dir is the folder that the graph lies in.
func (g *GraphInfo) Dir() string { return filepath.Dir(g.Path) }

// Initializers are the graph's weights and constants by name.
func (g *GraphInfo) Initializers() map[string]*onnxpb.TensorProto {
	all := map[string]*onnxpb.TensorProto{}
	for _, t := range g.Model.GetGraph().GetInitializer() {
		all[t.GetName()] = t
	}
	return all
}

// ReadGraph decodes the graph of a folder (the weights stay outside).
func ReadGraph(dir string) (*GraphInfo, error) {
	path, err := FindGraph(dir)
	if err != nil {
		return nil, fmt.Errorf("graph: %w", err)
	}
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
	g := &GraphInfo{Path: path, Model: m, Written: written.Nodes(m.GetGraph())}
	for _, p := range m.GetMetadataProps() {
		switch p.GetKey() {
		case "pecvt.encoding":
			g.Encoding = p.GetValue()
		case "pecvt.attention":
			g.Attention = p.GetValue()
		case "pecvt.functions":
			g.Functions = p.GetValue()
		case "pecvt.linear":
			g.Linear = p.GetValue()
		case "pecvt.cache":
			g.Cache = p.GetValue()
		case "pecvt.accuracy":
			g.Accuracy = p.GetValue()
		case metaDType:
			g.DType = p.GetValue()
		case metaLogits:
			g.Logits = p.GetValue()
		case "pecvt.coding":
			g.Coding = p.GetValue()
		case "pecvt.head":
			g.Head = p.GetValue()
		case "pecvt.rounding":
			g.Rounding = p.GetValue()
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
	if g.Logits != "" && g.Logits != LogitsLast {
		return nil, fmt.Errorf("%s: metadata %s is %q: expected %s, or none", path, metaLogits, g.Logits, LogitsLast)
	}
	if err := g.readInputs(); err != nil {
		return nil, err
	}
	return g, nil
}

// readInputs reads what the inputs of the graph are.
func (g *GraphInfo) readInputs() error {
	g.Caches, g.Layers, g.Positions = nil, 0, false
	for _, in := range g.Model.GetGraph().GetInput() {
		switch name := in.GetName(); {
		case name == names.PositionIDs:
			g.Positions = true
		case strings.HasPrefix(name, "past"):
			c, err := newCacheInfo(in)
			if err != nil {
				return fmt.Errorf("%s: %w", g.Path, err)
			}
			g.Caches = append(g.Caches, c)
			if layer, _, ok := names.CacheOf(name); ok && (name == names.Past(layer, names.Key) || name == names.Past(layer, names.Latent)) {
				g.Layers++
			}
		}
	}
	if g.Layers == 0 {
		return fmt.Errorf("%s: no key/value cache among its inputs: emit it again with pecvt export", g.Path)
	}
	return nil
}

// cacheInfo is one input that takes an output of the call before.
type cacheInfo struct {
	Past, Present string
	DType         tensor.DType
	// Dims is its shape: the batch first, 0 where it grows with the positions.
	Dims []int64
}

func newCacheInfo(in *onnxpb.ValueInfoProto) (cacheInfo, error) {
	name := in.GetName()
	c := cacheInfo{Past: name}
	if present, ok := names.PresentOf(name); ok {
		c.Present = present
	} else {
		c.Present = "present of " + name // which no graph has: the interface check tells
	}
	var err error
	if c.DType, err = interp.ElementType(in.GetType().GetTensorType().GetElemType()); err == nil && !c.DType.IsFloat() {
		err = fmt.Errorf("it is %s: expected floats", c.DType)
	}
	if err != nil {
		return c, fmt.Errorf("input %q: %w", name, err)
	}
	dims := in.GetType().GetTensorType().GetShape().GetDim()
	for i, d := range dims {
		switch {
		case d.GetDimParam() == "" && d.GetDimValue() > 0:
			c.Dims = append(c.Dims, d.GetDimValue())
		case i > 0 && d.GetDimParam() == "":
			return c, fmt.Errorf("input %q: dimension %d is not stamped: expected a length or a name", name, i)
		default:
			c.Dims = append(c.Dims, 0)
		}
	}
	if len(c.Dims) < 2 || (strings.HasSuffix(name, ".key") || strings.HasSuffix(name, ".latent")) && len(c.Dims) != 4 {
		return c, fmt.Errorf("input %q has %d dimensions: expected (batch, kv_heads, past, head_dim), or (batch, ...) of a state", name, len(c.Dims))
	}
	return c, nil
}
