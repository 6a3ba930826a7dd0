package family

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/posenc"
)

// Spec is a model family as data. What data cannot say goes into the functions
// Variant, Position and Adjust.
type Spec struct {
	// Name is the family's name, ModelType the value of model_type in
	// config.json, Architecture the causal-LM class stock loaders use.
	Name, ModelType, Architecture string
	// About names what is special and not in the fields below, for documents.
	About string
	// Names are the stored names; "{i}" stands for the layer. Older lists
	// prefixes of names that other writers of the same family spell otherwise.
	Names Names
	Older []Rename
	// Spelled are parts of stored names that other writers spell otherwise, tensor by
	// tensor.
	Spelled []Rename
	// Keys are config.json's spellings of the sizes; the zero value is
	// Hugging Face's usual ones.
	Keys Keys
	// Reads are the further keys of config.json that Variant, Position and Adjust
	// read; one that ends in * is the beginning of several.
	Reads []string
	// HiddenHeads: the head size is hidden_size over the heads, whatever head_dim
	// says.
	HiddenHeads bool
	// Norm is the kind of every norm outside the heads, EpsKey the key of its ε
	// and Eps the value where that is absent; with Eps 0 the key must be there.
	// EpsOlder is another spelling of the key, read where EpsKey is absent.
	Norm             NormKind
	EpsKey, EpsOlder string
	Eps              float64
	// NoNormBias: the layer norms have no bias. BareNorms: no norm has
	// weights: its name says only that it is there. NormOffset is added to the weights of all norms.
	NoNormBias, BareNorms bool
	NormOffset            float64
	// Act is the activation where Keys.Act is absent; empty means that it must
	// be there.
	Act string
	// Inner gives the MLP's inner size where Keys.Inner is absent; nil means
	// that it must be there.
	Inner func(hidden int) int
	// InnerOf makes the MLP's inner size of the one that is declared; nil leaves it.
	InnerOf func(r *Reader, inner int) int
	// MaxPositions is the length where Keys.MaxPositions is absent; 0 means
	// that it must be there.
	MaxPositions int
	// QKVBias, OBias, MLPBias and HeadBias say which linears carry a bias.
	QKVBias, OBias, MLPBias, HeadBias Rule
	// HeadDenseBias is of the linear before the head, and HeadDenseAct the key of its
	// activation, the MLP's where it is absent.
	HeadDenseBias Rule
	HeadDenseAct  string
	// GroupedQKV: the fused matrix holds, for each key/value head in turn, the
	// rows of its query heads, then of its key, then of its value. Else all of
	// Q, K and V follow each other.
	GroupedQKV bool
	// OneKV: one key/value head serves all heads.
	OneKV bool
	// QKNormKind is the kind of the norms of queries and keys, and QKPerHead says how
	// their weights lie where each head has its own.
	QKNormKind NormKind
	QKPerHead  HeadWeights
	// QKNorm: queries and keys are normalised, per head or, with
	// NormOverHeads, over all of them (and so is what Names.HeadNorm names); after
	// the rotation with NormAfter, else before it.
	QKNorm                   Rule
	NormOverHeads, NormAfter bool
	// ByLayer says where the sizes of embeddings by layer are declared; nil is none.
	ByLayer *ByLayerRule
	// InnerAt makes a layer's inner size of the declared one; nil is the same for all.
	InnerAt func(r *Reader, layer, inner int) int
	// ValueNorm: values are RMS-normalised per head, without weights.
	ValueNorm bool
	// OutGate says how attention's output is gated; nil is not at all.
	OutGate *GateRule
	// Parallel: attention and MLP both read the layer's input. SharedNorm: and
	// the same norm of it.
	Parallel   Rule
	SharedNorm bool
	// Halves: a stored layer, "{i}", is two blocks, "{j}": the first one's mixture
	// stands beside its MLP (Block.Shortcut).
	Halves bool
	// Conv says which layers have a short convolution in the place of attention;
	// the zero value is none.
	Conv ConvRule
	// Mamba says which layers have a Mamba 2 layer; nil is none.
	Mamba *MambaRule
	// RGLRU says which layers have a gated linear recurrence in the place of
	// attention; nil is none.
	RGLRU *RGLRURule
	// Lightning says which layers have lightning attention in the place of attention;
	// nil is none.
	Lightning func(r *Reader, layers int) []bool
	// Delta says which layers have a gated delta net in the place of attention;
	// the zero value is none.
	Delta DeltaRule
	// Experts says where there are mixtures of experts; nil is nowhere.
	Experts *ExpertsRule
	// Latent says where the sizes of latent attention are declared; nil is none.
	Latent *LatentRule
	// Indexer says where the numbers of indexers of keys are declared; nil is none.
	Indexer *IndexerRule
	// Window says where a sliding window is declared.
	Window WindowRule
	// HeadDim is the head size where head_dim is absent; 0 is hidden_size over
	// the heads.
	HeadDim int
	// HeadsOf makes a layer's heads of the declared ones, whose values are as wide as
	// keys; nil leaves them. Sliding layers are those with a window.
	HeadsOf func(r *Reader, layer int, sliding bool, h HeadSizes) HeadSizes
	// Tied is tie_word_embeddings where the key is absent.
	Tied bool
	// Interleaved: planes are of neighbouring coordinates. Backwards: they turn by −θ
	// where others turn by θ.
	Interleaved, Backwards bool
	// Rope holds the defaults of rope_theta and partial_rotary_factor.
	Rope RopeDefaults
	// LayerBases is a key that lists a base for each layer, 0 for none; where it is
	// absent all turn alike.
	LayerBases string
	// RopeTypes lists the rope types that the family's stock loader takes; nil
	// is all of them.
	RopeTypes []string
	// ReadsPartial: the family's stock loader reads partial_rotary_factor with
	// the rope type "default".
	ReadsPartial bool
	// PartialLayout names the family whose fused layout can hold this one's
	// weights with a partial rotary dimension that stock loaders read; empty if
	// none.
	PartialLayout string
	// Variant chooses among a family's forms by the configuration: it returns
	// the row to read it with. Nil is the row itself.
	Variant func(r *Reader, s Spec) Spec
	// Position reads the positional encoding of a family that is not, or not
	// only, rotary: every layer starts with a copy of what it returns. Nil
	// reads the rope keys.
	Position func(r *Reader, m *Model, heads, headDim int) Position
	// Adjust edits the model after the data was applied; may be nil.
	Adjust func(r *Reader, m *Model)
}

