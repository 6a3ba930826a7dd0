package rewrite

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
)

// Mixed counts where a plane stops turning: in Still of Of (layer, key/value
// head).
type Mixed struct{ Plane, Still, Of int }

// Scaled is what the planes of a model turn by before any of them is dropped: what its
// rope keys declare up to the trained length, scaled by o.Scale. It is what Options.Spectra
// choose from.
func Scaled(m *family.Model, o Options) (posenc.Spectrum, error) {
	current, err := m.Rope.Spectrum(m.TrainedLength)
	if err != nil {
		return current, err
	}
	length := o.TrainLength
	if length == 0 {
		length = m.TrainedLength
	}
	return o.Scale.Apply(posenc.Source{Declared: m.Rope, Unscaled: m.Rope.Base(), Current: current, TrainedLength: length})
}

// selected writes spectra that were chosen per layer and key/value head. One
// that all share is spelled in the rope keys; else they are GRAPE-M's tensors.
func (r *Rewrite) selected(j job) error {
	m, spectra := j.m, r.Options.Spectra
	if err := r.checkSpectra(j); err != nil {
		return err
	}
	r.Dropped, r.Removed, r.AfterLong = nil, nil, nil
	var err error
	if r.After, err = Scaled(m, r.Options); err != nil {
		return err
	}
	scaled := !same(r.After, r.Before)
	if err := r.ofScaled(m); err != nil {
		return err
	}
	r.rescaled()
	stopped, turned, shared := r.tally(m, spectra)
	r.listDropped()
	r.Kind, r.Reason = Exact, "every plane turns as before"
	var why []string
	if stopped > 0 {
		why = append(why, fmt.Sprintf("%d of %d (layer, key/value head, plane) stop turning, chosen by what each was measured to cost", stopped, turned))
	}
	if scaled {
		why = append(why, r.compressed()...)
	}
	if why != nil {
		r.Kind, r.Reason = Lossy, strings.Join(why, "; ")
	}
	if shared {
		if err := readable(m, r.Options); err != nil {
			return err
		}
		return r.write(m)
	}
	if r.Options.Layout == Partial || r.Options.Spelling != Auto {
		return fmt.Errorf("spectra per layer or head in layout %s, spelling %s: %w: no rope type has them; choose planes for the whole model, or leave layout and spelling", r.Options.Layout, r.Options.Spelling, posenc.ErrUnsupported)
	}
	longer, err := r.lengthened(m)
	if err != nil {
		return fmt.Errorf("spectra per layer or head %w; choose planes for the whole model", err)
	}
	if scaled {
		r.gains = slices.Repeat([]float64{r.After.Gain}, len(m.Blocks))
		longer = r.declaring(longer)
	}
	return r.perHead(longer, spectra)
}

// declaring is the model with rope keys that say the scaling, so that what its tensors
// hold beside them is planes that stop and nothing else; as it is where its family has no
// type that says so.
func (r *Rewrite) declaring(m *family.Model) *family.Model {
	o := Options{To: r.Options.Scale.Kind, Scale: r.Options.Scale, TrainLength: r.Options.TrainLength, Extend: r.Options.Extend}
	said, err := ofModel(m, nil, o)
	if err != nil || said.Spelling == family.BlockKey {
		return m
	}
	out, config := *m, *m.Config
	config.Object = said.Config
	out.Config = &config
	return &out
}

// tally counts the heads in which planes stop that turned before: those that stop in
// all of them do so in After, the others are Mixed. It returns how many (layer,
// key/value head, plane) stop of those that turned, and whether all heads have one
// spectrum.
func (r *Rewrite) tally(m *family.Model, spectra [][][]float64) (stopped, turned int, shared bool) {
	var one []float64
	shared = true
	still := make([]int, len(r.Unscaled))
	heads := 0
	for l, a := range m.Attentions() {
		if a.Rotary.Dim == 0 {
			continue
		}
		for _, row := range spectra[l] {
			if one == nil {
				one = row
			}
			shared = shared && slices.Equal(one, row)
			heads++
			for p, f := range row {
				if f == 0 {
					still[p]++
				}
			}
		}
	}
	for p, n := range still {
		if r.Before.InvFreq[p] == 0 {
			continue
		}
		turned += heads
		stopped += n
		if n == heads {
			r.After.InvFreq[p] = 0
		}
		if n > 0 && n < heads {
			r.Mixed = append(r.Mixed, Mixed{p, n, heads})
		}
	}
	return stopped, turned, shared
}

// perHead writes spectra per layer and key/value head as GRAPE-M's tensors.
func (r *Rewrite) perHead(m *family.Model, spectra [][][]float64) error {
	_, added, err := r.rotation(m)
	if err != nil {
		return err
	}
	next := 0
	for l, a := range m.Attentions() {
		if a.Rotary.Dim > 0 {
			added[next].Values = slices.Concat(spectra[l]...)
			next++
		}
	}
	r.extend(m, family.Extension{Rotation: ofGains(m, r.gains)}, added, none)
	return nil
}

// ofScaled makes sure that the spectra are the scaled ones with planes at 0.
func (r *Rewrite) ofScaled(m *family.Model) error {
	for l, a := range m.Attentions() {
		if a.Rotary.Dim == 0 {
			continue
		}
		for g, row := range r.Options.Spectra[l] {
			for p, f := range row {
				if f != 0 && f != r.After.InvFreq[p] {
					return fmt.Errorf("%w: a selection that turns plane %d in layer %d, key/value head %d by %v: expected the model's %v, or 0", ErrOptions, p, l, g, f, r.After.InvFreq[p])
				}
			}
		}
	}
	return nil
}

// checkSpectra makes sure that there can be a selection, of spectra for all heads.
func (r *Rewrite) checkSpectra(j job) error {
	m, spectra := j.m, r.Options.Spectra
	switch {
	case j.enc.Name != "hope":
		return hint.Errorf("%w: a selection of planes is "+hint.To+" hope", ErrOptions)
	case j.from != fromRope || m.Extension != nil:
		return fmt.Errorf("a selection of planes from %s: %w; start from the stock checkpoint", m.Encoding(), posenc.ErrUnsupported)
	case r.BeforeLong != nil || m.Rope.Type == "dynamic":
		return changesWithLength(m.Rope.Type, "a selection")
	case len(spectra) != len(m.Blocks):
		return fmt.Errorf("%w: a selection for %d layers, the model has %d", ErrOptions, len(spectra), len(m.Blocks))
	}
	for l, a := range m.Attentions() {
		if a.Rotary.Dim == 0 {
			continue
		}
		if len(spectra[l]) != a.KVHeads {
			return fmt.Errorf("%w: a selection for %d key/value heads in layer %d, the model has %d", ErrOptions, len(spectra[l]), l, a.KVHeads)
		}
		for g, row := range spectra[l] {
			if len(row) != len(r.Before.InvFreq) {
				return fmt.Errorf("%w: a selection of %d planes in layer %d, key/value head %d: the model has %d", ErrOptions, len(row), l, g, len(r.Before.InvFreq))
			}
		}
	}
	return nil
}
