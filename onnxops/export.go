package onnxops

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/quant/nearest"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/headtables"
	"github.com/pecvt/pecvt/onnxops/lower"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/onnxops/ops"
	"github.com/pecvt/pecvt/posenc/hint"
)

// emitter is one export under way. Values that several layers share are made on
// first use and kept.
type emitter struct {
	g       *graph.Graph
	opts    Options
	weights *initializers

	roundable map[string]nearest.Scheme // weights that become codes, by keyOf
	rounded   map[string]*rounded       // those that have

	ids, mask           *graph.Value // inputs
	positions           *graph.Value // inside the tables; nil with AttentionORT
	shortcut            *graph.Value // what joins the stream with the next block's output
	lengths             *graph.Value // the vector [batch, sequence]
	inside              *graph.Value // which positions are inside the tables, see guard.go
	marks               *graph.Value // the past values of the layer that marks them
	totalVec            *graph.Value
	lastKey, totalInt32 *graph.Value // for GroupQueryAttention
	rowTotal            *graph.Value // (batch): tokens of a row, the past's among them

	threeAxes bool // the stream is (batch, sequence, hidden) in the layers, see stream.go

	kept        map[int][]*graph.Value // keys and values of a layer, the past's among them
	layerInputs *graph.Value           // (batch*sequence, layers, size): embeddings by layer

	consts       map[string]*graph.Value
	values       map[string]any // of constants by their names
	named        map[string]int // how often coordinates took a name
	rotaries     []table
	headTables   []*headtables.Table // with spectra per head
	headTurns    map[*headtables.Table][]turning
	pathRotaries []table // of path vectors
	lastBlock    int
	early        bool // the head's rows were chosen in the last block
	called       *callParts
	parts        *maskParts
	masks        map[int]*graph.Value
	presents     []*graph.Value
	biasForm     string // what the layers' biases became: BiasLowered, BiasMask or both
}

// emitted are the parts of a model, beyond llama's, that a graph is made for.
// What one form alone lacks is in expressible.
var emitted = family.Settled()

// Export returns the model as an ONNX graph. src is the store that m was loaded
// from; with PlaceExternal its files' names and offsets go into the
// graph, with PlaceEmbed its mapped bytes, so it must stay open while the
// result is in use. A rope type that depends on the length turns as it does for
// sequences of opts.MaxLength, whatever length m is at.
//
// Errors wrap posenc.ErrUnsupported where a form cannot express the model; they
// name the form that can.
func Export(m *family.Model, src store.Store, opts Options) (*onnxpb.ModelProto, error) {
	model, _, err := export(m, src, opts)
	return model, err
}

