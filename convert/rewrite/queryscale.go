package rewrite

import (
	"fmt"
	"slices"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/loaders"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
)

// unit is what original_max_position_embeddings has to be in the rope keys of a result
// whose family reads the factor of queries there, 0 where it may be anything.
func (r *Rewrite) unit(m *family.Model, spec family.Spec) int {
	if !contains(spec.Rope.Beside(), original) {
		return 0
	}
	switch {
	case r.Options.QueryScale != 0:
		return r.TrainLength
	case r.scaled != nil:
		return int(r.scaled.Length)
	}
	for _, a := range m.Attentions() {
		if a.QueryScale != nil {
			return int(a.QueryScale.Length)
		}
	}
	return 0
}

// scaleQueries says the factor of queries in the result: the one that is asked for, or
// that of the source's block, which no rewrite takes away. A family with keys for it has
// it in these, others in a block around what the result's configuration is.
func (r *Rewrite) scaleQueries(m *family.Model) error {
	q := r.scaled
	if beta := r.Options.QueryScale; beta != 0 {
		if err := m.Scaling(); err != nil {
			return hint.Errorf(hint.QueryScale+" %v: %w", beta, err)
		}
		q = &family.QueryScale{Beta: beta, Length: float64(r.TrainLength)}
		r.QueryScale = q
		r.Reason += fmt.Sprintf("; queries of layers that see every token before are multiplied by %v", q)
		if r.Kind = Lossy; r.Untrained == "" {
			r.Untrained = needsTraining
		}
	}
	if q != nil && (r.ConfigChanged || r.QueryScale != nil) {
		spec, err := families.Find(m.ModelType)
		if err != nil {
			return err
		}
		if r.Spelling != family.BlockKey && spec.Rope.QueryScale != "" {
			err = scaleKeys(r.Config, spec.Rope, *q)
		} else {
			err = r.scaleBlock(m, *q)
		}
		if err != nil {
			return err
		}
		r.ConfigChanged = true
	}
	if !r.ConfigChanged || q == nil && !slices.Contains(m.Features(), family.ScaledQueries) {
		return nil
	}
	return r.readScale(m)
}

// scaleKeys writes the factor in the family's own keys, beside those of the rotation.
func scaleKeys(c *family.Object, keys family.RopeDefaults, q family.QueryScale) error {
	for _, name := range []string{"rope_parameters", "rope_scaling"} {
		d, err := c.Object(name)
		if err != nil {
			return err
		}
		if d == nil {
			continue
		}
		setFloat(d, keys.QueryScale, q.Beta)
		setNumber(d, original, q.Length)
		c.Set(name, d)
	}
	if c.Has(original) {
		setNumber(c, original, q.Length)
	}
	return nil
}

// scalable refuses what leaves no place for the factor that is asked for, before a
// spelling is looked for.
func (r *Rewrite) scalable(m *family.Model) error {
	spec, err := families.Find(m.ModelType)
	if err != nil || r.Options.QueryScale == 0 || spec.Rope.QueryScale != "" {
		return err
	}
	return r.besideBlock(m)
}

// besideBlock refuses a layout or a spelling that is asked for beside a block.
func (r *Rewrite) besideBlock(m *family.Model) error {
	if r.Options.Layout != Partial && r.Options.Spelling == Auto {
		return nil
	}
	return hint.Errorf("queries scaled by position in layout %s, spelling %s: %w: no keys of family %s say the factor, so that the block %q does, which pecvt alone reads; leave layout and spelling",
		r.Options.Layout, r.Options.Spelling, posenc.ErrUnsupported, m.Family, family.BlockKey)
}

// scaleBlock writes the factor in the block, which is made where the result has none.
func (r *Rewrite) scaleBlock(m *family.Model, q family.QueryScale) error {
	if r.Spelling == family.BlockKey {
		block, err := r.Config.Object(family.BlockKey)
		if err != nil {
			return err
		}
		block.Set(family.QueryScaleKey, q.Block())
		r.Config.Set(family.BlockKey, block)
		return nil
	}
	if err := r.besideBlock(m); err != nil {
		return err
	}
	r.note("no stock key says the factor of queries: it stands in the block %q of config.json, beside the rope keys (type %s)", family.BlockKey, r.Spelling)
	r.Config = family.Extension{QueryScale: &q}.Config(m.Whole(r.Config))
	r.Spelling = family.BlockKey
	r.Readers, r.Loaders = loaders.Judge(loaders.Own, r.Family), blockLoaders
	return nil
}

// readScale reads the new configuration back: queries of every layer have the factor that
// is new, or the one that they had.
func (r *Rewrite) readScale(m *family.Model) error {
	c := r.Config
	if r.Spelling != family.BlockKey {
		c = m.Whole(c)
	}
	got, err := parsed(c, m.Config.Path)
	if err != nil {
		return err
	}
	for i, a := range m.Attentions() {
		want, has := a.QueryScale, got.Blocks[i].Attn().QueryScale
		if r.QueryScale != nil && a.Scalable() {
			want = r.QueryScale
		}
		switch {
		case (want == nil) == (has == nil) && (want == nil || *want == *has):
		case want == nil && r.QueryScale != nil:
			return fmt.Errorf("layer %d does not turn, or has a window, and loaders of family %s scale queries of all layers: %w", i, m.Family, posenc.ErrUnsupported)
		default:
			return fmt.Errorf("internal error: the new configuration of %s scales queries of layer %d by %v: %v is wanted", m.Config.Path, i, has, want)
		}
	}
	return nil
}
