package rewrite

import (
	"slices"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
)

// known are the parts of a model, beyond llama's, that no rewrite passes over: it
// changes what is positional in them, and leaves the others as they are.
var known = []family.Feature{
	family.LayerNorms,
	family.UngatedMLP,
	family.ParallelBlocks,
	family.EmbeddingNorm,
	family.UnrotatedLayers,
	family.PlainBranchInput,
	family.BranchOutputNorms,
	family.NormOverHeads,
	family.ValuesOfOtherSize,
	family.NormAfterRotation,
	family.OutputHeadNorm,
	family.SpectraPerHead,
	family.SpectraByType,
	family.SpectraPerLayer,
	family.ContextualPhase,
	family.ShiftedKV,
	family.BiasALiBi,
	family.BiasRounded,
	family.BiasGated,
	family.BiasForget,
	family.BiasPath,
	family.EmbeddingScale,
	family.CappedScores,
	family.ScaledBranches,
	family.ScaledLogits,
	family.CappedLogits,
	family.OffsetNorms,
	family.BareNorms,
	family.ClippedHeads,
	family.InterleavedPairs,
	family.ShortConvs,
	family.MixedExperts,
	family.LearnedActivation,
	family.NormBeforeDown,
	family.JointOutputNorm,
}

// readable refuses a model with a part that a rewrite of the rope keys would
// leave as it is without knowing it.
func readable(m *family.Model, o Options) error {
	after := family.NormOverHeads // once more
	if o.Layout != Partial {      // whose moved rows would meet weights of other coordinates
		after = family.NormAfterRotation
	}
	if err := m.Beyond(after, family.LayerNorms, family.UngatedMLP, family.ParallelBlocks, family.EmbeddingNorm, family.UnrotatedLayers,
		family.PlainBranchInput, family.BranchOutputNorms, family.NormOverHeads, family.ValuesOfOtherSize,
		family.EmbeddingScale, family.ScaledBranches, family.ScaledLogits, family.CappedLogits, family.OffsetNorms, family.BareNorms, family.ClippedHeads,
		family.InterleavedPairs, family.SpectraByType, family.CappedScores, family.ShortConvs, family.MixedExperts, family.LearnedActivation, family.NormBeforeDown, family.OutputHeadNorm, family.JointOutputNorm); err != nil {
		return err
	}
	spec, err := families.Find(m.ModelType)
	if err != nil {
		return err
	}
	if o.Layout == Partial && spec.ReadsPartial && spec.PartialLayout == "" {
		return hint.Errorf("layout %s: family %s spells a partial rotary dimension in keys of its own: %w; "+hint.Layout+" native can", Partial, m.Family, posenc.ErrUnsupported)
	}
	return nil
}

// byType refuses what layers that turn by declarations of their own cannot become:
// rewrites of the rope keys change those of full attention alone.
func byType(m *family.Model, o Options, enc posenc.Encoding) error {
	if !slices.Contains(m.Features(), family.SpectraByType) {
		return nil
	}
	switch {
	case enc.Target == nil, o.Spectra != nil:
		return hint.Errorf("%s: %w; "+hint.To+" hope, and what else is one spectrum for all heads, is spelled in the keys of layers of full attention", family.SpectraByType, posenc.ErrUnsupported)
	case o.Layout == Partial:
		return hint.Errorf("layout %s: %s: %w; "+hint.Layout+" native can", Partial, family.SpectraByType, posenc.ErrUnsupported)
	}
	return nil
}
