package rewrite

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
)

// The layers that a rewrite is of, by what their attention sees.
const (
	AllLayers     = "all"
	FullLayers    = "full"    // every token before
	SlidingLayers = "sliding" // a window of them
)

// LayerKinds lists the values of Options.Layers.
func LayerKinds() []string { return []string{AllLayers, FullLayers, SlidingLayers} }

// Turn is what rope keys declare of layers of sliding attention, and the spectra
// before and after the rewrite.
type Turn struct {
	Declared      posenc.RopeParams
	Before, After posenc.Spectrum
}

// Changes reports whether a rewrite of some kind of layers changes this one; ""
// is the kind that is taken where none is asked for: every layer that turns, and
// those of full attention where sliding ones turn by a declaration of their own
// (they see no distance beyond their window).
func Changes(kind string, a *family.Attention) bool {
	switch {
	case a.Rotary.Dim == 0:
		return false
	case kind == FullLayers:
		return a.Window == 0 && a.Chunk == 0
	case kind == SlidingLayers:
		return a.Window > 0 || a.Chunk > 0
	}
	return kind == AllLayers || a.Rope == nil
}

// ofLayers decides which layers change where the rope keys declare what turns: what
// becomes of sliding ones that have a declaration of their own, and the spectra of
// every layer where no rope keys can say that some of them change only.
func (r *Rewrite) ofLayers(j job) error {
	kind := r.Options.Layers
	if j.m.FullStill() && kind != SlidingLayers {
		return hint.Errorf("no layer of full attention turns, and those of sliding attention see no distance beyond their window: %w; "+hint.Layers+" %s changes these", posenc.ErrUnsupported, SlidingLayers)
	}
	var changed, kept int
	var sliding *posenc.RopeParams
	for _, a := range j.m.Attentions() {
		switch {
		case Changes(kind, a):
			changed++
		case a.Rotary.Dim > 0:
			kept++
		}
		if a.Rope != nil {
			sliding = a.Rope
		}
	}
	if changed == 0 {
		return hint.Errorf("%w: "+hint.Layers+" %s: no layer of this kind turns", ErrOptions, kind)
	}
	if hasBases(j.m) {
		return r.eachLayer(j)
	}
	if sliding != nil {
		if kind == AllLayers || kind == SlidingLayers {
			return r.slidingToo(*sliding, j.enc)
		}
		return nil
	}
	if kept == 0 {
		return nil
	}
	return r.someLayers(j)
}

// slidingToo rewrites what layers of sliding attention declare: beside that of full
// attention, or alone.
func (r *Rewrite) slidingToo(declared posenc.RopeParams, enc posenc.Encoding) error {
	changes, err := declared.ByLength()
	if err != nil {
		return err
	}
	if changes {
		return fmt.Errorf("layers of sliding attention declare rope type %s, which changes the frequencies with the length: %w", declared.Type, posenc.ErrUnsupported)
	}
	before, err := declared.Spectrum(r.TrainLength)
	if err != nil {
		return err
	}
	after, err := enc.Target(posenc.Source{Declared: declared, Unscaled: declared.Base(), Current: before,
		TrainedLength: r.TrainLength, Cut: r.Options.Cut, Scale: r.Options.Scale})
	if err != nil {
		return err
	}
	if after.Removed != nil {
		return fmt.Errorf("planes that leave the score of layers of sliding attention: %w; those of full attention can", posenc.ErrUnsupported)
	}
	r.Sliding = &Turn{Declared: declared, Before: before, After: after}
	if r.Options.Layers == SlidingLayers { // the report is of what changes
		r.Unscaled, r.Before, r.After, r.declares = declared.Base(), before, after, before
		r.BeforeLong, r.AfterLong, r.Dropped, r.Removed = nil, nil, nil, nil
		r.listDropped()
	}
	return nil
}

// someLayers is for a model in which one declaration is of all layers, and some of them
// change: no rope keys say that.
func (r *Rewrite) someLayers(j job) error {
	switch {
	case r.Options.Layout == Partial || r.Options.Spelling != Auto:
		return hint.Errorf(hint.Layers+" %s in layout %s, spelling %s: %w: all layers of family %s turn by one declaration, so the spectra of each become tensors; leave layout and spelling",
			r.Options.Layers, r.Options.Layout, r.Options.Spelling, posenc.ErrUnsupported, j.m.Family)
	case r.After.Removed != nil:
		return hint.Errorf(hint.Layers+" %s: planes that leave the score of some layers: %w", r.Options.Layers, posenc.ErrUnsupported)
	}
	return r.eachLayer(j)
}

// perLayer writes the spectra of eachLayer as GRAPE-M's tensors.
func (r *Rewrite) perLayer(j job) error {
	if err := readable(j.m, r.Options); err != nil {
		return err
	}
	if r.judge(j.enc); r.Kind == Lossy && (r.Options.Layers == FullLayers || r.Options.Layers == SlidingLayers) {
		r.Reason += fmt.Sprintf("; layers of %s attention alone", r.Options.Layers)
	}
	r.rescaled()
	r.tally(j.m, r.some)
	m, err := r.lengthened(j.m)
	if err != nil {
		return hint.Errorf(hint.Layers+" %s %w; all layers can", r.Options.Layers, err)
	}
	if err := r.perHead(m, r.some); err != nil {
		return err
	}
	if hasBases(j.m) {
		r.note("layers of family %s have bases of their own, and all else of their rope keys in common: the spectra of each are tensors", j.m.Family)
		return nil
	}
	r.note("all layers of family %s turn by one declaration in its rope keys: where some of them change, the spectra of each are tensors", j.m.Family)
	return nil
}
