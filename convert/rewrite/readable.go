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
var known = family.Settled()

// ofWeights are those of them that the rope keys do not say, so that a rewrite of
// these does not read them.
var ofWeights = []family.Feature{
	family.SpectraPerHead, family.SpectraPerLayer, family.RotationsInBases, family.ContextualPhase, family.ShiftedKV,
	family.BiasALiBi, family.BiasRounded, family.BiasGated, family.BiasForget, family.BiasPath, family.BiasKernel,
}

// readable refuses a model with a part that a rewrite of the rope keys would
// leave as it is without knowing it.
func readable(m *family.Model, o Options) error {
	read := slices.DeleteFunc(slices.Clone(known), func(f family.Feature) bool {
		// rows that a partial layout moves would meet the weights of other coordinates in a later norm
		return slices.Contains(ofWeights, f) || o.Layout == Partial && slices.Contains([]family.Feature{family.NormAfterRotation, family.NormsPerHead}, f)
	})
	if err := m.Beyond(read...); err != nil {
		return err
	}
	if err := latent(m, o); err != nil {
		return err
	}
	for _, f := range []family.Feature{family.SharedKV, family.ValuesOfKeys} {
		if o.Layout == Partial && slices.Contains(m.Features(), f) {
			return hint.Errorf("layout %s: %s: %w; "+hint.Layout+" native can", Partial, f, posenc.ErrUnsupported)
		}
	}
	spec, err := families.Find(m.ModelType)
	if err != nil {
		return err
	}
	if o.Layout == Partial && spec.ReadsPartial && spec.PartialLayout == "" {
		return hint.Errorf("layout %s: family %s spells a partial rotary dimension in keys of its own: %w; "+hint.Layout+" native can", Partial, m.Family, posenc.ErrUnsupported)
	}
	if key := spec.LayerBases; o.Layout == Partial && key != "" && m.Config.Has(key) && !hasBases(m) {
		return hint.Errorf("layout %s: loaders of family %s turn by the bases of %s, and the kept planes need another one: %w; "+hint.Layout+" native can", Partial, m.Family, key, posenc.ErrUnsupported)
	}
	return nil
}

// byType refuses what layers that turn by declarations of their own cannot become:
// rewrites of the rope keys change those of full attention alone.
func byType(m *family.Model, o Options, enc posenc.Encoding) error {
	if !slices.Contains(m.Features(), family.SpectraByType) {
		return nil
	}
	spec, err := families.Find(m.ModelType)
	switch {
	case err != nil:
		return err
	case spec.LayerBases != "":
		return byLayer(spec, o, enc)
	case o.Spectra != nil:
		return hint.Errorf("%s: planes chosen for each head: %w; "+hint.To+" hope, and what else is one spectrum for all heads, is spelled in the keys of layers of full attention", family.SpectraByType, posenc.ErrUnsupported)
	case o.Layout == Partial:
		return hint.Errorf("layout %s: %s: %w; "+hint.Layout+" native can", Partial, family.SpectraByType, posenc.ErrUnsupported)
	}
	return nil
}

// latent refuses what latent attention cannot become: rows of the slice that all keys
// share are those of another matrix than the other rows of keys.
func latent(m *family.Model, o Options) error {
	if !slices.Contains(m.Features(), family.LatentAttention) {
		return nil
	}
	if o.Layout == Partial {
		return hint.Errorf("layout %s: %s: %w; "+hint.Layout+" native can", Partial, family.LatentAttention, posenc.ErrUnsupported)
	}
	return nil
}
