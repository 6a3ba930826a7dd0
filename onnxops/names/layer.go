package names

import (
	"strings"

	"github.com/pecvt/pecvt/convert/family"
)

// Places in a layer that are no parts: where branches join the stream, and
// values within attention and the MLP.
const (
	AttnResidual   = "attn_residual"   // the stream after attention; not in a parallel block
	Output         = "output"          // the stream after the layer
	MLPResidual    = "mlp_residual"    // the stream after the MLP, where the layer adds more
	ByLayer        = "by_layer/"       // outside of the layers: their own embeddings
	PerLayerAct    = "per_layer/act"   // the gate of the layer's own embedding
	PerLayer       = "per_layer"       // that times the embedding
	Unscaled       = "unscaled"        // the same before the layer's own number multiplies it
	Context        = "attn/context"    // softmax(scores) v
	Gated          = "attn/gated"      // the heads' output times its gate
	KJoined        = "attn/k_joined"   // keys of a shared slice and of a latent
	Phase          = "attn/phase"      // Φ, where the phase is contextual
	Act            = "mlp/act"         // what enters the down projection
	ConvGated      = "conv/gated"      // what a short convolution reads
	ConvMixed      = "conv/mixed"      // its output times its gate
	MambaGated     = "mamba/gated"     // what leaves a Mamba 2 layer's norm and gate
	MambaMixed     = "mamba/mixed"     // the outputs of its recurrence
	DeltaMixed     = "delta/mixed"     // what the recurrence of a delta net reads
	DeltaUnit      = "delta/unit"      // its queries and keys, of length 1
	DeltaContext   = "delta/context"   // what it makes
	DeltaGated     = "delta/gated"     // that, normalised and times its gate
	RGLRUMixed     = "rglru/mixed"     // the states of a gated linear recurrence
	RGLRUGated     = "rglru/gated"     // those times the gate
	LightningMixed = "lightning/mixed" // what the recurrence of lightning attention makes
	LightningGated = "lightning/gated" // that, normalised and times its gate
	Chosen         = "mlp/experts"     // the sum of the experts that were chosen

	KVScaled  = "attn/kv_latent_scaled" // the latent of keys and values times its factor
	KVJoined  = "attn/kv"               // that beside the slice that all keys share, as it is cached
	BothFeeds = "mlp/both"              // what the MLP and the mixture beside it make
	GateUp    = "mlp/gate_up_proj"      // an MLP's gate and up as one product: /Gemm, and /Split into both
	Shortcut  = "mlp/shortcut"          // the stream and the mixture of the block before
)

// LogitsTap is the reference's name of the logits.
const LogitsTap = "/" + Logits

// Nodes of attention.
const (
	Attention           = "attn/Attention"
	GroupQueryAttention = "attn/GroupQueryAttention"
	Joined              = "attn/out"                      // heads side by side again: /Transpose, /Reshape
	Packed              = "attn/qkv"                      // queries, keys and values of one product: /Reshape
	PackedProj          = "attn/qkv_proj"                 // that product
	Marked              = "attn/v/marked/Where"           // values, NaN where a position is outside the tables
	KeysGrown           = "attn/k/present/Concat"         // past and present keys, where Attention does not join them
	ValuesGrown         = "attn/v/present/Concat"         // values likewise
	LatentsGrown        = "attn/kv/present/Concat"        // past and present latents, in the place of keys and values
	LatentValues        = "attn/kv/values/Slice"          // of them what all heads read as values
	QSplit              = "attn/q/Split"                  // turned and still coordinates of queries
	QAbsorbed           = "attn/q_absorbed/Concat"        // queries as they meet latents
	QueriesPadded       = "attn/sinks/q/Pad"              // queries behind a coordinate of 0
	QueriesWithSinks    = "attn/sinks/q/Add"              // which then is the sink
	KeysPadded          = "attn/sinks/k/Pad"              // keys likewise, behind a key of zeros
	KeysBesideSinks     = "attn/sinks/k/Where"            // which then stands for sinks
	BiasMasked          = "attn/bias/masked/Add"          // the mask with a bias in it
	ContextPhase        = "attn/phase/ContextPhase"       // the running phase
	PathNorm            = family.AtBias + "/path"         // the norm of path vectors
	Bases               = "attn/bases"                    // what turns heads into their bases
	TurnsPerPosition    = "attn/phase/turns_per_position" // a table
)

// BesideSinks ends the name of a mask's node that leaves room for the key that stands
// for sinks.
const BesideSinks = "/beside_sinks/Pad"

// Side is one of queries, keys and values, by the letter that their names have.
type Side string

// The sides.
const (
	Q Side = "q"
	K Side = "k"
	V Side = "v"
)

// Proj is the place of the projection.
func (s Side) Proj() string { return "attn/" + string(s) + "_proj" }

