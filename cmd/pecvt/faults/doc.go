// Package faults holds the tests that kill the program at drawn moments, fail its
// system calls, fill its disk and stop it, and hold it to what docs/reliability.md
// promises. `make faults` runs all of it; without PECVT_FAULTS a few trials are made.
package faults
