package nearest

import (
	"fmt"
	"math"
	"math/bits"
)

// Step is the grid of one block: code q means (q − Zero)·Scale + Low.
type Step struct {
	Scale, Low float32 // numbers of float16
	Zero       int
	// Exact: the numbers that were fitted lie on the grid, each to half of a unit in
	// its last place.
	Exact bool
}

// Number is what a code means, exactly.
func (g Step) Number(code int) float64 {
	return float64(float64(code-g.Zero)*float64(g.Scale)) + float64(g.Low)
}

// Code is the code of 0 to top whose number is nearest to x.
func (g Step) Code(x float32, top int) int {
	if g.Scale == 0 {
		return g.Zero
	}
	q := math.RoundToEven((float64(x)-float64(g.Low))/float64(g.Scale)) + float64(g.Zero)
	return int(min(max(q, 0), float64(top)))
}

// Fit finds the grid of a block of finite numbers. They are stored with so many binary
// digits (24 of float32, 11 of float16, 8 of bfloat16): what lies within their last
// place of a grid was on it.
func (s Scheme) Fit(w []float32, digits int) (Step, error) {
	lo, hi := w[0], w[0]
	for _, x := range w[1:] {
		lo, hi = min(lo, x), max(hi, x)
	}
	return s.fit(plain{}, w, lo, hi, digits)
}

// fit is Fit of numbers from lo to hi.
func (s Scheme) fit(f finder, w []float32, lo, hi float32, digits int) (Step, error) {
	var g Step
	switch s.Zeros {
	case ZeroFloat:
		g = s.lowered(f, w, float64(lo), float64(hi), digits)
	case ZeroCode:
		g = s.shifted(f, w, float64(lo), float64(hi), digits)
	default:
		g = s.centred(f, w, float64(lo), float64(hi), digits)
	}
	if math.IsInf(float64(g.Scale), 0) || math.IsInf(float64(g.Low), 0) || g.Scale != g.Scale {
		return g, fmt.Errorf("a block of numbers from %v to %v: a scale is a number of float16, which ends at %d", lo, hi, maxHalf)
	}
	return g, nil
}

// finder looks for a block's grid. The plain one is [plain]; others find the same, faster.
type finder interface {
	// may tells on which grids of 1 to 16 steps, a bit each, numbers may lie: from lo to
	// hi, which [finder.lowered] looks for, or of multiples, as [finder.multiples] does.
	may(w []float32, lo, hi float64, digits int, multiples bool) uint32
	lowered(w []float32, lo, d float64, digits, n int) (Step, bool)
	multiples(w []float32, d float64, digits, n int) (Step, bool)
	scales(w []float32, d float64, digits, n int) (Step, bool)
}

// plain asks one number after the other.
type plain struct{}

func (plain) may([]float32, float64, float64, int, bool) uint32 { return 1<<16 - 1 }
func (plain) lowered(w []float32, lo, d float64, digits, n int) (Step, bool) {
	return onLowered(w, lo, d, digits, n)
}
func (plain) multiples(w []float32, d float64, digits, n int) (Step, bool) {
	return onMultiples(w, d, digits, n)
}
func (plain) scales(w []float32, d float64, digits, n int) (Step, bool) {
	return onScales(w, d, digits, n)
}

// below is the next number of steps under n that is tried, 0 after the last: of those that
// may be with 4 bits, of all from last on with 8.
func (s Scheme) below(n int, may uint32, last int) int {
	if s.Bits == 4 {
		return bits.Len32(may & (1<<(n-1) - 1))
	}
	if n--; n < last {
		return 0
	}
	return n
}

// lowered is a grid from the least number to the largest.
func (s Scheme) lowered(f finder, w []float32, lo, hi float64, digits int) Step {
	if lo < hi { // most are on the grid of all codes or on none
		if g, ok := f.lowered(w, lo, (hi-lo)/float64(s.Top()), digits, s.Top()); ok {
			return g
		}
	}
	if lo < hi && s.Bits == 4 {
		may := f.may(w, lo, hi, digits, false)
		for n := s.below(s.Top(), may, 0); n > 0; n = s.below(n, may, 0) {
			if g, ok := f.lowered(w, lo, (hi-lo)/float64(n), digits, n); ok {
				return g
			}
		}
	}
	low := down(lo)
	return Step{Low: float32(low), Scale: float32(up((hi - low) / float64(s.Top())))}
}

// shifted is a grid that has 0 and both ends.
func (s Scheme) shifted(f finder, w []float32, lo, hi float64, digits int) Step {
	lo, hi = min(lo, 0), max(hi, 0)
	may := uint32(0)
	if s.Bits == 4 && lo < hi {
		may = f.may(w, lo, hi, digits, true)
	}
	for n := s.below(s.Top()+1, may, s.Top()); n > 0 && lo < hi; n = s.below(n, may, s.Top()) {
		if g, ok := f.multiples(w, (hi-lo)/float64(n), digits, n); ok {
			if g.Zero = int(math.RoundToEven(-lo / float64(g.Scale))); g.Zero <= s.Top() {
				return g
			}
		}
	}
	scale := up((hi - lo) / float64(s.Top()))
	g := Step{Scale: float32(scale)}
	if scale > 0 {
		g.Zero = int(math.RoundToEven(-lo / scale))
	}
	return g
}

