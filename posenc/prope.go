package posenc

// PRoPEShare is the share of planes that p-RoPE keeps: the p for which its paper
// reports the best perplexity (arXiv 2410.06205).
const PRoPEShare = 0.75

// PRoPE drops the slowest planes of a source's spectrum (arXiv 2410.06205): of
// n planes the ⌊share · n⌋ with the largest unscaled inverse frequencies keep
// what the source gives them, radians per position, the others become position
// independent. The attention factor stays.
//
// A source whose planes fall and span the head becomes what rope type
// "proportional" with partial_rotary_factor = share declares.
func PRoPE(share float64, s Source) Spectrum {
	planes := len(s.Unscaled)
	out := s.Current.Clone()
	for p, slow := range slowest(s.Unscaled, planes-ProportionalPlanes(share, 2*planes)) {
		if slow {
			out.InvFreq[p] = 0
		}
	}
	return out
}

func pRoPETarget(s Source) (Spectrum, error) { return PRoPE(PRoPEShare, s), nil }
