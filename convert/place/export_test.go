package place

import (
	"testing"
	"time"
)

// ShortWaits makes the waits between tries short for a test.
func ShortWaits(t testing.TB) {
	old := firstWait
	firstWait = time.Millisecond
	t.Cleanup(func() { firstWait = old })
}
