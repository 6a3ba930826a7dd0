//go:build unix

package ref

import (
	"runtime"
	"syscall"
)

// cpuSeconds is the processors' time of this process, user's and system's.
func cpuSeconds() float64 {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return float64(r.Utime.Sec+r.Stime.Sec) + float64(r.Utime.Usec+r.Stime.Usec)/1e6
}

// peakMiB is the largest resident size of this process so far.
func peakMiB() float64 {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	if runtime.GOOS == "darwin" {
		return float64(r.Maxrss) / (1 << 20) // bytes there
	}
	return float64(r.Maxrss) / (1 << 10)
}
