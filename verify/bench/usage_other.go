//go:build !unix

package bench

import "os"

// processorTime and peakOf are not known here.
func processorTime() float64 { return 0 }

func peakOf(*os.ProcessState) int64 { return 0 }
