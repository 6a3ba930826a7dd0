package family

import (
	"reflect"
	"slices"

	"github.com/pecvt/pecvt/convert/quant"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/posenc"
)

// Model is a decoder-only transformer as a checkpoint and its configuration
// describe it. With x the residual stream of shape (batch, positions, Hidden),
// block i computes
//
//	h = x + Attn(AttnNorm(x));  y = h + MLP(MLPNorm(h))
//
// (or, Parallel, y = x + Attn(AttnNorm(x)) + MLP(MLPNorm(x))), and the logits
// are Head(FinalNorm(y_last)). Either branch may have another norm on its output,
// or none before it. Parts lists all of it.
type Model struct {
	// Family is the row of the table, ModelType what config.json says.
	Family, ModelType string
	Vocab, Hidden     int
	// TrainedLength is the length L the unscaled model was trained on, in
	// positions, and TrainedLengthFrom the key of config.json it comes from.
	TrainedLength     int
	TrainedLengthFrom string
	// MaxPositions is max_position_embeddings.
	MaxPositions int
	// Tied reports that Head shares Embed's tensor.
	Tied  bool
	DType tensor.DType
	Embed Weight // (Vocab, Hidden)
	// EmbedScale multiplies the embedding, LogitScale the logits; 0 is none.
	// LogitCap c > 0 makes a logit z, after that, c·tanh(z/c).
	EmbedScale, LogitScale, LogitCap float64
	EmbedNorm                        *Norm // nil in most families
	// EmbedShift, (1, Hidden), is added to every token's embedding; nil is nothing.
	EmbedShift *Weight
	// NormedHidden: the hidden states that loaders give are those that a layer's first
	// norm makes. Nothing that is computed reads it.
	NormedHidden bool
	// ByLayer are embeddings of which each layer has its own; nil is none.
	ByLayer   *ByLayer
	FinalNorm Norm
	HeadDense *HeadDense
	Head      Linear // (Vocab, Hidden)
	Blocks    []Block
	// Rope is the rotary encoding as the rope keys declare it, of layers of full
	// attention where their types differ (RopeOf); its Type is empty where the
	// family has none of them: what turns is then in the blocks alone.
	Rope posenc.RopeParams
	// Config is config.json, or the source's configuration inside of it where
	// Extension is set.
	Config *Config
	// Wrapper is the model of vision or sound that this is the language model of; nil
	// of a model by itself. Config is then a part of its file (File, Whole).
	Wrapper *Wrapped
	// Extension is what pecvt's own block of config.json says; nil without one.
	Extension *Extension
	// Ignored are stored tensors that carry no weight (old rotary buffers).
	Ignored []string
	// Parameters are small tensors whose values went into the blocks when the
	// model was loaded (frequencies, slopes, gate vectors).
	Parameters []Weight
	// Quantised says how quantised weights are stored, whose numbers the store gives
	// ([store.Decoded]); nil where none are.
	Quantised *quant.Storage
	// Leftover are keys of config.json that say how the weights are quantised, which
	// they are not.
	Leftover []string
	// Warnings name what is inconsistent but not wrong.
	Warnings []string

	learned  bool                 // the spectrum is a parameter of the weights
	stock    map[string]string    // names of the family's writers, where others are stored
	headName string               // the head's tensor, stored or not
	base     string               // the base model's prefix of names
	embed    string               // the embedding's name after it
	extra    int                  // layers past the last one that are no part of it
	sines    *Sinusoids           // what the positions' stored table must hold; nil is no table
	mayMiss  bool                 // corrections of experts need not be stored
	values   []func(Source) error // read Parameters into the blocks
	held     []Weight             // what was read to hold it to what the model computes
}

// HeadDense makes what the head reads of the final norm's output x:
// Norm(Act(Linear x)). Act is as of an MLP.
type HeadDense struct {
	Linear Linear // (Hidden, Hidden)
	Act    string
	Norm   Norm
}

