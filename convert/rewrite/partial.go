package rewrite

import (
	"fmt"
	"math"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/loaders"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
)

// partial brings the coordinates of the planes that turn to the front of every
// head, first halves then second halves, and declares only them rotary:
//
//	r' = 2k,  base' = base^(2k/r)
//
// for k kept planes of a rotary dimension r, so that base'^(−2i/r') are the
// kept planes' plain frequencies where those are the first ones.
func (r *Rewrite) partial(m *family.Model) error {
	const native = hint.Layout + " native can"
	kept := r.kept()
	planes := len(r.Unscaled)
	switch {
	case len(r.Removed) > 0:
		return fmt.Errorf("planes that leave the score are %w by a partial rotary dimension; %s", posenc.ErrUnsupported, native)
	case len(kept) == 0:
		return fmt.Errorf("no plane turns, and a rotary dimension of 0 is %w by loaders; %s", posenc.ErrUnsupported, native)
	case len(kept) < planes && (r.After.Gain != 1 || r.AfterLong != nil && r.AfterLong.Gain != 1):
		return fmt.Errorf("the attention factor %v also multiplies the planes that do not turn, which a partial rotary dimension leaves out: %w; %s", r.After.Gain, posenc.ErrUnsupported, native)
	}
	spec, err := families.Find(m.ModelType)
	if err != nil {
		return err
	}
	if spec.Backwards {
		return fmt.Errorf("planes of family %s turn the other way, in an order of coordinates of their own, which a partial rotary dimension is %w in; %s", spec.Name, posenc.ErrUnsupported, native)
	}
	target := spec
	if spec.PartialLayout != "" {
		if target, err = families.Find(spec.PartialLayout); err != nil {
			return err
		}
	}
	p, s, err := r.partialSpelling(m, spec, target, kept)
	if err != nil {
		return fmt.Errorf("%w; %s", err, native)
	}
	r.Spelling, r.Family = p.Type, target.Name
	r.judged(loaders.FormOf(p, r.Family), false)
	r.Config, r.ConfigChanged = m.Config.Object.Clone(), true
	pairing := rotary(m).Pairing
	if spec.PartialLayout != "" {
		pairing = posenc.Halves
	}
	order := keptFirst(rotary(m), kept, pairing)
	if spec.PartialLayout != "" {
		err = r.fuse(m, target, order, p)
	} else {
		r.notePartial(len(kept) < planes)
		err = r.permute(m, order)
	}
	if err != nil {
		return err
	}
	if err := writeRope(r.Config, target, m.Rope, p, true); err != nil {
		return err
	}
	setNumber(r.Config, target.LengthKey(r.Config), float64(r.MaxPositions))
	r.noteLongrope(p)
	return readBack(r.Config, m.Config.Path, r.MaxPositions, said{want: s.want, long: s.long, score: s.score})
}

// rotary is the rotation that all rotating layers share.
func rotary(m *family.Model) posenc.Rotary {
	for _, a := range m.Attentions() {
		if a.Rotary.Dim > 0 {
			return a.Rotary
		}
	}
	return m.FirstAttn().Rotary
}

// notePartial says where stock loaders stop.
func (r *Rewrite) notePartial(cut bool) {
	if cut {
		r.note("stock transformers does not read partial_rotary_factor for family %s: it stops with a shape error (checked with 5.24); vLLM reads it since get_rope takes rope_parameters, older ones compute something else without a word; "+hint.Layout+" native runs in all of them", r.Family)
	}
}

// kept lists the planes that turn.
func (r *Rewrite) kept() []int {
	var list []int
	next := 0
	for p := range r.Unscaled {
		if next < len(r.Dropped) && r.Dropped[next] == p {
			next++
			continue
		}
		list = append(list, p)
	}
	return list
}

