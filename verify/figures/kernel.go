package figures

import (
	"cmp"
	"math"
)

// kernel is what KERPLE multiplies r1 by: n^r2 (power), or log(1 + r2 n).
type kernel struct {
	power bool
	r2    float64
}

// compare is an order, so that sums over kernels have one.
func (k kernel) compare(other kernel) int {
	if k.power != other.power {
		if k.power {
			return 1
		}
		return -1
	}
	return cmp.Compare(k.r2, other.r2)
}

// exactKernel is how many distances are summed one by one. A longer row of them begins
// so far out (rows are of 5% of their distance) that the integral is their sum to 1e-6.
const exactKernel = 32

// mean is the kernel's mean over the distances from … to.
func (k kernel) mean(from, to int) float64 {
	n := float64(to - from + 1)
	if n <= exactKernel {
		sum := 0.0
		for d := from; d <= to; d++ {
			sum += k.at(float64(d))
		}
		return sum / n
	}
	return (k.integral(float64(to)+0.5) - k.integral(float64(from)-0.5)) / n
}

func (k kernel) at(n float64) float64 {
	if k.power {
		return math.Pow(n, k.r2)
	}
	return math.Log1p(k.r2 * n)
}

// integral is the kernel's from 0 to n.
func (k kernel) integral(n float64) float64 {
	if k.power {
		return math.Pow(n, k.r2+1) / (k.r2 + 1)
	}
	x := k.r2 * n
	return ((1+x)*math.Log1p(x) - x) / k.r2
}
