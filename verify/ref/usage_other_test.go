//go:build !unix

package ref

// cpuSeconds and peakMiB are not measured here.
func cpuSeconds() float64 { return 0 }
func peakMiB() float64    { return 0 }
