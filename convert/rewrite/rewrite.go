package rewrite

import (
	"fmt"
	"math"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/loaders"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
)

// Kind says whether the model's function stays.
type Kind string

const (
	// Exact: every plane turns as before; logits agree to rounding.
	Exact Kind = "exact"
	// Lossy: the model computes something else.
	Lossy Kind = "lossy"
	// Refused: it is not done; the reason says why and what can be done.
	Refused Kind = "refused"
)

// Rewrite is a decided rewrite of one model.
type Rewrite struct {
	Options Options
	// From is the source's rope type, or its encoding where no rope keys say it,
	// To the encoding's name.
	From, To string
	Kind     Kind
	// Reason says why it is exact or what is lost, Notes what else to know.
	Reason string
	Notes  []string
	// Untrained says what a lossy rewrite is known to cost and is meant for where
	// the weights stay as they are.
	Untrained string
	// TrainLength is L and TrainLengthFrom the key or flag it comes from.
	TrainLength     int
	TrainLengthFrom string
	// MaxPositions is the new max_position_embeddings.
	MaxPositions int
	// Unscaled holds the plain inverse frequencies by which planes are chosen.
	Unscaled []float64
	// Before and After are the spectra up to the trained length; BeforeLong and
	// AfterLong those beyond it where the rope type tells the two apart, or nil.
	Before, After         posenc.Spectrum
	BeforeLong, AfterLong *posenc.Spectrum
	// Sliding is what becomes of a declaration of layers of sliding attention, nil
	// where there is none or it stays.
	Sliding *Turn
	// Dropped lists the planes that do not turn in After, Removed those of them
	// that leave the score.
	Dropped, Removed []int
	// Mixed lists the planes that turn in some layers or heads only, and Slopes
	// the bias that a hybrid starts with, per query head of the first layer with attention.
	Mixed  []Mixed
	Slopes []float64
	// QueryScale is the factor that Options.QueryScale gives the queries of layers which
	// are Scalable, nil without it.
	QueryScale *family.QueryScale
	// Layout and Spelling are what was used; Loaders says in one line who reads
	// the result, Readers what becomes of it in each loader of the table, where one
	// is known to read this kind of result at all.
	Layout, Spelling, Loaders string
	Readers                   []loaders.Verdict
	// Family is the family of the result.
	Family string
	// Config is the new config.json; ConfigChanged is false if it is the
	// source's.
	Config        *family.Object
	ConfigChanged bool
	// Edits are the tensors that change, sorted by name, and Consumed the stored
	// tensors that are no longer there under their names.
	Edits    []Edit
	Consumed []string
	// Added are tensors that come beside, sorted by name.
	Added []Tensor

	still    bool               // layers of full attention do not turn, and have no declaration
	scaled   *family.QueryScale // the factor in the source's block, which stays
	declares posenc.Spectrum    // what the rope keys say, up to the trained length
	some     [][][]float64      // spectra by layer and head where some layers change only
	gains    []float64          // attention factors by layer there
}

// Make decides the rewrite. src holds the weights' values: whether gates are 0
// is read there, and it may be nil where that is not asked. Make returns an
// error that wraps ErrOptions for options no model could satisfy and one that
// wraps posenc.ErrUnsupported where this model, layout or spelling cannot
// express the result; that one names what can. AsIs is possible for every model.
func Make(m *family.Model, src family.Source, options Options) (*Rewrite, error) {
	r, err := ofModel(m, src, options)
	if err != nil {
		return nil, err
	}
	return r, r.whole(m)
}

// ofModel decides the rewrite of a model by itself.
func ofModel(m *family.Model, src family.Source, options Options) (*Rewrite, error) {
	if options.To == AsIs {
		return asIs(m), nil
	}
	o, enc, err := options.check()
	if err != nil {
		return nil, err
	}
	r := &Rewrite{Options: o, From: m.Rope.Type, To: enc.String(), Layout: o.Layout, Family: m.Family,
		TrainLength: m.TrainedLength, TrainLengthFrom: m.TrainedLengthFrom, MaxPositions: m.MaxPositions,
		Before: posenc.Spectrum{Gain: 1}, After: posenc.Spectrum{Gain: 1}}
	if m.Extension != nil {
		r.scaled = m.Extension.QueryScale
	}
	if o.TrainLength > 0 {
		r.TrainLength, r.TrainLengthFrom = o.TrainLength, hint.TrainLength
	}
	if s := o.Scale; s.Kind != "" && s.Factor*float64(r.TrainLength) > maxLength {
		return nil, hint.Errorf("%w: "+hint.Scale+" %s: %v times the trained length %d (%s) is over %d positions", ErrOptions, s, s.Factor, r.TrainLength, r.TrainLengthFrom, maxLength)
	}
	if err := r.extends(m); err != nil {
		return nil, err
	}
	if err := m.Beyond(known...); err != nil {
		return nil, hint.Errorf(hint.To+" %s: %w; "+hint.To+" %s copies it", r.To, err, AsIs)
	}
	j := job{m: m, src: src, enc: enc}
	if j.from, err = sourceOf(m, src); err != nil {
		return nil, err
	}
	if m.Rope.Type == "" {
		r.From = m.Encoding()
	}
	rule := find(j.from, enc.Name)
	if rule.kind == Refused {
		return nil, hint.Errorf(hint.To+" %s: from %s: %w: %s", r.To, m.Encoding(), posenc.ErrUnsupported, rule.reason)
	}
	if j.from == fromRope {
		if err = byType(m, o, enc); err == nil {
			err = r.declaredSpectra(m, enc)
		}
		if err == nil && enc.Target != nil {
			err = r.ofLayers(j)
		}
	} else if o.Layers != "" {
		return nil, hint.Errorf(hint.Layers+" %s: from %s: %w; only a rotation that the rope keys declare changes by layer", o.Layers, m.Encoding(), posenc.ErrUnsupported)
	}
	if err == nil {
		err = r.scalable(m)
	}
	if err == nil && r.some != nil {
		err = r.perLayer(j)
	} else if err == nil && o.Spectra != nil {
		err = r.selected(j)
	} else if err == nil {
		err = rule.apply(r, j)
	}
	if err == nil {
		err = r.scaleQueries(m)
	}
	if err != nil {
		return nil, hint.Errorf(hint.To+" %s: %w", r.To, err)
	}
	return r, nil
}

