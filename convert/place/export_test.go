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

// ShortBeats makes runs say often that they live, and others wait no longer than that.
func ShortBeats(t testing.TB) {
	oldBeat, oldSilence := beat, silence
	beat, silence = 50*time.Millisecond, 400*time.Millisecond
	t.Cleanup(func() { beat, silence = oldBeat, oldSilence })
}