func export(m *family.Model, src store.Store, opts Options) (*onnxpb.ModelProto, *initializers, error) {
	if err := m.Beyond(emitted...); err != nil {
		return nil, nil, hint.Errorf("onnx: %w; convert without a graph ("+hint.NoGraph+")", err)
	}
	opts, err := opts.withDefaults(m)
	if err != nil {
		return nil, nil, err
	}
	if m, err = turnsFor(m, opts.MaxLength); err != nil {
		return nil, nil, err
	}
	e := newEmitter(src, opts)
	head := ""
	if opts.Rounds() {
		of, err := schemesOf(m, src, opts)
		if err != nil {
			return nil, nil, fmt.Errorf("onnx: %w", err)
		}
		e.roundable, e.rounded, head = roundable(m, of, src), map[string]*rounded{}, of.Head(m)
		if e.weights.loses, err = loses(m, src, opts, e.roundable); err != nil {
			return nil, nil, fmt.Errorf("onnx: %w", err)
		}
	}
	for _, a := range m.Attentions() {
		// ONNX Runtime before 1.29 caps what the mask hides (1.23.2, 1.26.0); and of
		// latents its kernel makes a product for each head, where all heads together
		// are one (1.32.0: two to three times the time of a token after 2048).
		if a.Cap > 0 || opts.Cache == CacheLatent {
			e.g.Lower(lower.Always("Attention"))
		}
	}
	e.headTables, e.headTurns = headtables.Of(m, opts.MaxLength), map[*headtables.Table][]turning{}
	e.lastBlock = len(m.Blocks) - 1
	x := e.embed(m.Embed)
	x = e.scaled(names.EmbedScaled, x, m.EmbedScale)
	if m.EmbedShift != nil {
		x = e.g.Op("Add", names.EmbedShifted, []*graph.Value{x, e.weights.float32(*m.EmbedShift)})
	}
	x = e.norm(names.Outside(family.AtEmbedNorm), x, m.EmbedNorm)
	e.byLayer(m, x)
	x = e.layers(m, x)
	x = e.norm(names.Outside(family.AtFinalNorm), x, &m.FinalNorm)
	x = e.guardRows(x)
	if !e.early {
		x = e.chosen(names.LastChosen, x)
	}
	if d := m.HeadDense; d != nil {
		x = e.linear(names.Outside(family.AtHeadDense), x, d.Linear)
		x = e.activation(names.HeadAct, &family.MLP{Act: d.Act}, x)
		x = e.norm(names.Outside(family.AtHeadDenseNorm), x, &d.Norm)
	}
	x = e.linear(names.Outside(family.AtHead), x, m.Head)
	e.g.Wide()
	x = e.finished(e.g.Typed(x, graph.Float), m)
	if e.g.Err() == nil && !opts.Sketch {
		if err := e.weights.fits(opts); err != nil {
			return nil, nil, err
		}
	}
	if e.g.Err() == nil && opts.Coding.Accuracy == AccuracyInt8 && !opts.Rounds() && !e.weights.multiplied() {
		return nil, nil, hint.Errorf("onnx: %s: "+hint.Accuracy+" int8: no weight is stored in codes that are multiplied as they are; choose "+hint.Weights+" int4 or int8, or leave it out", src.Root())
	}
	logits := e.g.Add(graph.Node{
		Op: "Reshape", Name: names.HeadOut, Out: []string{names.Logits},
		In: []*graph.Value{x, e.logitsShape(int64(m.Vocab))},
	})[0]
	e.g.Output(logits)
	for _, p := range e.presents {
		e.g.Output(p)
	}
	weights, err := src.Fingerprint()
	if err != nil {
		return nil, nil, fmt.Errorf("onnx: %w", err)
	}
	props := [][2]string{
		{"pecvt.version", opts.Version},
		{"pecvt.encoding", opts.Encoding},
		{"pecvt.max_length", strconv.Itoa(opts.MaxLength)},
		{"pecvt.attention", opts.Attention},
		// tells a later reader whether the tensor files are still these
		{"pecvt.weights", weights},
	}
	if opts.inlined() {
		props = append(props, [2]string{"pecvt.functions", "inlined"})
	}
	if opts.Linear != LinearGemm {
		props = append(props, [2]string{"pecvt.linear", opts.Linear})
	}
	if opts.narrow() {
		props = append(props, [2]string{"pecvt.dtype", opts.DType})
	}
	if opts.Rounds() || opts.Coding.Accuracy != AccuracyFloat32 {
		props = append(props, [2]string{"pecvt.accuracy", opts.Coding.Accuracy})
	}
	if opts.Rounds() {
		props = append(props, [2]string{"pecvt.coding", opts.Scheme().String()})
		if head != "" {
			props = append(props, [2]string{"pecvt.head", head})
		}
		if opts.Coding.Code != nil {
			props = append(props, [2]string{"pecvt.rounding", "given"})
			if opts.Coding.Texts != "" {
				props = append(props, [2]string{"pecvt.rounding_texts", opts.Coding.Texts})
			}
		}
	}
	if opts.Logits != LogitsAll {
		props = append(props, [2]string{"pecvt.logits", opts.Logits})
	}
	if opts.Cache != CacheFull {
		props = append(props, [2]string{"pecvt.cache", opts.Cache})
	}
	if e.biasForm != "" {
		props = append(props, [2]string{"pecvt.bias", e.biasForm})
	}
	model, err := e.g.Model(graph.Meta{Producer: "pecvt", Version: opts.Version, Props: props})
	if err != nil {
		return nil, nil, fmt.Errorf("onnx: %w", err)
	}
	return model, e.weights, nil
}