// HeadWeights says how the weights of norms lie that each head has for itself.
type HeadWeights uint8

const (
	// SharedWeights: all heads have the same.
	SharedWeights HeadWeights = iota
	// RowPerHead: in one tensor, (heads, size).
	RowPerHead
	// TensorPerHead: in tensors of their own, whose names have "{h}" for the head.
	TensorPerHead
)

// Position is a layer's positional encoding.
type Position struct {
	Rotary     posenc.Rotary
	Bias       *Bias
	QueryScale *QueryScale
}

// Names are templates of stored tensor names, without ".weight" or ".bias"; an
// empty one is of a part that the family does not have. QKV and GateUp are fused
// matrices: rows of Q, K and V; of gate, then up. QUp makes queries of their latent;
// KVDown holds the rows of the latent and of the slice that all keys share, KVUp for
// each head those of its key, then of its value.
type Names struct {
	Embed, EmbedNorm, FinalNorm, Head string
	HeadDense, HeadDenseNorm          string
	AttnNorm, AttnOutNorm             string
	MLPNorm, MLPOutNorm               string
	Q, K, V, QKV, O, QNorm, KNorm     string
	KShift, VShift, HeadNorm, OutGate string
	Gate, Up, GateUp, DownNorm, Down  string
	QDown, QLatentNorm, QUp           string
	KVDown, KVLatentNorm, KVUp        string
	IndexQ, IndexK                    string
	IndexKNorm, IndexWeigh            string
	ConvIn, Conv, ConvOut             string
	// Mamba is what the names of a Mamba 2 layer's numbers per head begin with.
	Mamba, MambaIn, MambaConv, MambaNorm, MambaOut string
	ByLayer, ByLayerProj, ByLayerNorm              string
	PerLayerGate, PerLayerOut, PerLayerNorm        string
	// Sinks, OutGateBias and Scalar, which multiplies a layer's output, are whole
	// tensor names.
	Sinks, OutGateBias, Scalar string
	// RGLRU is what the names of its numbers begin with.
	RGLRU, RGLRUGate, RGLRUIn, RGLRUConv, RGLRUOut string
	// LightningSlopes is a whole tensor name; LightningDecays are those of tables made of
	// them, of queries, of keys and of both.
	LightningIn, LightningNorm, LightningGate, LightningOut, LightningSlopes string
	LightningDecays                                                          [3]string
	// Of gated delta nets: DeltaIn holds queries, keys and values, DeltaConv the
	// taps of all three unless DeltaConvK and DeltaConvV hold some. DeltaQKVZ holds
	// for each key head its query, key, values and gates, and DeltaBA then its rates
	// and decays; DeltaAll all queries, keys, values, gates, rates and decays one
	// after another. DeltaNumbers is what the names of A_log and dt_bias begin with.
	DeltaIn, DeltaQ, DeltaK, DeltaV   string
	DeltaQKVZ, DeltaBA, DeltaAll      string
	DeltaConv, DeltaConvK, DeltaConvV string
	DeltaA, DeltaB, DeltaZ, DeltaNorm string
	DeltaOut, DeltaNumbers            string
	// Of mixtures: "{e}" stands for the expert. ExpertGateUp holds gate and up of
	// all experts, (experts, 2·inner, hidden), and ExpertDown then (experts, hidden,
	// inner). Correction and the biases are whole tensor names.
	Router, Correction                                 string
	ExpertGate, ExpertUp, ExpertGateUp, ExpertDown     string
	ExpertGateUpBias, ExpertDownBias                   string
	SharedGateProj, SharedUp, SharedGateUp, SharedDown string
	SharedGate                                         string
	// FeedNorm, ExpertsNorm and ExpertsOut are those of a mixture beside the MLP;
	// RouterNorm and ExpertScales are whole tensor names.
	FeedNorm, ExpertsNorm, ExpertsOut string
	RouterNorm, ExpertScales          string
	// XIELU is what the names of xIELU's numbers begin with.
	XIELU string
	// Ignore are stored buffers that carry no weight, whole tensor names.
	Ignore []string
}

