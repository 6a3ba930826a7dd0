package family

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/posenc"
)

// Feature is something a model may have beyond llama's shape: what computes,
// emits or rewrites models says which ones it knows (Beyond).
type Feature string

// The features. Not among them: grouped queries, windows, biases of linears,
// fused matrices, norms of queries and keys before the rotation, partial rotary
// dimensions.
const (
	LayerNorms        Feature = "layer norms"
	UngatedMLP        Feature = "an MLP without a gate"
	ParallelBlocks    Feature = "attention and MLP side by side"
	EmbeddingNorm     Feature = "a norm after the embedding"
	UnrotatedLayers   Feature = "layers without rotation"
	PlainBranchInput  Feature = "branches that read the stream without a norm"
	BranchOutputNorms Feature = "norms of the branches' outputs"
	NormOverHeads     Feature = "norms of queries and keys over all heads"
	ValuesOfOtherSize Feature = "values of another size than queries and keys"
	NormsPerHead      Feature = "norms of queries and keys with weights of each head's own"
	NormAfterRotation Feature = "norms of queries and keys after the rotation"
	OutputHeadNorm    Feature = "a norm of each head's output"
	SpectraPerHead    Feature = "spectra per head"
	SpectraByType     Feature = "a rotation for each type of layer"
	SpectraPerLayer   Feature = "a spectrum in the weights, not in the configuration"
	RotationsInBases  Feature = "rotations in bases of the heads' own"
	ContextualPhase   Feature = "contextual phases"
	ShiftedKV         Feature = "keys or values mixed with the one before"
	BiasALiBi         Feature = "ALiBi"
	BiasRounded       Feature = "ALiBi rounded to bf16 and scaled with the score"
	BiasGated         Feature = "gated biases (GRAPE-A)"
	BiasForget        Feature = "forget gates (FoX)"
	BiasPath          Feature = "path biases (GRAPE-AP)"
	BiasKernel        Feature = "kernel biases (KERPLE)"
	EmbeddingScale    Feature = "an embedding times a factor"
	ShiftedEmbedding  Feature = "an embedding plus a vector that all tokens share"
	CappedScores      Feature = "a cap on scores"
	ScaledBranches    Feature = "branches times a factor"
	ScaledLogits      Feature = "logits times a factor"
	CappedLogits      Feature = "a cap on logits"
	OffsetNorms       Feature = "norms whose weight is stored less a constant"
	BareNorms         Feature = "norms without weights"
	HeadOfLayers      Feature = "a head of several layers"
	ChunkedAttention  Feature = "attention within chunks"
	ScaledInputs      Feature = "experts whose input has their weight"
	ScaledQueries     Feature = "queries scaled by position"
	ClippedHeads      Feature = "clipped queries, keys and values"
	InterleavedPairs  Feature = "planes of neighbouring coordinates"
	ShortConvs        Feature = "short convolutions in the place of attention"
	MambaLayers       Feature = "Mamba 2 layers"
	SideMixers        Feature = "two mixers side by side"
	ScaledMLP         Feature = "an MLP with factors"
	DeltaNets         Feature = "gated delta nets in the place of attention"
	LightningMixers   Feature = "lightning attention in the place of attention"
	NormedStream      Feature = "a stream that the norms replace"
	LinearRecurrences Feature = "gated linear recurrences (RG-LRU) in the place of attention"
	KimiDelta         Feature = "Kimi delta attention"
	MixedExperts      Feature = "mixtures of experts"
	LearnedActivation Feature = "an activation with numbers of its own in the weights"
	NormBeforeDown    Feature = "a norm before the MLP's down projection"
	NormedValues      Feature = "norms of values"
	ValuesOfKeys      Feature = "values of the keys' projection"
	EmbeddingsByLayer Feature = "embeddings by layer"
	SharedKV          Feature = "keys and values of another layer"
	ScaledLayers      Feature = "layers times a number in the weights"
	GatedOutput       Feature = "a gate on attention's output"
	JointOutputNorm   Feature = "a norm of all heads' outputs together"
	LatentAttention   Feature = "queries, keys and values of low-rank latents (MLA)"
	AttentionSinks    Feature = "attention sinks"
	ClampedGates      Feature = "clamped gates"
	ScaledValues      Feature = "values times a factor"
	ShortcutExperts   Feature = "a mixture of experts that joins the stream a block later"
	IdentityExperts   Feature = "experts that pass on their input"
	ScaledLatents     Feature = "latents times a factor"
	SparseIndexers    Feature = "a sparse attention indexer"
	ExpertsBeside     Feature = "a mixture of experts beside the MLP"
	NormedRouters     Feature = "routers with a norm"
	ScaledExperts     Feature = "experts times numbers in the weights"
)