// Block is one layer. A nil norm is none.
type Block struct {
	// AttnNorm and MLPNorm normalise what a branch reads, AttnOutNorm and
	// MLPOutNorm its output before it joins the stream.
	AttnNorm, AttnOutNorm, MLPNorm, MLPOutNorm *Norm
	// Mixer is the branch that moves information between positions: *Attention,
	// or another one. FeedForward is the one after it, or beside: *MLP, or another.
	Mixer, FeedForward Branch
	Parallel           bool
	// Second is a mixer that reads what Mixer reads, and stands beside it: both
	// outputs are added, Mixer's times MixerScale, 0 for none. Nil is none.
	Second     Branch
	MixerScale float64
	// Shortcut is a mixture beside FeedForward that reads the same, and whose output
	// joins the stream with that of the next block; nil in most families.
	Shortcut *Experts
	// Side is a mixture beside FeedForward that reads the stream by itself; nil in most
	// families.
	Side *SideExperts
	// ResidualScale multiplies what a branch adds to the stream; 0 is none.
	ResidualScale float64
	// HiddenScale times the stream after the layer is the hidden state that loaders give;
	// 0 is 1. Nothing that is computed reads it.
	HiddenScale float64
	// Residual, where not nil, is how branches join in its place: norms replace the
	// stream.
	Residual *Residual
	// PerLayer adds what the layer makes of an embedding of its own; nil is none.
	PerLayer *PerLayer
	// Scalar, (1), multiplies the stream at the layer's end; nil is none.
	Scalar *Weight
	// Beside are parts that have no field here: of a layer that holds what nothing
	// computes yet. They are claimed and described; whoever computes the layer
	// refuses each by its kind and place.
	Beside []Part
}

// Attn is the layer's attention, nil where another mixer takes its place.
func (b *Block) Attn() *Attention {
	a, _ := b.Mixer.(*Attention)
	return a
}

// MLP is the layer's MLP, nil where another branch takes its place.
func (b *Block) MLP() *MLP {
	m, _ := b.FeedForward.(*MLP)
	return m
}

// NormKind is a normalisation's formula.
type NormKind uint8

const (
	// RMS is x / √(mean(x²) + ε) · w.
	RMS NormKind = iota
	// LayerNorm is (x − mean(x)) / √(var(x) + ε) · w + b.
	LayerNorm
)

// Norm normalises Size neighbouring numbers at a time: the stream's, one head's,
// or those of all heads together. The factor w is Offset plus the stored weight,
// or 1 where no tensor is named. PerHead, where not nil, has in its place a weight for
// each head, whose Size numbers follow each other.
type Norm struct {
	Kind    NormKind
	Size    int
	Weight  Weight
	PerHead []Weight
	Bias    *Weight
	Eps     float64
	Offset  float64
}

// Linear is y = W x + b with W of shape (out, in).
type Linear struct {
	Weight Weight
	Bias   *Weight
}

// Attention is grouped-query attention: query head h reads key/value head
// h / (Heads/KVHeads). Scores are Scale·<R_i q_i, R_j k_j>; query i sees key
// j when 0 <= i − j, and i − j < Window where Window is not 0. Queries and keys
// have QKDim coordinates, of which R turns Rotary.Dim, values VDim.
type Attention struct {
	Heads, KVHeads, QKDim, VDim int
	Q, K, V, O                  Linear
	// KVLayer is an earlier layer, whose keys (turned) and values the queries meet: this
	// one has neither K nor V, nor a cache; nil is its own.
	KVLayer *int
	// Latent says that Q, K and V read low-rank latents; nil is the layer's input.
	Latent *Latent
	// Selects, where not 0, is how many keys a query sees at most: those that Indexer,
	// or that of a layer before where it is nil, chooses.
	Selects int
	Indexer *Indexer
	// QNorm and KNorm normalise queries and keys before the rotation, each head
	// by itself (Size is QKDim) or all heads together (Heads·QKDim, KVHeads·QKDim).
	QNorm, KNorm *Norm
	// VNorm normalises each value head right after its projection; nil is none.
	VNorm *Norm
	// NormAfter: QNorm and KNorm come after the rotation.
	NormAfter bool
	// HeadNorm normalises each head's output over VDim, or those of all heads
	// together (Size is Heads·VDim); nil is none.
	HeadNorm *Norm
	// OutGate multiplies the heads' output before O; nil is none.
	OutGate *OutputGate
	Scale   float64
	// Cap c > 0 makes a scaled score s, before bias and mask, c·tanh(s/c); 0 is none.
	Cap float64
	// Clip bounds queries, keys and values to [−Clip, Clip] right after their
	// projections; 0 is none.
	Clip float64
	// ValueScale multiplies values right after their projection, so that the cache
	// holds them scaled; 0 is none.
	ValueScale float64
	Window     int
	// Chunk c > 0 hides keys of another chunk of c tokens than the query's, counted
	// from a row's first token; 0 is none.
	Chunk int
	// Sinks is a logit per query head, (Heads): it joins the softmax over a query's
	// scores as one more, which has no value, so that what the keys weigh sums to
	// less than 1 (arXiv 2309.17453, 2508.10925); nil is none.
	Sinks *Weight
	// QueryScale multiplies queries by a number of their position, after rotation
	// and norm; nil is none.
	QueryScale *QueryScale
	// Rope is what the rope keys declare of this layer's type; nil is Model.Rope.
	Rope   *posenc.RopeParams
	Rotary posenc.Rotary
	// Spectra, Generators, Phase, Bias, KShift and VShift are nil in a plain rotary layer.
	Spectra        *HeadSpectra
	Generators     *Generators
	Phase          *PhaseGate
	Bias           *Bias
	KShift, VShift *Shift
}

