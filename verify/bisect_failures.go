package verify

import "github.com/pecvt/pecvt/verify/report"

// failure is a failed check of a graph's answers, as it can be made again.
type failure struct {
	check  string
	runner *graphRunner
	run    func(Runner) (*report.Logits, error)
	limit  float64
}

// failedWith notes a failed check for the bisection.
func (s *session) failedWith(name string, r Runner, run func(Runner) (*report.Logits, error), limit float64) {
	if g, ok := r.(*graphRunner); ok {
		s.failures = append(s.failures, failure{name, g, run, limit})
	}
}