// centred is a grid of multiples of the scale, which is negative where the largest number
// is that of the least code.
func (s Scheme) centred(f finder, w []float32, lo, hi float64, digits int) Step {
	middle := s.Middle()
	largest, other := lo, hi
	if hi > -lo {
		largest, other = hi, lo
	}
	may := uint32(0)
	if s.Bits == 4 && largest != 0 {
		may = f.may(w, 0, math.Abs(largest), digits, true)
	}
	for n := s.below(middle+1, may, middle-1); n > 0 && largest != 0; n = s.below(n, may, middle-1) {
		sign := -1.0
		if n < middle {
			sign = math.Copysign(1, largest)
		}
		var g Step
		var ok bool
		if d := sign * largest / float64(n); s.Bits == 8 && digits < 11 {
			g, ok = f.scales(w, d, digits, middle)
		} else {
			g, ok = f.multiples(w, d, digits, middle)
		}
		if ok && (n < middle || math.Abs(other) <= (float64(middle)-0.5)*math.Abs(float64(g.Scale))) {
			g.Zero = middle
			return g
		}
	}
	half := float64(middle) - 0.5
	g := Step{Zero: middle, Scale: float32(up(math.Abs(largest) / half))}
	// the least code reaches farther than the largest
	if scale := up(math.Abs(largest) / float64(middle)); math.Abs(other) <= half*scale {
		g.Scale = float32(math.Copysign(scale, -largest))
	}
	return g
}

// maxBlock bounds a block's columns.
const maxBlock = 128

// onLowered tells whether numbers lie on a grid of n steps of about d from lo on.
func onLowered(w []float32, lo, d float64, digits, n int) (Step, bool) {
	room, inverse := halfUlp(float32(lo), digits), 1/d
	slack := slackOf(lo, d, room, inverse, digits, n)
	for _, x := range w {
		t := (float64(x) - lo) * inverse
		if t -= float64(int(t + 0.5)); t > slack || -t > slack {
			return Step{}, false
		}
	}
	return solved(w, lo, room, inverse, digits)
}

// slackOf is how far from a grid of n steps, in steps, numbers may lie that are tried.
// Products are rounded before they are added, here as everywhere in this package, so that
// codes are the same on all processors.
func slackOf(lo, d, room, inverse float64, digits, n int) float64 {
	return (float64(3*room) + float64(4*halfUlp(float32(lo+float64(d*float64(n))), digits))) * inverse
}

// solved finds the float16s of such a grid: all lows near lo, the scales that each
// leaves free.
func solved(w []float32, lo, room, inverse float64, digits int) (Step, bool) {
	var codes, rooms [maxBlock]float64
	for j, x := range w {
		codes[j], rooms[j] = float64(int(float64((float64(x)-lo)*inverse)+0.5)), halfUlp(x, digits)
	}
	for low, tries := up(lo-room), 0; low <= lo+room && tries < 64; low, tries = up(math.Nextafter(low, math.Inf(1))), tries+1 {
		from, to := 0.0, math.Inf(1)
		for j, x := range w {
			q, h := codes[j], rooms[j]
			if q == 0 {
				if math.Abs(low-float64(x)) > h {
					from = math.Inf(1)
					break
				}
				continue
			}
			from, to = max(from, (float64(x)-h-low)/q), min(to, (float64(x)+h-low)/q)
			if from > to {
				break
			}
		}
		if from > to || math.IsInf(from, 0) || math.IsInf(to, 0) {
			continue
		}
		if g, ok := between(from, to, 1); ok {
			g.Low = float32(low)
			return g, true
		}
	}
	return Step{}, false
}

// onMultiples tells whether numbers are multiples of about d, of at most n steps.
func onMultiples(w []float32, d float64, digits, n int) (Step, bool) {
	from, to := 0.0, math.Inf(1)
	inverse := 1 / math.Abs(d)
	for _, x := range w {
		size := math.Abs(float64(x))
		k := float64(int(float64(size*inverse) + 0.5))
		if k == 0 {
			if x != 0 {
				return Step{}, false
			}
			continue
		}
		h := halfUlp(x, digits)
		if off := float64(size*inverse) - k; off > 0.25 || -off > 0.25 || k > float64(n) {
			return Step{}, false
		}
		from, to = max(from, (size-h)/k), min(to, (size+h)/k)
		if from > to {
			return Step{}, false
		}
	}
	return between(from, to, d)
}

// between is the grid of a scale from from to to, with the sign of d.
func between(from, to, d float64) (Step, bool) {
	if math.IsInf(to, 0) {
		return Step{}, false
	}
	scale := closest((from + to) / 2)
	if scale < from || scale > to || scale == 0 {
		return Step{}, false
	}
	return Step{Scale: float32(math.Copysign(scale, d)), Exact: true}, true
}

// onScales is onMultiples for numbers that are stored with hardly more digits than the
// codes have: the largest then lies up to a half of a step off its code, so that each of
// the float16s that the scale can be is tried.
func onScales(w []float32, d float64, digits, n int) (Step, bool) {
	size := math.Abs(d)
	room := math.Ldexp(size, -digits)
	best, least := Step{}, math.Inf(1)
	for scale := up(size - room); scale > 0 && scale <= size+room; scale = up(math.Nextafter(scale, math.Inf(1))) {
		inverse, sum := 1/scale, 0.0
		for _, x := range w {
			a := math.Abs(float64(x))
			k := float64(int(float64(a*inverse) + 0.5))
			off := math.Abs(a - float64(k*scale))
			if off > halfUlp(x, digits) || k > float64(n) {
				sum = math.Inf(1)
				break
			}
			sum += float64(off * off)
		}
		if sum < least {
			best, least = Step{Scale: float32(math.Copysign(scale, d)), Exact: true}, sum
		}
	}
	return best, !math.IsInf(least, 1)
}
