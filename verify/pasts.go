package verify

import "github.com/pecvt/pecvt/verify/run"

// syntheticPast is a past of n positions, or says why there is none.
func (s *session) syntheticPast(n int) (*run.Past, string) {
	if s.synthetic != nil && s.synthetic.Length() == n {
		return s.synthetic, ""
	}
	p, why := run.NewPast(s.model, s.info, s.opts.Seed, n)
	if p != nil {
		s.synthetic = p
	}
	return p, why
}

// pastFor is a past that a runner goes on from, or says why there is none.
func (s *session) pastFor(r run.Runner, n int) (*run.Past, string) {
	if n > 0 && !run.TakesPast(r) {
		return nil, noPast(r)
	}
	return s.syntheticPast(n)
}

func noPast(r run.Runner) string { return r.Name() + " takes no past that it did not compute" }