// Norm is the place of the norm of queries or keys; TokenNorm that of a copy
// which a bias reads where the norm comes after the rotation.
func (s Side) Norm() string      { return "attn/" + string(s) + "_norm" }
func (s Side) TokenNorm() string { return "attn/" + string(s) + "_token_norm" }

// Shifted is the place of keys or values mixed with the ones before.
func (s Side) Shifted() string { return "attn/" + string(s) + "_shift" }

// Clipped is the place of queries, keys or values brought within bounds.
func (s Side) Clipped() string { return "attn/" + string(s) + "_clip" }

// Rotated names the turned heads among the reference's values.
func (s Side) Rotated() string { return "attn/" + string(s) + "_rotated" }

// Based is the place of queries or keys in the basis of their head.
func (s Side) Based() string { return "attn/" + string(s) + "_basis" }

// Scaled is the place of queries times a factor of their position.
func (s Side) Scaled() string { return "attn/" + string(s) + "_scaled" }

// Heads is the path of what splits and turns heads; its nodes are Split,
// Transposed, Rotation, and Fold and Unfold around it, Grouped before a product with
// bases, Widened after all.
func (s Side) Heads() string { return "attn/" + string(s) }

// Nodes below Heads.
const (
	Reshape    = "/Reshape"
	Transposed = "/Transpose"
	Rotation   = "/Rotation"
	Grouped    = "/grouped/Reshape"
	Fold       = "/fold/Reshape"
	Unfold     = "/unfold/Reshape"
	Widened    = "/widened/Concat"
	PerHead    = "/each/Mul" // below Norm: each head's own weights
)

// Joining is the path of the product that the linear of a path may be a part of: that of
// queries, keys and values, or of an MLP's gate and up; "" where there is none.
func Joining(path string) string {
	last := lastOf(path)
	layer, place := Split(path)
	switch {
	case layer < 0:
	case place == Q.Proj() || place == K.Proj() || place == V.Proj():
		return Layer(layer, PackedProj)
	case strings.HasPrefix(place, family.AtMLP+"/") && (last == lastOf(family.AtGate) || last == lastOf(family.AtUp)):
		return strings.TrimSuffix(path, last) + lastOf(GateUp)
	}
	return ""
}

func lastOf(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// NormOp is the operator that normalises.
func NormOp(n *family.Norm) string {
	if n.Kind == family.LayerNorm {
		return "LayerNormalization"
	}
	return "RMSNormalization"
}

// AfterMLP is the place of the stream after a layer's MLP, AfterPerLayer that after
// what the layer adds of its own embedding: the layer's output where nothing follows.
func AfterMLP(b *family.Block) string {
	if b.PerLayer != nil {
		return MLPResidual
	}
	return AfterPerLayer(b)
}

func AfterPerLayer(b *family.Block) string {
	if b.Scalar != nil {
		return Unscaled
	}
	return Output
}

// Last names the node whose output is the stream after a layer; "" as with Sum.
func Last(layer int, b *family.Block) string {
	switch {
	case b.Scalar != nil:
		return Node(Layer(layer, Output), "Mul")
	case b.PerLayer != nil:
		return Node(Layer(layer, Output), "Add")
	}
	return Sum(layer, b, true)
}

// Sum names the node whose output is the stream after a branch, attention or the
// MLP of a layer: the projection that closes the branch adds the stream by itself,
// unless the branch's output has a norm. "" is a branch whose last node is not
// known.
func Sum(layer int, b *family.Block, afterMLP bool) string {
	last, out, sum := AttnResidual, b.AttnOutNorm, family.AtO
	var closing *family.Linear
	switch m := b.Mixer.(type) {
	case *family.Attention:
		closing = &m.O
	case *family.ShortConv:
		closing, sum = &m.Out, family.AtConvOut
	case *family.Mamba:
		closing, sum = &m.Out, family.AtMambaOut
	case *family.DeltaNet:
		closing, sum = &m.Out, family.AtDeltaOut
	case *family.RGLRU:
		closing, sum = &m.Out, family.AtRGLRUOut
	case *family.Lightning:
		closing, sum = &m.Out, family.AtLightningOut
	}
	if afterMLP {
		last, out, sum, closing = AfterMLP(b), b.MLPOutNorm, family.AtDown, nil
		if b.Mixture() != nil || b.Side != nil {
			return Node(Layer(layer, last), "Add")
		}
		if m := b.MLP(); m != nil {
			closing = &m.Down
		}
	}
	switch {
	case out != nil, b.ResidualScale != 0, b.Residual != nil, !afterMLP && b.Second != nil:
		return Node(Layer(layer, last), "Add")
	case closing == nil:
		return ""
	case closing.Bias != nil:
		return Node(Layer(layer, sum), "Add")
	}
	return Node(Layer(layer, sum), "Gemm")
}
