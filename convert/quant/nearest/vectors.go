package nearest

import (
	"math"
	"math/bits"
)

// kernels are the inner loops of one kind of processor. Their numbers are w, n of them, a
// multiple of 32 up to [maxBlock]; what else they read and write is a work. Each gives the
// bits of the plain Go that it stands for.
type kernels struct {
	name string
	// span gives the least and the largest number and the bits of the largest size; −0
	// is less than 0.
	span func(w *float32, n int) (lo, hi float32, size uint32)
	// lower tells whether numbers lie on a grid of n steps, as onLowered; if so, it
	// writes for each what narrow reads.
	lower func(w *float32, n int, k *work) bool
	// narrow tells which of sixteen lows, k.first32 and k.step32 times 1 to 16, may leave
	// a scale of float16 free: the ends of what they leave are right within k.margin.
	narrow func(n int, k *work) uint32
	// slopes finds the scales that k.low leaves free, k.from to k.to, as solved; false
	// where it is none of the lows of code 0.
	slopes func(w *float32, n int, k *work) bool
	// multiples finds them for multiples of a scale, as onMultiples.
	multiples func(w *float32, n int, k *work) bool
	// sieve tells which of the grids of 1 to 16 steps may hold the numbers: those of
	// which, in steps and taken from k.base, all are at most k.off times their number
	// and k.margin, but no more than k.most, from a whole.
	sieve func(w *float32, n int, k *work) uint32
	// spread writes sizes and rooms of numbers, for squares, and finds the scales,
	// k.from to k.to, that those leave free whose code is the same for all scales that
	// are k.slack of theirs from 1/k.inverse; false where one of them is 0 and its
	// number is not.
	spread func(w *float32, n int, k *work) bool
	// squares sums the squares of what numbers are off for each of lanes scales,
	// k.first and k.step times at + 1 and on, as onScales, an infinity where they are
	// not on it.
	squares func(n int, k *work, at int)
	lanes   int
	// codes writes the codes of numbers.
	codes func(dst *byte, w *float32, n int, inverse, from float64, top byte)
}

// maxTries is more than the numbers of float16 in a row within half a unit in the last
// place of a number of 8 digits.
const maxTries = 32

// work is what kernels read and write. The assembly knows its fields by name.
type work struct {
	lo, inverse, slack, low float64
	limit                   float64 // the most steps
	unit                    float64 // half of a unit in the last place, of a power of two
	none                    uint64  // all bits where 0 has no room
	from, to                float64
	largest                 float64 // of the sizes
	first, step             float64 // of float16s in a row, less one step
	first32, step32         float32 // with the other sign
	margin, unit32          float32
	base, each, off, most   float32

	sums [maxTries]float64

	// Of each number the least and the largest that it may have been over its code, and
	// one over that.
	//lint:ignore U1000 kernels alone read them
	below, above, share [maxBlock]float32
	//lint:ignore U1000 kernels alone read them
	sizes, rooms [maxBlock]float64
}

// vectors finds grids by kernels.
type vectors struct {
	*kernels
	work
	lo, hi float32
}

// see looks at a block; false for one that is left to the plain finder: of a size that no
// kernel takes, or whose numbers are not those of weights.
func (v *vectors) see(w []float32, digits int) bool {
	if v == nil || v.kernels == nil || len(w)%32 != 0 || len(w) > maxBlock || len(w) == 0 {
		return false
	}
	var size uint32
	v.lo, v.hi, size = v.span(&w[0], len(w))
	v.largest = float64(math.Float32frombits(size))
	if !(v.largest > leastSeen && v.largest < mostSeen) {
		return false
	}
	v.none = 0
	if digits < 24 {
		v.none = math.MaxUint64
	}
	v.unit = math.Float64frombits(uint64(1023-digits) << 52)
	v.unit32 = float32(v.unit)
	return true
}

// Blocks whose largest number is between these are far from where float32 and float16
// end.
const leastSeen, mostSeen = 0x1p-40, 60000

