// Package garbage says when the garbage collector runs. It imports next to nothing, so
// that it is initialised before the libraries of buckets and pipelines, whose tables,
// some 5 MB, would have it run before the program begins: a sixth of the processor time
// of a verb that does little.
//
// GOGC in the environment decides in its place.
package garbage

import (
	"os"
	"runtime"
	"runtime/debug"
	"sync"
)

// usual is Go's own setting: the collector runs when as much lies about as is in use, from
// 4 MiB on; at the start it does from 16 MiB on.
const (
	usual   = 100
	atStart = 4 * usual
	frugal  = usual / 2
)

var (
	mu sync.Mutex
	// starting is until the first run of the collector, or the first choice.
	starting = os.Getenv("GOGC") == ""
)

func init() {
	if !starting {
		return
	}
	debug.SetGCPercent(atStart)
	runtime.AddCleanup(&first{}, func(struct{}) { choose(usual, true) }, struct{}{})
}

// first is garbage from the start: that it was collected tells of the collector's first
// run. A pointer in it keeps it apart from other small things.
type first struct{ _ *first }

// choose sets a percentage, of the start's end only where nothing else was chosen.
func choose(percent int, endsStart bool) {
	mu.Lock()
	defer mu.Unlock()
	if endsStart && !starting {
		return
	}
	starting = false
	debug.SetGCPercent(percent)
}

// Frugal has the collector run when half as much lies about as is in use until back is
// called. What reads headers alone holds tables of all tensors, 50 MB of a checkpoint of a
// hundred thousand, which this halves the rest of for a twentieth of the time.
func Frugal() (back func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	choose(frugal, false)
	return func() { choose(usual, false) }
}
