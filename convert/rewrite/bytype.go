package rewrite

import (
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
)

// writeByType spells the parameters of layers of full attention (p) in a configuration
// whose rope_parameters is keyed by the types of layers, and those of sliding attention
// beside it: transformers 5 takes each type's base from there. Where the older
// spelling is there too (rope_scaling, which is that of full attention alone, and
// rope_theta) it says the same: transformers 5.24 merges rope_scaling into the
// dictionary of full attention.
func (r *Rewrite) writeByType(c *family.Object, p posenc.RopeParams, other *posenc.RopeParams) error {
	newer, err := c.Object("rope_parameters")
	if err != nil {
		return err
	}
	older, err := c.Object("rope_scaling")
	if err != nil {
		return err
	}
	both := first(newer).Clone()
	full, err := both.Object(family.FullLayers)
	if err != nil {
		return err
	}
	if full == nil && r.still {
		both.Set(family.FullLayers, nil) // a declaration would turn them
	} else {
		both.Set(family.FullLayers, ropeDict(first(full, older), p, false))
	}
	sliding, err := both.Object(family.SlidingLayers)
	if err != nil {
		return err
	}
	if other != nil && (sliding == nil || r.Sliding != nil) {
		both.Set(family.SlidingLayers, ropeDict(first(sliding), *other, false))
	}
	c.Set("rope_parameters", both)
	if older != nil && p.Type != "default" {
		c.Set("rope_scaling", scalingDict(ropeDict(first(older), p, false), c, family.Spec{}))
	} else if older != nil {
		c.Set("rope_scaling", nil)
	}
	if c.Has("rope_theta") {
		setFloat(c, "rope_theta", p.Theta)
	}
	if c.Has(original) && readsOriginal(p.Type) {
		setNumber(c, original, float64(p.TrainedLength))
	}
	return nil
}

// notedByType says which layers change, of those that turn by declarations of their
// own, and who reads what is said of sliding ones.
func (r *Rewrite) notedByType() {
	if r.Sliding == nil {
		r.note("layers of sliding attention turn as they do: they see no distance beyond their window, and what changes is in the keys of layers of full attention")
		return
	}
	if r.Options.Layers == SlidingLayers {
		r.note("layers of full attention turn as they do")
	}
	r.note("rope keys of layers of sliding attention, beyond their base, are read by transformers 5 alone")
	r.Readers, r.Loaders = nil, "transformers 5: older ones and other loaders read a base for layers of sliding attention, and no rope type"
}
