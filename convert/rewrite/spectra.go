package rewrite

import (
	"fmt"
	"slices"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
)

// Mixed counts where a plane stops turning: in Still of Of (layer, key/value
// head).
type Mixed struct{ Plane, Still, Of int }

// selected writes spectra that were chosen per layer and key/value head. One
// that all share is spelled in the rope keys; else they are GRAPE-M's tensors.
func (r *Rewrite) selected(j job) error {
	m, spectra := j.m, r.Options.Spectra
	if err := r.checkSpectra(j); err != nil {
		return err
	}
	r.Dropped, r.Removed, r.AfterLong = nil, nil, nil
	r.After = r.Before.Clone()
	r.rescaled()
	stopped, turned, shared := r.tally(m, spectra)
	r.listDropped()
	r.Kind, r.Reason = Exact, "every plane turns as before"
	if stopped > 0 {
		r.Kind = Lossy
		r.Reason = fmt.Sprintf("%d of %d (layer, key/value head, plane) stop turning, chosen by what each was measured to cost", stopped, turned)
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
	return r.perHead(longer, spectra)
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

// checkSpectra makes sure that the spectra are the source's with planes at 0.
func (r *Rewrite) checkSpectra(j job) error {
	m, spectra := j.m, r.Options.Spectra
	switch {
	case j.enc.Name != "hope":
		return hint.Errorf("%w: a selection of planes is "+hint.To+" hope", ErrOptions)
	case r.Options.Scale.Kind != "":
		return hint.Errorf("%w: "+hint.Scale+" %s: a selection of planes takes no scaling", ErrOptions, r.Options.Scale)
	case j.from != fromRope || m.Extension != nil:
		return fmt.Errorf("a selection of planes from %s: %w; start from the stock checkpoint", m.Encoding(), posenc.ErrUnsupported)
	case r.BeforeLong != nil || m.Rope.Type == "dynamic":
		return fmt.Errorf("rope type %s changes the frequencies with the length, and a selection has one spectrum for every length: %w", m.Rope.Type, posenc.ErrUnsupported)
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
			for p, f := range row {
				if f != 0 && f != r.Before.InvFreq[p] {
					return fmt.Errorf("%w: a selection that turns plane %d in layer %d, key/value head %d by %v: expected the model's %v, or 0", ErrOptions, p, l, g, f, r.Before.InvFreq[p])
				}
			}
		}
	}
	return nil
}