// declared rewrites what the rope keys declare, in the rope keys.
func (r *Rewrite) declared(j job) error {
	m := j.m
	if m.Extension != nil { // a bias of 0
		m = m.Extension.Source
	}
	if err := readable(m, r.Options); err != nil {
		return err
	}
	r.judge(j.enc)
	r.rescaled()
	if m.Rope.Type == "dynamic" && r.AfterLong != nil && (r.Kind == Lossy || r.Options.Layout == Partial || r.Options.Spelling != Auto) {
		return hint.Errorf("rope type dynamic changes the frequencies with every length, which no other spelling can say: %w; "+hint.To+" nope, or "+hint.To+" rope in its own spelling, can be done", posenc.ErrUnsupported)
	}
	if err := r.write(m); err != nil || m == j.m {
		return err
	}
	r.leave(j.m)
	return nil
}

// rescaled sets the length that a scaling or Options.Extend extends to.
func (r *Rewrite) rescaled() {
	if n := r.Options.Extend; n > 0 {
		r.MaxPositions = n * r.TrainLength
		r.note("max_position_embeddings becomes %d (%d × the trained length %d)", r.MaxPositions, n, r.TrainLength)
		return
	}
	if scale := r.Options.Scale; scale.Kind != "" {
		r.MaxPositions = int(math.Round(scale.Factor * float64(r.TrainLength)))
		r.note("max_position_embeddings becomes %d (%v × the trained length %d)", r.MaxPositions, scale.Factor, r.TrainLength)
	}
}

// write spells After in the layout asked for.
func (r *Rewrite) write(m *family.Model) error {
	write := r.native
	if r.Options.Layout == Partial {
		write = r.partial
	}
	if err := write(m); err != nil {
		return fmt.Errorf("layout %s: %w", r.Options.Layout, err)
	}
	return nil
}

// declaredSpectra computes Before and After, and the pair beyond the trained
// length, from the rope keys.
func (r *Rewrite) declaredSpectra(m *family.Model, enc posenc.Encoding) error {
	r.Unscaled = m.Rope.Base()
	at := func(length int) (before, after posenc.Spectrum, err error) {
		if before, err = m.Rope.Spectrum(length); err != nil {
			return before, after, err
		}
		if enc.Target == nil { // the planes turn as they do
			return before, before.Clone(), nil
		}
		after, err = enc.Target(posenc.Source{Declared: m.Rope, Unscaled: r.Unscaled, Current: before,
			TrainedLength: r.TrainLength, Cut: r.Options.Cut, Scale: r.Options.Scale})
		return before, after, err
	}
	var err error
	if r.Before, r.After, err = at(m.TrainedLength); err != nil {
		return err
	}
	r.declares = r.Before
	changes, err := m.Rope.ByLength()
	if err != nil {
		return err
	}
	if changes {
		before, after, err := at(max(m.MaxPositions, m.TrainedLength) + 1)
		if err != nil {
			return err
		}
		if !same(before, r.Before) {
			r.BeforeLong = &before
		}
		if !same(after, r.After) {
			r.AfterLong = &after
		}
	}
	r.listDropped()
	return nil
}

// listDropped lists the planes of After that do not turn, and those that leave
// the score.
func (r *Rewrite) listDropped() {
	for p, f := range r.After.InvFreq {
		removed := r.After.Removed != nil && r.After.Removed[p]
		if f == 0 || removed {
			r.Dropped = append(r.Dropped, p)
		}
		if removed {
			r.Removed = append(r.Removed, p)
		}
	}
}

// same reports whether two spectra are equal to the last bit.
func same(a, b posenc.Spectrum) bool { return near(a, b, 0) }

// near compares two spectra with a relative tolerance; a plane that does not
// turn in one may not turn in the other.
func near(a, b posenc.Spectrum, tolerance float64) bool {
	if len(a.InvFreq) != len(b.InvFreq) || !close(a.Gain, b.Gain, tolerance) {
		return false
	}
	for p := range a.InvFreq {
		if !close(a.InvFreq[p], b.InvFreq[p], tolerance) || removed(a, p) != removed(b, p) {
			return false
		}
	}
	return true
}

// close compares two numbers with a relative tolerance; 0 is close to 0 alone.
func close(x, y, tolerance float64) bool {
	return x == y || math.Abs(x-y) <= tolerance*math.Max(math.Abs(x), math.Abs(y)) && (x == 0) == (y == 0)
}

func removed(s posenc.Spectrum, p int) bool { return s.Removed != nil && s.Removed[p] }

func (r *Rewrite) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}