// newEmitter declares the inputs and what every layer shares.
func newEmitter(src store.Store, opts Options) *emitter {
	g := graph.New("pecvt", opts.Opset, ops.Functions()...)
	g.Lower(lower.Table()...)
	g.Compute(computing[opts.DType])
	if opts.inlined() {
		for _, f := range ops.Functions() {
			g.Lower(f.Inline())
		}
	}
	e := &emitter{
		g: g, opts: opts, consts: map[string]*graph.Value{}, values: map[string]any{}, named: map[string]int{}, masks: map[int]*graph.Value{}, kept: map[int][]*graph.Value{},
		weights: &initializers{g: g, src: src, mode: opts.Placement, kind: opts.Weights, opset: opts.Opset, folder: opts.Folder, graph: opts.graphFile(), cache: map[string]*graph.Value{}, held: map[string]string{}, digests: map[string]string{}, views: map[string]string{}},
	}
	g.DefineSum(graph.Sym(names.TotalLength), graph.Sym(names.PastLength), graph.Sym(names.Sequence))
	e.ids = g.Input(names.InputIDs, graph.Int64, graph.Of(names.BatchSize, names.Sequence))
	e.mask = g.Input(names.AttentionMask, graph.Int64, graph.Of(names.BatchSize, names.TotalLength))
	e.lengths = g.Op("Shape", names.Lengths, []*graph.Value{e.ids})
	if opts.Attention == AttentionORT {
		e.guardTotal()
		e.ortLengths()
		return e
	}
	e.guardPositions(g.Input(names.PositionIDs, graph.Int64, graph.Of(names.BatchSize, names.Sequence)))
	return e
}

// scaled emits x times a factor, 0 for none, as a node of that name.
func (e *emitter) scaled(name string, x *graph.Value, factor float64) *graph.Value {
	if factor == 0 {
		return x
	}
	return e.g.Op("Mul", name, []*graph.Value{x, e.scalar(strings.TrimPrefix(name, "/"), factor)})
}

// finished emits what a model does to its logits, (batch*sequence, vocabulary).
func (e *emitter) finished(x *graph.Value, m *family.Model) *graph.Value {
	x = e.scaled("/head/scaled/Mul", x, m.LogitScale)
	if m.LogitCap == 0 {
		return x
	}
	c := e.scalar("head/cap", m.LogitCap)
	x = e.g.Op("Div", "/head/capped/Div", []*graph.Value{x, c})
	x = e.g.Op("Tanh", "/head/capped/Tanh", []*graph.Value{x})
	return e.g.Op("Mul", "/head/capped/Mul", []*graph.Value{x, c})
}

// embed looks the tokens up, (batch*sequence, hidden). The rows are gathered in
// the stored type and cast after, so that no float32 copy of the whole table is
// kept for it.
func (e *emitter) embed(w family.Weight) *graph.Value {
	ids := e.g.Op("Reshape", names.EmbedIDs, []*graph.Value{e.ids, e.ints("all", -1)})
	if r := e.rounds(w); r != nil {
		return e.roundedRows(names.EmbedRows, r, ids)
	}
	return e.rowsOf(names.EmbedRows, names.EmbedCast, w, ids)
}

// rowsOf looks rows of a weight up, by a node of that name, and casts them by another.
func (e *emitter) rowsOf(name, cast string, w family.Weight, ids *graph.Value) *graph.Value {
	x := e.g.Op("Gather", name, []*graph.Value{e.weights.stored(w), ids})
	if e.g.Err() != nil || x.DType() == graph.Float && e.g.Computes() == graph.Float {
		return x
	}
	e.weights.narrows(w)
	return e.g.Op("Cast", cast, []*graph.Value{x}, graph.IntAttr("to", int(e.g.Computes())))
}
