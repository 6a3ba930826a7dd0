package family

// SideExperts is a mixture beside a block's FeedForward F, whose router and experts
// read the stream by themselves: with h the stream that MLPNorm reads, what the block
// adds (before MLPOutNorm) is
//
//	FeedNorm(F(MLPNorm(h))) + OutNorm(Experts(InNorm(h)))
//
// and the router reads h.
type SideExperts struct {
	FeedNorm, InNorm, OutNorm Norm
	Experts                   *Experts
}

func (x *SideExperts) parts() []Part {
	var l rawParts
	l.norm(AtFeedNorm, &x.FeedNorm)
	l.norm(AtExpertsNorm, &x.InNorm)
	l = append(l, x.Experts.Parts()...)
	l.norm(AtExpertsOut, &x.OutNorm)
	return l
}

func (x *SideExperts) copied() *SideExperts {
	if x == nil {
		return nil
	}
	c := *x
	c.Experts = x.Experts.Copy().(*Experts)
	return &c
}

// sideExperts makes the mixture beside the layer's MLP.
func (b *builder) sideExperts() *SideExperts {
	norm := func(template string) Norm { return *b.norm(b.spec.Norm, template, b.hidden) }
	return &SideExperts{FeedNorm: norm(b.n.FeedNorm), InNorm: norm(b.n.ExpertsNorm), OutNorm: norm(b.n.ExpertsOut), Experts: b.experts(b.spec.Experts)}
}