// partialSpelling finds the parameters that say the kept planes alone.
func (r *Rewrite) partialSpelling(m *family.Model, spec, target family.Spec, kept []int) (posenc.RopeParams, speller, error) {
	k, d := len(kept), m.Rope.HeadDim
	p := posenc.RopeParams{Type: "default", HeadDim: d, Theta: math.Pow(m.Rope.Theta, float64(k)/float64(len(r.Unscaled)))}
	if k == len(r.Unscaled) {
		p.Theta = m.Rope.Theta
	}
	x, ok := share(2*k, d, func(x float64) int { return int(float64(d) * x) })
	if !ok {
		return p, speller{}, fmt.Errorf("no partial_rotary_factor survives rounding to %d of %d coordinates: %w", 2*k, d, posenc.ErrUnsupported)
	}
	p.SetShare(x)
	s := speller{family: target.Name, source: p, scale: r.Options.Scale, allowed: target.RopeTypes, why: takes(target), want: only(r.After, kept),
		trainLength: r.TrainLength, maxPositions: r.MaxPositions, original: r.unit(m, target)}
	if spec.PartialLayout == "" && 2*k < d {
		// Any other type would be computed over the whole head, without a
		// word, by a loader that does not read the partial factor.
		if s.allowed != nil && !contains(s.allowed, "linear") {
			return p, s, fmt.Errorf("only linear makes a loader that does not read partial_rotary_factor stop, and %s: %w", s.why, posenc.ErrUnsupported)
		}
		s.allowed, s.why = []string{"linear"}, "only linear makes a loader that does not read partial_rotary_factor stop"
	}
	if r.AfterLong != nil {
		if len(r.AfterLong.InvFreq) != len(r.After.InvFreq) || !sameStill(*r.AfterLong, r.After) {
			return p, s, fmt.Errorf("planes turn at some lengths only: %w", posenc.ErrUnsupported)
		}
		long := only(*r.AfterLong, kept)
		s.long, s.trainLength = &long, m.TrainedLength
	}
	found, err := s.solve(r.Options.Spelling)
	return found, s, err
}

func sameStill(a, b posenc.Spectrum) bool {
	for p := range a.InvFreq {
		if (a.InvFreq[p] == 0) != (b.InvFreq[p] == 0) {
			return false
		}
	}
	return true
}

// only is the spectrum of some planes.
func only(s posenc.Spectrum, planes []int) posenc.Spectrum {
	out := posenc.Spectrum{Gain: s.Gain}
	for _, p := range planes {
		out.InvFreq = append(out.InvFreq, s.InvFreq[p])
	}
	return out
}

// keptFirst is the new order of a head's coordinates, paired as the result pairs
// them: those of the kept planes, then those of the other planes (in halves, first
// halves before second ones), then what never was rotary.
func keptFirst(rot posenc.Rotary, kept []int, pairing posenc.Pairing) []source {
	in := map[int]bool{}
	for _, p := range kept {
		in[p] = true
	}
	var rest []int
	for p := range rot.Planes() {
		if !in[p] {
			rest = append(rest, p)
		}
	}
	order := make([]source, 0, rot.HeadDim)
	for _, group := range [][]int{kept, rest} {
		if pairing == posenc.Interleaved {
			for _, p := range group {
				first, second := rot.Coordinates(p)
				order = append(order, source{row: first}, source{row: second})
			}
			continue
		}
		for half := range 2 {
			for _, p := range group {
				first, second := rot.Coordinates(p)
				order = append(order, source{row: [2]int{first, second}[half]})
			}
		}
	}
	for j := rot.Dim; j < rot.HeadDim; j++ {
		order = append(order, source{row: j})
	}
	return order
}

// permute reorders every head of Q and K under the family's own names.
func (r *Rewrite) permute(m *family.Model, order []source) error {
	if identity(order) {
		return nil
	}
	e := edits{}
	for _, a := range m.Attentions() {
		if a.Rotary.Dim == 0 {
			continue // a layer without rotation keeps its order
		}
		for _, l := range []family.Linear{a.Q, a.K} {
			e.perHead(l.Weight, order)
			if l.Bias != nil {
				e.perHead(*l.Bias, order)
			}
		}
		for _, n := range []*family.Norm{a.QNorm, a.KNorm} {
			if n == nil || n.Weight.Tensor == "" {
				continue
			}
			e.perHead(n.Weight, order)
			if n.Bias != nil {
				e.perHead(*n.Bias, order)
			}
		}
	}
	r.Edits = e.list()
	return nil
}

func identity(order []source) bool {
	for j, s := range order {
		if s.row != j || s.zero {
			return false
		}
	}
	return true
}