// Rename replaces a prefix of stored names.
type Rename struct{ From, To string }

// Keys are spellings of config.json's keys; of several, the first one present
// counts.
type Keys struct {
	Vocab, Hidden, Layers, Heads, KVHeads, Inner, MaxPositions, HeadDim, Act []string
}

// HFKeys are the spellings most Hugging Face decoders use.
var HFKeys = Keys{
	Vocab: []string{"vocab_size"}, Hidden: []string{"hidden_size"}, Layers: []string{"num_hidden_layers"},
	Heads: []string{"num_attention_heads"}, KVHeads: []string{"num_key_value_heads"}, Inner: []string{"intermediate_size"},
	MaxPositions: []string{"max_position_embeddings"}, HeadDim: []string{"head_dim"}, Act: []string{"hidden_act"},
}

// Rule is a truth value of a family: Always, or as the boolean key says
// (or Older, where Key is absent; Default where both are); the zero value is never.
type Rule struct {
	Always     bool
	Key, Older string
	Default    bool
}

// WindowRule says where a sliding window is declared: Key holds its size (an
// absent one is Default, null is none). Switch, where set, is a boolean key
// that must be true, and then only layers that layer_types calls
// sliding_attention have it, or those from max_window_layers (From, where
// absent; all with a negative From, which leaves the key unread) on. Without a
// Switch every layer has it. With ByType those that layer_types calls
// sliding_attention have it; where that key is absent, Full says which layers
// see everything, none of them if it is nil. Other is what layer_types calls layers
// without attention, which have no window either.
type WindowRule struct {
	Key, Switch   string
	Other         string
	Default, From int
	ByType        bool
	Full          func(layer int) bool
}

