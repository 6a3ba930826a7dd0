package family

import (
	"fmt"
	"strings"
)

// Places of parts. Those in a layer are below its "attn" or "mlp"; nodes of
// graphs and values of the reference have these names too.
const (
	AtEmbed        = "embed"
	AtEmbedNorm    = "embed_norm"
	AtByLayer      = "by_layer/embed"
	AtByLayerProj  = "by_layer/proj"
	AtByLayerNorm  = "by_layer/norm"
	AtPerLayerGate = "per_layer/gate"
	AtPerLayerOut  = "per_layer/out_proj"
	AtPerLayerNorm = "per_layer/norm"
	AtFinalNorm    = "final_norm"
	AtHead         = "head"
	AtValues       = "values"
	AtLayer        = ""
	AtAttnNorm     = "attn_norm"
	AtAttn         = "attn"
	AtPhaseGate    = "attn/phase_gate"
	AtQDown        = "attn/q_down_proj"
	AtQLatent      = "attn/q_latent_norm"
	AtKVDown       = "attn/kv_down_proj"
	AtKVLatent     = "attn/kv_latent_norm"
	AtKTurned      = "attn/k_turned_proj"
	AtIndexQ       = "attn/indexer/q_proj"
	AtIndexK       = "attn/indexer/k_proj"
	AtIndexKNorm   = "attn/indexer/k_norm"
	AtIndexWeigh   = "attn/indexer/weights_proj"
	AtQ            = "attn/q_proj"
	AtK            = "attn/k_proj"
	AtV            = "attn/v_proj"
	AtKShift       = "attn/k_shift_gate"
	AtVShift       = "attn/v_shift_gate"
	AtQNorm        = "attn/q_norm"
	AtKNorm        = "attn/k_norm"
	AtVNorm        = "attn/v_norm"
	AtBias         = "attn/bias"
	AtForgetGate   = "attn/bias/forget_gate"
	AtPathProj     = "attn/bias/path/proj"
	AtHeadNorm     = "attn/head_norm"
	AtOutGate      = "attn/gate_proj"
	AtO            = "attn/o_proj"
	AtShortConv    = "conv"
	AtConvIn       = "conv/in_proj"
	AtConv         = "conv/taps"
	AtConvOut      = "conv/out_proj"
	AtMamba        = "mamba"
	AtMambaIn      = "mamba/in_proj"
	AtMambaConv    = "mamba/taps"
	AtMambaNorm    = "mamba/norm"
	AtMambaOut     = "mamba/out_proj"
	AtDelta        = "delta"
	AtDeltaIn      = "delta/in_proj"
	AtDeltaQ       = "delta/q_proj"
	AtDeltaK       = "delta/k_proj"
	AtDeltaV       = "delta/v_proj"
	AtDeltaA       = "delta/a_proj"
	AtDeltaB       = "delta/b_proj"
	AtDeltaZ       = "delta/z_proj"
	AtDeltaNorm    = "delta/norm"
	AtDeltaOut     = "delta/out_proj"
	AtAttnOut      = "attn_out_norm"
	AtMLPNorm      = "mlp_norm"
	AtMLP          = "mlp"
	AtGate         = "mlp/gate_proj"
	AtUp           = "mlp/up_proj"
	AtDownNorm     = "mlp/down_norm"
	AtDown         = "mlp/down_proj"
	AtMLPOut       = "mlp_out_norm"
	AtRouter       = "mlp/router"
	AtRouterNorm   = "mlp/router_norm"
	AtFeedNorm     = "mlp/feed_norm"
	AtExpertsNorm  = "mlp/experts_norm"
	AtExpertsOut   = "mlp/experts_out_norm"
	AtSharedGate   = "mlp/shared_gate"
)

// What stands between the final norm and the head.
const (
	AtHeadDense     = "head_dense"
	AtHeadDenseNorm = "head_dense_norm"
)

// AtExpert is a place of the MLP in expert e: "mlp/experts.3/up_proj".
func AtExpert(e int, place string) string {
	return fmt.Sprintf("%s/experts.%d%s", AtMLP, e, strings.TrimPrefix(place, AtMLP))
}

