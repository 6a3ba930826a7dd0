package verify

import "github.com/pecvt/pecvt/verify/run"

// failure is a failed check of a graph's answers, as it can be made again.
type failure struct {
	check  string
	runner run.Tapper
	ask    run.Question
	limit  float64
}

// failedWith notes a failed check for the bisection.
func (s *session) failedWith(name string, r run.Runner, ask run.Question, limit float64) {
	if t, ok := run.AsTapper(r); ok {
		s.failures = append(s.failures, failure{name, t, ask, limit})
	}
}
