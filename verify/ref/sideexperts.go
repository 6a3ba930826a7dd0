package ref

import (
	"context"

	"github.com/pecvt/pecvt/convert/family"
)

// beside normalises y, what a feed-forward made, and adds what a mixture beside it makes
// of the stream x.
func (p *pass[T]) beside(ctx context.Context, m *family.SideExperts, at func(place string) string, x, y []T) error {
	if err := p.placedNorm(at(family.AtFeedNorm), &m.FeedNorm, y, y); err != nil {
		return err
	}
	own := make([]T, len(x))
	if err := p.placedNorm(at(family.AtExpertsNorm), &m.InNorm, x, own); err != nil {
		return err
	}
	if err := p.experts(ctx, m.Experts, at, own, x, own); err != nil {
		return err
	}
	if err := p.placedNorm(at(family.AtExpertsOut), &m.OutNorm, own, own); err != nil {
		return err
	}
	add(y, own)
	return nil
}
