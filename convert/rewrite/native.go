package rewrite

import (
	"fmt"
	"strings"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/loaders"
	"github.com/pecvt/pecvt/posenc"
)

// native spells the new spectrum in config.json and leaves the weights, but
// for planes that leave the score: their query rows become zero.
func (r *Rewrite) native(m *family.Model) error {
	spec, err := families.Find(m.ModelType)
	if err != nil {
		return err
	}
	source := m.Rope
	alone := r.Sliding != nil && r.Options.Layers == SlidingLayers
	if alone {
		source = r.Sliding.Declared
	}
	s := speller{family: r.Family, source: source, scale: r.Options.Scale, allowed: spec.RopeTypes, why: takes(spec),
		want: stilled(r.After), score: scoreFactor(spec, source), trainLength: r.TrainLength, maxPositions: r.MaxPositions}
	s.original = r.unit(m, spec)
	if r.AfterLong != nil {
		long := stilled(*r.AfterLong)
		s.long, s.trainLength = &long, m.TrainedLength
	}
	s.unchanged = same(s.want, r.declares) && r.MaxPositions == m.MaxPositions && sameOrNil(s.long, r.BeforeLong)
	found, err := s.solve(r.Options.Spelling)
	if err != nil {
		return err
	}
	r.Spelling = found.Type
	kept := s.unchanged && found.Type == source.Type
	full, sliding, wants := found, m.SlidingRope(), []said{{want: s.want, long: s.long, score: s.score}}
	switch {
	case alone:
		full, sliding, wants[0].of = m.Rope, &found, family.SlidingLayers
	case r.Sliding != nil:
		t := s
		t.source, t.want, t.long, t.trainLength = r.Sliding.Declared, r.Sliding.After, nil, r.TrainLength
		t.score = scoreFactor(spec, t.source)
		t.unchanged = same(r.Sliding.After, r.Sliding.Before) && r.MaxPositions == m.MaxPositions
		other, err := t.solve(r.Options.Spelling)
		if err != nil {
			return fmt.Errorf("layers of sliding attention: %w", err)
		}
		sliding, kept = &other, kept && t.unchanged && other.Type == t.source.Type
		wants = append(wants, said{of: family.SlidingLayers, want: t.want, score: t.score})
	}
	r.judged(loaders.FormOf(found, r.Family), kept && m.NewKeysAlone())
	r.Config, r.still = m.Config.Object.Clone(), m.FullStill()
	if !kept {
		write := func() error { return writeRope(r.Config, spec, m.Rope, found, false) }
		if spec.Rope.Sliding != nil {
			write = func() error { return r.writeByType(r.Config, full, sliding) }
			r.notedByType()
		}
		if err := write(); err != nil {
			return err
		}
		setNumber(r.Config, spec.LengthKey(r.Config), float64(r.MaxPositions))
		r.ConfigChanged = true
		r.noteSpelling(found)
		r.noteLongrope(found)
		r.noteYarn(found)
		if err := readBack(m.Whole(r.Config), m.Config.Path, r.MaxPositions, wants...); err != nil {
			return err
		}
	}
	if len(r.Removed) > 0 {
		if r.Edits, err = zeroQueries(m, r.Removed); err != nil {
			return err
		}
		r.note("the query coordinates of the removed planes become zero, so that any loader computes the ablation")
	}
	return nil
}

// takes says which rope types a family's loaders take.
func takes(spec family.Spec) string {
	return fmt.Sprintf("family %s takes only the rope types %s", spec.Name, strings.Join(spec.RopeTypes, " and "))
}

func (r *Rewrite) noteSpelling(p posenc.RopeParams) {
	if keyless := p.Plain() && p.Type != "default" || p.Type == "proportional"; keyless && r.TrainLength != r.MaxPositions {
		r.note("rope type %s has no key for the trained length: pecvt.json keeps it (%d)", p.Type, r.TrainLength)
	}
}

// stilled is the spectrum as a configuration can say it: planes whose rows
// become zero are written as planes that do not turn.
func stilled(s posenc.Spectrum) posenc.Spectrum {
	c := s.Clone()
	for p := range c.InvFreq {
		if removed(s, p) {
			c.InvFreq[p] = 0
		}
	}
	c.Removed = nil
	return c
}

func sameOrNil(a, b *posenc.Spectrum) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return same(*a, *b)
}
