package main

import (
	"os"
	"runtime/debug"
)

// frugal has the garbage collector run when half as much lies about as is in use, in
// place of as much, until the returned function is called. What reads headers alone
// holds tables of all tensors, 50 MB of a checkpoint of a hundred thousand, which this
// halves the rest of for a twentieth of the time. GOGC in the environment decides
// instead.
func frugal() (back func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	before := debug.SetGCPercent(50)
	return func() { debug.SetGCPercent(before) }
}