// AtExperts is a place of the MLP in all experts together: "mlp/experts/act".
func AtExperts(place string) string {
	return AtMLP + "/experts" + strings.TrimPrefix(place, AtMLP)
}

// AtShared is a place of the MLP in the shared expert: "mlp/shared/up_proj".
func AtShared(place string) string {
	return AtMLP + "/shared" + strings.TrimPrefix(place, AtMLP)
}

// anyExpert is the place of a slot, which all experts share.
func anyExpert(place string) string {
	rest, ok := strings.CutPrefix(place, AtMLP+"/experts.")
	if !ok {
		return place
	}
	digits := strings.TrimLeft(rest, "0123456789")
	if digits == rest {
		return place
	}
	return AtMLP + "/experts" + digits
}

// slot is a place that parts may stand at.
type slot struct {
	place string
	kind  Kind
	// text says what stands there.
	text string
	// names is the template of its stored name; nil where that is no template's.
	names func(n *Names) *string
	// feature is what a part there adds to llama's shape; "" is nothing.
	feature Feature
	// encoding: the positional encoding reads the weights.
	encoding bool
	// unread: nothing that is computed reads the weights.
	unread bool
}

// slots are the places pecvt knows, in the order of a forward pass. A part at
// any other is a feature of its own, which nobody knows.
var slots = []slot{
	{place: AtEmbed, kind: KindEmbedding, text: "the embedding", names: func(n *Names) *string { return &n.Embed }},
	{place: AtEmbedNorm, kind: KindNorm, text: "the embedding's norm", names: func(n *Names) *string { return &n.EmbedNorm }, feature: EmbeddingNorm},
	{place: AtByLayer, kind: KindEmbedding, text: "the layers' own embeddings", names: func(n *Names) *string { return &n.ByLayer }, feature: EmbeddingsByLayer},
	{place: AtByLayerProj, kind: KindLinear, text: "the projection of the embedding for each layer", names: func(n *Names) *string { return &n.ByLayerProj }, feature: EmbeddingsByLayer},
	{place: AtByLayerNorm, kind: KindNorm, text: "the norm of that projection", names: func(n *Names) *string { return &n.ByLayerNorm }, feature: EmbeddingsByLayer},
	{place: AtLayer, kind: KindLayer, text: "the layer"},
	{place: AtAttnNorm, kind: KindNorm, text: "the norm before attention", names: func(n *Names) *string { return &n.AttnNorm }},
	{place: AtAttn, kind: KindAttention, text: "attention"},
	{place: AtPhaseGate, kind: KindLinear, text: "the phase's gate", encoding: true},
	{place: AtQDown, kind: KindLinear, text: "the projection to the queries' latent", names: func(n *Names) *string { return &n.QDown }, feature: LatentAttention},
	{place: AtQLatent, kind: KindNorm, text: "the norm of the queries' latent", names: func(n *Names) *string { return &n.QLatentNorm }, feature: LatentAttention},
	{place: AtKVDown, kind: KindLinear, text: "the projection to the latent of keys and values", names: func(n *Names) *string { return &n.KVDown }, feature: LatentAttention},
	{place: AtKVLatent, kind: KindNorm, text: "the norm of the latent of keys and values", names: func(n *Names) *string { return &n.KVLatentNorm }, feature: LatentAttention},
	{place: AtKTurned, kind: KindLinear, text: "the projection to the slice that all keys share", feature: LatentAttention},
	{place: AtIndexQ, kind: KindLinear, text: "the indexer's queries", names: func(n *Names) *string { return &n.IndexQ }, feature: SparseIndexers, unread: true},
	{place: AtIndexK, kind: KindLinear, text: "the indexer's keys", names: func(n *Names) *string { return &n.IndexK }, feature: SparseIndexers, unread: true},
	{place: AtIndexKNorm, kind: KindNorm, text: "the norm of the indexer's keys", names: func(n *Names) *string { return &n.IndexKNorm }, feature: SparseIndexers, unread: true},
	{place: AtIndexWeigh, kind: KindLinear, text: "the weights of the indexer's heads", names: func(n *Names) *string { return &n.IndexWeigh }, feature: SparseIndexers, unread: true},
	{place: AtQ, kind: KindLinear, text: "the queries' projection", names: func(n *Names) *string { return &n.Q }},
	{place: AtK, kind: KindLinear, text: "the keys' projection", names: func(n *Names) *string { return &n.K }},
	{place: AtV, kind: KindLinear, text: "the values' projection", names: func(n *Names) *string { return &n.V }},
	{place: AtKShift, kind: KindLinear, text: "the keys' shift", names: func(n *Names) *string { return &n.KShift }, feature: ShiftedKV},
	{place: AtVShift, kind: KindLinear, text: "the values' shift", names: func(n *Names) *string { return &n.VShift }, feature: ShiftedKV},
	{place: AtQNorm, kind: KindNorm, text: "the queries' norm", names: func(n *Names) *string { return &n.QNorm }},
	{place: AtKNorm, kind: KindNorm, text: "the keys' norm", names: func(n *Names) *string { return &n.KNorm }},
	{place: AtVNorm, kind: KindNorm, text: "the values' norm", feature: NormedValues},
	{place: AtBias, kind: KindBias, text: "the bias of scores"},
	{place: AtForgetGate, kind: KindLinear, text: "the forget gate", encoding: true},
	{place: AtPathProj, kind: KindLinear, text: "the path's projection", encoding: true},
	{place: AtHeadNorm, kind: KindNorm, text: "the norm of heads", names: func(n *Names) *string { return &n.HeadNorm }, feature: OutputHeadNorm},
	{place: AtOutGate, kind: KindLinear, text: "the gate of attention's output", names: func(n *Names) *string { return &n.OutGate }, feature: GatedOutput},
	{place: AtO, kind: KindLinear, text: "the output projection", names: func(n *Names) *string { return &n.O }},
	{place: AtShortConv, kind: KindShortConv, text: "the short convolution", feature: ShortConvs},
	{place: AtConvIn, kind: KindLinear, text: "the convolution's input projection", names: func(n *Names) *string { return &n.ConvIn }, feature: ShortConvs},
	{place: AtConv, kind: KindConv, text: "the convolution's taps", names: func(n *Names) *string { return &n.Conv }, feature: ShortConvs},
	{place: AtConvOut, kind: KindLinear, text: "the convolution's output projection", names: func(n *Names) *string { return &n.ConvOut }, feature: ShortConvs},
	{place: AtMamba, kind: KindMamba, text: "the Mamba 2 layer", feature: MambaLayers},
	{place: AtMambaIn, kind: KindLinear, text: "the Mamba 2 layer's input projection", names: func(n *Names) *string { return &n.MambaIn }, feature: MambaLayers},
	{place: AtMambaConv, kind: KindConv, text: "the Mamba 2 layer's convolution", names: func(n *Names) *string { return &n.MambaConv }, feature: MambaLayers},
	{place: AtMambaNorm, kind: KindNorm, text: "the Mamba 2 layer's norm", names: func(n *Names) *string { return &n.MambaNorm }, feature: MambaLayers},
	{place: AtMambaOut, kind: KindLinear, text: "the Mamba 2 layer's output projection", names: func(n *Names) *string { return &n.MambaOut }, feature: MambaLayers},
	{place: AtDelta, kind: KindDeltaNet, text: "the gated delta net", feature: DeltaNets},
	{place: AtDeltaIn, kind: KindLinear, text: "the delta net's input projection", names: func(n *Names) *string { return &n.DeltaIn }},
	{place: AtDeltaQ, kind: KindLinear, text: "the delta net's queries", names: func(n *Names) *string { return &n.DeltaQ }},
	{place: AtDeltaK, kind: KindLinear, text: "the delta net's keys", names: func(n *Names) *string { return &n.DeltaK }},
	{place: AtDeltaV, kind: KindLinear, text: "the delta net's values", names: func(n *Names) *string { return &n.DeltaV }},
	{place: AtDeltaConv(0), kind: KindConv, text: "the delta net's convolution", names: func(n *Names) *string { return &n.DeltaConv }},
	{place: AtDeltaConv(1), kind: KindConv, text: "the delta net's second convolution", names: func(n *Names) *string { return &n.DeltaConvK }},
	{place: AtDeltaConv(2), kind: KindConv, text: "the delta net's third convolution", names: func(n *Names) *string { return &n.DeltaConvV }},
	{place: AtDeltaA, kind: KindLinear, text: "the delta net's decay", names: func(n *Names) *string { return &n.DeltaA }},
	{place: AtDeltaB, kind: KindLinear, text: "the delta net's rate", names: func(n *Names) *string { return &n.DeltaB }},
	{place: AtDeltaZ, kind: KindLinear, text: "the delta net's gate", names: func(n *Names) *string { return &n.DeltaZ }},
	{place: AtDeltaNorm, kind: KindNorm, text: "the delta net's norm of heads", names: func(n *Names) *string { return &n.DeltaNorm }},
	{place: AtDeltaOut, kind: KindLinear, text: "the delta net's output projection", names: func(n *Names) *string { return &n.DeltaOut }, feature: DeltaNets},
	{place: AtLightning, kind: KindLightning, text: "lightning attention", feature: LightningMixers},
	{place: AtLightningIn, kind: KindLinear, text: "lightning attention's input projection", names: func(n *Names) *string { return &n.LightningIn }, feature: LightningMixers},
	{place: AtLightningNorm, kind: KindNorm, text: "lightning attention's norm", names: func(n *Names) *string { return &n.LightningNorm }, feature: LightningMixers},
	{place: AtLightningGate, kind: KindLinear, text: "lightning attention's gate", names: func(n *Names) *string { return &n.LightningGate }, feature: LightningMixers},
	{place: AtLightningOut, kind: KindLinear, text: "lightning attention's output projection", names: func(n *Names) *string { return &n.LightningOut }, feature: LightningMixers},
	{place: AtRGLRU, kind: KindRGLRU, text: "the gated linear recurrence", feature: LinearRecurrences},
	{place: AtRGLRUGate, kind: KindLinear, text: "the recurrence's gate", names: func(n *Names) *string { return &n.RGLRUGate }, feature: LinearRecurrences},
	{place: AtRGLRUIn, kind: KindLinear, text: "the recurrence's input projection", names: func(n *Names) *string { return &n.RGLRUIn }, feature: LinearRecurrences},
	{place: AtRGLRUConv, kind: KindConv, text: "the recurrence's convolution", names: func(n *Names) *string { return &n.RGLRUConv }, feature: LinearRecurrences},
	{place: AtRGLRUOut, kind: KindLinear, text: "the recurrence's output projection", names: func(n *Names) *string { return &n.RGLRUOut }, feature: LinearRecurrences},
	{place: AtAttnOut, kind: KindNorm, text: "the norm after attention", names: func(n *Names) *string { return &n.AttnOutNorm }, feature: BranchOutputNorms},
	{place: AtMLPNorm, kind: KindNorm, text: "the norm before the MLP", names: func(n *Names) *string { return &n.MLPNorm }},
	{place: AtMLP, kind: KindMLP, text: "the MLP"},
	{place: AtGate, kind: KindLinear, text: "the MLP's gate", names: func(n *Names) *string { return &n.Gate }},
	{place: AtUp, kind: KindLinear, text: "the MLP's up projection", names: func(n *Names) *string { return &n.Up }},
	{place: AtDownNorm, kind: KindNorm, text: "the norm before the MLP's down projection", names: func(n *Names) *string { return &n.DownNorm }, feature: NormBeforeDown},
	{place: AtDown, kind: KindLinear, text: "the MLP's down projection", names: func(n *Names) *string { return &n.Down }},
	{place: AtFeedNorm, kind: KindNorm, text: "the norm after the MLP beside a mixture", names: func(n *Names) *string { return &n.FeedNorm }, feature: ExpertsBeside},
	{place: AtExpertsNorm, kind: KindNorm, text: "the norm before the experts", names: func(n *Names) *string { return &n.ExpertsNorm }, feature: ExpertsBeside},
	{place: AtMLP, kind: KindExperts, text: "the mixture of experts"},
	{place: AtRouterNorm, kind: KindNorm, text: "the router's norm", feature: NormedRouters},
	{place: AtRouter, kind: KindLinear, text: "the experts' router", names: func(n *Names) *string { return &n.Router }, feature: MixedExperts},
	{place: "mlp/experts/gate_proj", kind: KindLinear, text: "an expert's gate", names: func(n *Names) *string { return &n.ExpertGate }},
	{place: "mlp/experts/up_proj", kind: KindLinear, text: "an expert's up projection", names: func(n *Names) *string { return &n.ExpertUp }},
	{place: "mlp/experts/down_proj", kind: KindLinear, text: "an expert's down projection", names: func(n *Names) *string { return &n.ExpertDown }},
	{place: "mlp/shared/gate_proj", kind: KindLinear, text: "the shared expert's gate", names: func(n *Names) *string { return &n.SharedGateProj }},
	{place: "mlp/shared/up_proj", kind: KindLinear, text: "the shared expert's up projection", names: func(n *Names) *string { return &n.SharedUp }},
	{place: "mlp/shared/down_proj", kind: KindLinear, text: "the shared expert's down projection", names: func(n *Names) *string { return &n.SharedDown }},
	{place: AtSharedGate, kind: KindLinear, text: "the shared expert's switch", names: func(n *Names) *string { return &n.SharedGate }},
	{place: AtExpertsOut, kind: KindNorm, text: "the norm after the experts", names: func(n *Names) *string { return &n.ExpertsOut }, feature: ExpertsBeside},
	{place: AtMLPOut, kind: KindNorm, text: "the norm after the MLP", names: func(n *Names) *string { return &n.MLPOutNorm }, feature: BranchOutputNorms},
	{place: AtPerLayerGate, kind: KindLinear, text: "the gate of the layer's own embedding", names: func(n *Names) *string { return &n.PerLayerGate }, feature: EmbeddingsByLayer},
	{place: AtPerLayerOut, kind: KindLinear, text: "the projection of the layer's own embedding", names: func(n *Names) *string { return &n.PerLayerOut }, feature: EmbeddingsByLayer},
	{place: AtPerLayerNorm, kind: KindNorm, text: "the norm of what the layer's own embedding adds", names: func(n *Names) *string { return &n.PerLayerNorm }, feature: EmbeddingsByLayer},
	{place: AtFinalNorm, kind: KindNorm, text: "the final norm", names: func(n *Names) *string { return &n.FinalNorm }},
	{place: AtHeadDense, kind: KindLinear, text: "the linear before the head", names: func(n *Names) *string { return &n.HeadDense }, feature: HeadOfLayers},
	{place: AtHeadDenseNorm, kind: KindNorm, text: "the norm before the head", names: func(n *Names) *string { return &n.HeadDenseNorm }, feature: HeadOfLayers},
	{place: AtHead, kind: KindLinear, text: "the head", names: func(n *Names) *string { return &n.Head }},
	{place: AtValues, kind: KindValues, text: "values of the encoding", encoding: true},
}

