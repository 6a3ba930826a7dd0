package rewrite

import (
	"errors"
	"fmt"
	"math"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
)

// scoreFactor is what loaders of the family multiply scores by, as the rope keys
// say; 0 where they read no such factor from them.
func scoreFactor(spec family.Spec, p posenc.RopeParams) float64 {
	if !spec.Rope.ScoreFactor {
		return 0
	}
	return p.ScoreFactor()
}

// scored adds to the parameters the keys that keep the source's factor of scores:
// stock loaders of latent attention read factor and mscale_all_dim with every type
// but "default". With yarn, mscale is chosen so that loaders which make the
// attention factor of the two numbers make the one that is wanted. Errors say why the
// type cannot hold the factor.
func (s speller) scored(p posenc.RopeParams) (posenc.RopeParams, error) {
	if s.score == 0 || s.score == 1 {
		return p, nil
	}
	if p.Type == "default" {
		return p, fmt.Errorf("scores are multiplied by %.6g (mscale_all_dim), which loaders do with the other types alone", s.score)
	}
	if p.Type == "longrope" && p.Factor <= 1 {
		p.Factor = s.source.Factor // which says nothing else there, beside attention_factor
	}
	if p.Factor <= 1 {
		return p, fmt.Errorf("scores are multiplied by %.6g, which takes a factor over 1 beside mscale_all_dim", s.score)
	}
	root, per := math.Sqrt(s.score), 0.1*math.Log(p.Factor)
	p.MScaleAllDim = snapped((root-1)/per, s.source.MScaleAllDim)
	if p.Type != "yarn" {
		return p, nil
	}
	if p.MScale = snapped((s.want.Gain*root-1)/per, s.source.MScale); p.MScale == 0 {
		return p, errors.New("no mscale gives the attention factor that is wanted")
	}
	return p, nil
}

// snapped is x, or what it was made to be up to rounding.
func snapped(x, to float64) float64 {
	if close(x, to, spellTolerance) {
		return to
	}
	return x
}