// checkRope refuses what the family's stock loader would not read as declared.
func (s Spec) checkRope(p posenc.RopeParams) error {
	if s.RopeTypes != nil && !slices.Contains(s.RopeTypes, p.Type) {
		return fmt.Errorf("rope type %q: loaders of family %s take %s alone: %w; write one of these, or use the checkpoint with the family that it is of", p.Type, s.Name, strings.Join(s.RopeTypes, " and "), posenc.ErrUnsupported)
	}
	if p.Type == "default" && p.RotaryDim() != p.HeadDim && !s.ReadsPartial {
		return fmt.Errorf("partial_rotary_factor %v: loaders of family %s disagree on it (transformers 5 ignores it where the rope type is \"default\", others read it): %w; remove the key if all %d coordinates turn", p.Share(), s.Name, posenc.ErrUnsupported, p.HeadDim)
	}
	if p.Type != "default" && p.Type != "proportional" && p.RotaryDim() != p.HeadDim && !s.ReadsPartial && !s.ownPartial(p.Type) {
		return fmt.Errorf("rope type %q with partial_rotary_factor %v: loaders of family %s make a table of %d coordinates for heads of %d and stop with a shape error: %w; remove the key if all %d coordinates turn", p.Type, p.Share(), s.Name, p.RotaryDim(), p.HeadDim, posenc.ErrUnsupported, p.HeadDim)
	}
	return nil
}

// ownPartial reports whether the partial layout spells this rope type under the
// family's own name: for loaders that read the key, while the others stop.
func (s Spec) ownPartial(ropeType string) bool {
	return ropeType == "linear" && s.PartialLayout == ""
}

// HFNames are the names most Hugging Face decoders use.
var HFNames = Names{
	Embed: "model.embed_tokens", FinalNorm: "model.norm", Head: "lm_head",
	AttnNorm: "model.layers.{i}.input_layernorm", MLPNorm: "model.layers.{i}.post_attention_layernorm",
	Q: "model.layers.{i}.self_attn.q_proj", K: "model.layers.{i}.self_attn.k_proj", V: "model.layers.{i}.self_attn.v_proj",
	O:    "model.layers.{i}.self_attn.o_proj",
	Gate: "model.layers.{i}.mlp.gate_proj", Up: "model.layers.{i}.mlp.up_proj", Down: "model.layers.{i}.mlp.down_proj",
	Ignore: []string{"model.layers.{i}.self_attn.rotary_emb.inv_freq"},
}

// BloomNames are the names of Bloom and of Falcon's first form.
var BloomNames = Names{
	Embed: "transformer.word_embeddings", FinalNorm: "transformer.ln_f", Head: "lm_head",
	AttnNorm: "transformer.h.{i}.input_layernorm", MLPNorm: "transformer.h.{i}.post_attention_layernorm",
	QKV: "transformer.h.{i}.self_attention.query_key_value", O: "transformer.h.{i}.self_attention.dense",
	Up: "transformer.h.{i}.mlp.dense_h_to_4h", Down: "transformer.h.{i}.mlp.dense_4h_to_h",
}

// With returns a copy of the names after an edit.
func (n Names) With(edit func(*Names)) Names {
	edit(&n)
	return n
}

// renamed returns the names after a change of prefix.
func (n Names) renamed(c Rename) Names {
	n.each(func(p *string) { *p = c.apply(*p) })
	ignore := make([]string, len(n.Ignore))
	for i, name := range n.Ignore {
		ignore[i] = c.apply(name)
	}
	n.Ignore = ignore
	return n
}

func (c Rename) apply(name string) string {
	if rest, ok := strings.CutPrefix(name, c.From); ok && name != "" {
		return c.To + rest
	}
	return name
}