// slotOf finds the row of a place; a part of another kind has none there.
func slotOf(kind Kind, place string) (slot, bool) {
	place = anyExpert(place)
	for _, s := range slots {
		if s.place == place && s.kind == kind {
			return s, true
		}
	}
	return slot{}, false
}

// each calls f with every template of a stored name: those of the slots, and
// the fused matrices, which are several of them in one.
func (n *Names) each(f func(template *string)) {
	for _, s := range slots {
		if s.names != nil {
			f(s.names(n))
		}
	}
	f(&n.QKV)
	f(&n.QUp)
	f(&n.KVUp)
	f(&n.GateUp)
	f(&n.ExpertGateUp)
	f(&n.SharedGateUp)
	f(&n.ExpertGateUpBias)
	f(&n.ExpertDownBias)
	f(&n.Correction)
	f(&n.RouterNorm)
	f(&n.ExpertScales)
	f(&n.Sinks)
	f(&n.LightningSlopes)
	for k := range n.LightningDecays {
		f(&n.LightningDecays[k])
	}
	f(&n.RGLRU)
	f(&n.Scalar)
	f(&n.OutGateBias)
	f(&n.XIELU)
	f(&n.Mamba)
	f(&n.DeltaQKVZ)
	f(&n.DeltaBA)
	f(&n.DeltaAll)
	f(&n.DeltaNumbers)
}