// Named lists the features that have a name here. What else a model has is of
// parts that nothing computes.
func Named() []Feature { return Settled() }

// Settled lists the features that all know who compute, emit, rewrite or check a
// model. A new one is named first in the list of each that learns it, beside these,
// and comes here once it stands in all of them: who does not know it refuses it.
func Settled() []Feature {
	return []Feature{
		LayerNorms,
		UngatedMLP,
		ParallelBlocks,
		EmbeddingNorm,
		UnrotatedLayers,
		PlainBranchInput,
		BranchOutputNorms,
		NormOverHeads,
		ValuesOfOtherSize,
		NormsPerHead,
		NormAfterRotation,
		OutputHeadNorm,
		SpectraPerHead,
		SpectraByType,
		SpectraPerLayer,
		RotationsInBases,
		ContextualPhase,
		ShiftedKV,
		BiasALiBi,
		BiasRounded,
		BiasGated,
		BiasForget,
		BiasPath,
		BiasKernel,
		EmbeddingScale,
		ShiftedEmbedding,
		CappedScores,
		ScaledBranches,
		ScaledLogits,
		CappedLogits,
		OffsetNorms,
		BareNorms,
		HeadOfLayers,
		ChunkedAttention,
		ScaledInputs,
		ScaledQueries,
		ClippedHeads,
		InterleavedPairs,
		ShortConvs,
		MambaLayers,
		SideMixers,
		ScaledMLP,
		DeltaNets,
		KimiDelta,
		LinearRecurrences,
		LightningMixers,
		NormedStream,
		MixedExperts,
		LearnedActivation,
		NormBeforeDown,
		JointOutputNorm,
		AttentionSinks,
		ClampedGates,
		ScaledValues,
		GatedOutput,
		NormedValues,
		ValuesOfKeys,
		SharedKV,
		ScaledLayers,
		EmbeddingsByLayer,
		LatentAttention,
		SparseIndexers,
		ShortcutExperts,
		IdentityExperts,
		ScaledLatents,
		ExpertsBeside,
		NormedRouters,
		ScaledExperts,
	}
}

// Features lists what the model has, sorted.
func (m *Model) Features() []Feature {
	found := map[Feature]struct{}{}
	for p := range m.EachPart() {
		for _, f := range p.Features {
			found[f] = struct{}{}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

func biasFeature(k BiasKind) Feature {
	switch k {
	case ALiBi:
		return BiasALiBi
	case Gated:
		return BiasGated
	case Forget:
		return BiasForget
	case Path:
		return BiasPath
	case Kerple:
		return BiasKernel
	}
	return Feature(fmt.Sprintf("a bias of unknown kind %d", k))
}

// Beyond returns an error that wraps posenc.ErrUnsupported and names every
// feature of the model that is not among the known ones, or nil.
func (m *Model) Beyond(known ...Feature) error {
	var list []string
	for _, f := range m.Features() {
		if !slices.Contains(known, f) {
			list = append(list, string(f))
		}
	}
	if list == nil {
		return nil
	}
	return fmt.Errorf("family %s has %s: %w", m.Family, strings.Join(list, "; "), posenc.ErrUnsupported)
}

// Encoding names the model's positional encoding in a few words, from its
// layers: "rope", a rope type such as "yarn", "alibi", "fox", "grape-m",
// "grape-m-ctx", "grape-a", "grape-ap", "nope", or several joined by " + ".
func (m *Model) Encoding() string {
	var list []string
	add := func(has bool, name string) {
		if has && !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	for _, a := range m.Attentions() {
		rotation := "rope"
		if name := m.RopeOf(a).Type; name != "" && name != "default" {
			rotation = name
		}
		turns := a.Rotary.Dim > 0
		add(turns && a.Phase != nil, "grape-m-ctx")
		form := a.Generators != nil
		if form {
			add(true, posenc.FormPrefix+a.Generators.Form)
		}
		learned := a.Spectra != nil || m.learned
		add(turns && a.Phase == nil && learned && !form, "grape-m")
		add(turns && a.Phase == nil && !learned, rotation)
		if a.Bias != nil {
			add(true, map[BiasKind]string{ALiBi: "alibi", Gated: "grape-a", Forget: "fox", Path: "grape-ap", Kerple: "kerple"}[a.Bias.Kind])
		}
		add(!turns && a.Bias == nil, "nope")
	}
	return strings.Join(list, " + ")
}
