package verify

import (
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// prefill: the whole prompt in one call, no past.
func (s *session) prefill(in run.Input, w want) error {
	return s.all(report.CheckPrefill, w, run.Prefill(s.ctx, in))
}

// chunked: the prompt through the cache in uneven pieces, the first of one token
// and the next of two.
func (s *session) chunked(in run.Input, w want) error {
	_, n := in.Batch()
	ends := cuts(n, 1, 3, n/3, n/2+1, n-5)
	if len(ends) < 2 {
		s.lack(report.CheckChunkedPrefill, "a prompt of one token cannot be divided")
		return nil
	}
	return s.everyone(report.CheckChunkedPrefill, w, func(r run.Runner) (*report.Logits, error) { return run.InChunks(s.ctx, r, in, ends) })
}

// decode: the first tokens one at a time from an empty past, then all but the
// last in one call, and those one at a time again.
func (s *session) decode(in run.Input, w want) error {
	_, n := in.Batch()
	at := []int{1, 2}
	for i := max(n-8, 1); i < n; i++ {
		at = append(at, i)
	}
	if n == 1 {
		s.lack(report.CheckDecode, "a prompt of one token leaves none to decode")
		return nil
	}
	return s.everyone(report.CheckDecode, w, func(r run.Runner) (*report.Logits, error) { return run.InChunks(s.ctx, r, in, cuts(n, at...)) })
}

// cuts returns the distinct piece ends inside (0, n), and n.
func cuts(n int, at ...int) []int {
	var ends []int
	for _, i := range append(at, n) {
		if i > 0 && i <= n && (len(ends) == 0 || i > ends[len(ends)-1]) {
			ends = append(ends, i)
		}
	}
	return ends
}
