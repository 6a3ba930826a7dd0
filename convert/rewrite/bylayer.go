package rewrite

import (
	"fmt"
	"slices"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
)

// byLayer refuses what layers with a base each cannot become: they share all else that
// the rope keys say, so that what changes is spelled as tensors, a spectrum for each.
func byLayer(spec family.Spec, o Options, enc posenc.Encoding) error {
	const apart = "layers turn by bases of their own (%s), so that the spectra of each become tensors"
	switch {
	case o.Layout == Partial || o.Spelling != Auto:
		return hint.Errorf(apart+": layout %s, spelling %s: %w; leave both", spec.LayerBases, o.Layout, o.Spelling, posenc.ErrUnsupported)
	case o.Spectra != nil:
		return hint.Errorf(apart+": %w; "+hint.To+" hope and grape-m can", spec.LayerBases, posenc.ErrUnsupported)
	}
	return nil
}

// hasBases tells a model whose layers have bases of their own.
func hasBases(m *family.Model) bool {
	spec, err := families.Find(m.ModelType)
	return err == nil && spec.LayerBases != "" && slices.Contains(m.Features(), family.SpectraByType)
}

// eachLayer makes the spectra of every layer and key/value head: those of layers that
// change of what each declares, the others as they are.
func (r *Rewrite) eachLayer(j job) error {
	r.some, r.gains = make([][][]float64, len(j.m.Blocks)), make([]float64, len(j.m.Blocks))
	for l, a := range j.m.Attentions() {
		if a.Rotary.Dim == 0 {
			continue
		}
		declared := j.m.RopeOf(a)
		before, err := declared.Spectrum(r.TrainLength)
		if err != nil {
			return err
		}
		after := before
		if Changes(r.Options.Layers, a) {
			after, err = j.enc.Target(posenc.Source{Declared: declared, Unscaled: declared.Base(), Current: before,
				TrainedLength: r.TrainLength, Cut: r.Options.Cut, Scale: r.Options.Scale})
			if err != nil {
				return err
			}
		}
		if after.Removed != nil {
			return fmt.Errorf("layer %d: planes that leave the score, where the spectra of each layer are tensors: %w", l, posenc.ErrUnsupported)
		}
		r.some[l], r.gains[l] = slices.Repeat([][]float64{after.InvFreq}, a.KVHeads), after.Gain
	}
	return nil
}
