package rewrite

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
)

// extends refuses an extension of what goes beyond its trained length already, and of
// more positions than loaders count.
func (r *Rewrite) extends(m *family.Model) error {
	n := r.Options.Extend
	switch {
	case n == 0:
		return nil
	case n*r.TrainLength > maxLength:
		return hint.Errorf("%w: "+hint.Extend+" %d: so many times the trained length %d (%s) is over %d positions", ErrOptions, n, r.TrainLength, r.TrainLengthFrom, maxLength)
	case r.Options.TrainLength == 0 && m.MaxPositions > r.TrainLength:
		return hint.Errorf(hint.Extend+" %d: the source has %d positions, of which %d (%s) were trained before a scaling: %w; say with "+hint.TrainLength+" where it stops, or take the checkpoint before that scaling",
			n, m.MaxPositions, r.TrainLength, r.TrainLengthFrom, posenc.ErrUnsupported)
	}
	return nil
}

// lengthened is the model with the result's max_position_embeddings in its
// configuration, for results that keep its other keys.
func (r *Rewrite) lengthened(m *family.Model) (*family.Model, error) {
	if r.MaxPositions == m.MaxPositions {
		return m, nil
	}
	if m.Wrapper != nil {
		return nil, fmt.Errorf("with another length inside of %s: %w", m.Wrapper.ModelType, posenc.ErrUnsupported)
	}
	spec, err := families.Find(m.ModelType)
	if err != nil {
		return nil, err
	}
	out, config := *m, *m.Config
	config.Object = config.Object.Clone()
	setNumber(config.Object, spec.LengthKey(config.Object), float64(r.MaxPositions))
	out.Config = &config
	return &out, nil
}