// may tells which grids may hold the numbers. A number of code k on one of n steps of s
// has |x − lo − k s| ≤ h, half of a unit in its last place, and |s − d| ≤ (h' + h")/n for
// the ends' own. Margins are far above the rounding of float32.
func (v *vectors) may(w []float32, lo, hi float64, digits int, multiples bool) uint32 {
	v.margin, v.base, v.most = 1e-4, 0, 0.25+1e-4
	var room float64
	if multiples {
		room = 3 * halfUlp(float32(v.largest), digits)
	} else {
		v.base, v.most = float32(lo), 1
		last := math.Abs(hi) + 2e-6*v.largest
		room = 3*halfUlp(v.base, digits) + 4*halfUlp(float32(last), digits)
	}
	each := 1 / (hi - lo)
	v.each, v.off = float32(each), float32(room*each)
	return v.sieve(&w[0], len(w), &v.work)
}

func (v *vectors) lowered(w []float32, lo, d float64, digits, n int) (Step, bool) {
	room, inverse := halfUlp(float32(lo), digits), 1/d
	v.work.lo, v.inverse, v.slack = lo, inverse, slackOf(lo, d, room, inverse, digits, n)
	if !v.lower(&w[0], len(w), &v.work) {
		return Step{}, false
	}
	// float32 holds the ends of numbers of 11 digits exactly; of others there are few
	// lows
	rough := digits <= 11
	v.margin = float32(v.largest * 0x1p-18)
	for from, many := up(lo-room), 0; from <= lo+room; {
		var next float64
		if many, next = v.row(from, lo+room); many < 0 || many > 16 {
			return solved(w, lo, room, inverse, digits)
		}
		from = next
		may := uint32(1)<<many - 1
		if rough {
			v.first32, v.step32 = -float32(v.first), -float32(v.step)
			may &= v.narrow(len(w), &v.work)
		}
		for ; may != 0; may &= may - 1 {
			i := bits.TrailingZeros32(may)
			v.low = v.first + float64(float64(i+1)*v.step)
			if !v.slopes(&w[0], len(w), &v.work) || v.from > v.to {
				continue
			}
			if g, ok := between(v.from, v.to, 1); ok {
				g.Low = float32(v.low)
				return g, true
			}
		}
	}
	return Step{}, false
}

// row puts the numbers of float16 from from, which is one, to to in a row, v.first and
// v.step times 1 and on, as far as their steps are the same, and returns how many there
// are and which comes after them; a negative number where they are near 0.
func (v *vectors) row(from, to float64) (many int, next float64) {
	e := math.Float64bits(from) >> 52 & 0x7ff
	if e <= 1023-14 {
		return -1, 0
	}
	v.step = math.Float64frombits((e - 10) << 52)
	v.first = from - v.step
	end := math.Float64frombits(e << 52)
	if from > 0 {
		next = 2 * end
		end = next - v.step
	} else {
		end = -end
		next = end + v.step/2
	}
	return int((min(to, end)-from)/v.step) + 1, next
}

func (v *vectors) multiples(w []float32, d float64, digits, n int) (Step, bool) {
	v.inverse, v.limit = 1/math.Abs(d), float64(n)
	if !v.kernels.multiples(&w[0], len(w), &v.work) || v.from > v.to {
		return Step{}, false
	}
	return between(v.from, v.to, d)
}

func (v *vectors) scales(w []float32, d float64, digits, n int) (Step, bool) {
	size := math.Abs(d)
	room := size * v.unit // its 256th part where digits are 8
	v.inverse, v.slack = 1/size, 1.1*v.unit
	if !v.spread(&w[0], len(w), &v.work) {
		return Step{}, false
	}
	const more = 1e-9 // far above the rounding of float64
	least, most := max(size-room, v.from*(1-more)), min(size+room, v.to*(1+more))
	v.limit = float64(n)
	best, sum := 0.0, math.Inf(1)
	for from, many := up(least), 0; from > 0 && from <= most; {
		var next float64
		if many, next = v.row(from, most); many < 0 || many > maxTries {
			return onScales(w, d, digits, n)
		}
		from = next
		for at := 0; at < many; at += v.lanes {
			v.squares(len(w), &v.work, at)
			for i, s := range v.sums[at:min(at+v.lanes, many)] {
				if s < sum {
					best, sum = v.first+float64(float64(at+i+1)*v.step), s
				}
			}
		}
	}
	if best == 0 {
		return Step{}, false
	}
	return Step{Scale: float32(math.Copysign(best, d)), Exact: true}, true
}
