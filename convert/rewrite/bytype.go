package rewrite

import (
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
)

// writeByType spells the parameters of layers of full attention in a configuration
// whose rope_parameters is keyed by the types of layers, and what the others have
// beside it: transformers 5 takes each type's base from there. Where the older
// spelling is there too (rope_scaling, which is that of full attention alone, and
// rope_theta) it says the same: transformers 5.24 merges rope_scaling into the
// dictionary of full attention.
func writeByType(c *family.Object, m *family.Model, p posenc.RopeParams) error {
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
	both.Set(family.FullLayers, ropeDict(first(full, older), p, false))
	sliding, err := both.Object(family.SlidingLayers)
	if err != nil {
		return err
	}
	for _, a := range m.Attentions() {
		if a.Rope != nil && sliding == nil {
			both.Set(family.SlidingLayers, ropeDict(empty(), *a.Rope, false))
			break
		}
	}
	c.Set("rope_parameters", both)
	if older != nil && p.Type != "default" {
		c.Set("rope_scaling", scalingDict(ropeDict(first(older), p, false), c))
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