// CachedHeads is how many key/value heads the layer caches: none where it meets
// another layer's.
func (a *Attention) CachedHeads() int {
	if a.KVLayer != nil {
		return 0
	}
	return a.KVHeads
}

// MLP is Down(act(Gate x) · Up x), or Down(act(Up x)) when not Gated.
type MLP struct {
	// Act is "silu", "gelu" (erf), "gelu_tanh", "relu", "relu2" (max(x, 0)²) or
	// "xielu", whose numbers are in XIELU.
	Act            string
	Gated          bool
	Gate, Up, Down Linear
	// XIELU is nil with any other activation.
	XIELU *XIELU
	// GateScale multiplies what enters the activation of a gated MLP, InnerScale what
	// enters Down, or its norm; 0 is none.
	GateScale, InnerScale float64
	// DownNorm normalises what enters Down; nil is none.
	DownNorm *Norm
	// Clamp is nil where gates are not clamped.
	Clamp *Clamp
}

// Clamp bounds a gated MLP with the activation "silu" (arXiv 2508.10925): with
// g = min(Gate x, Limit) and u = Up x brought within [−Limit, Limit] it is
//
//	Down(g σ(Alpha g) · (u + Offset))
type Clamp struct{ Limit, Alpha, Offset float64 }

// XIELU are the stored numbers of the activation xIELU (arXiv 2411.13010), one of
// each. With αp = softplus(AlphaP) and αn = Beta + softplus(AlphaN) it is
//
//	αp x² + Beta x                              for x > 0
//	αn (exp(min(x, Eps)) − 1 − x) + Beta x      else
type XIELU struct{ AlphaP, AlphaN, Beta, Eps Weight }

// AtLength returns the model with the rotation it has for sequences of up to
// n positions. Only the rope types that depend on the length change; the
// blocks are copied, the receiver stays.
func (m *Model) AtLength(n int) (*Model, error) {
	c := m.Clone()
	if m.Rope.Type == "" {
		return c, nil
	}
	for _, a := range c.Attentions() {
		if a.Rotary.Dim == 0 { // a layer without rotation stays so
			continue
		}
		s, err := m.RopeOf(a).Spectrum(n)
		if err != nil {
			return nil, err
		}
		a.Rotary.Spectrum = s
	}
	return c, nil
}

// RopeOf is what the rope keys declare of a layer of the model.
func (m *Model) RopeOf(a *Attention) posenc.RopeParams {
	if a.Rope != nil {
		return *a.Rope
	}
	return m.Rope
}

// SlidingRope is what layers of sliding attention declare beside Rope, nil where they
// turn by that.
func (m *Model) SlidingRope() *posenc.RopeParams {
	for _, a := range m.Attentions() {
		if a.Rope != nil {
			return a.Rope
		}
	}
	return nil
}

// FullStill reports that layers of sliding attention turn by a declaration of their own,
// and no others turn.
func (m *Model) FullStill() bool {
	return m.SlidingRope() != nil && !m.any(func(a *Attention) bool { return a.Rotary.Dim > 0 && a.Rope == nil })
}

func (m *Model) any(f func(a *Attention) bool) bool {
	for _, a := range m.Attentions() {
		if f(a) {
			return true
		}
	}
	return false
}

// Ropes are what the rope keys declare: Rope, and what types of layers have beside
// it; none where the family has no rope keys.
func (m *Model) Ropes() []posenc.RopeParams {
	if m.Rope.Type == "" {
		return nil
	}
	list := []posenc.RopeParams{m.Rope}
	for _, a := range m.Attentions() {
		same := func(p posenc.RopeParams) bool { return reflect.DeepEqual(p, *a.Rope) }
		if a.Rope != nil && !slices.ContainsFunc(list, same) {
			list = append(list, *a.Rope)
		}
	}
	return list
}
