package eval

import "testing"

// SetLockstepBytes has models run one after the other from so many bytes on.
func SetLockstepBytes(t *testing.T, n int64) {
	old := lockstepBytes
	t.Cleanup(func() { lockstepBytes = old })
	lockstepBytes = n
}

// InPlace tells whether the model runs in a graph that writes its cache in place.
func (m *Model) InPlace() bool { return m.run != nil && m.Runner != RunnerRef && !m.run.scores() }
