package nearest

import "math"

// float16s end at maxHalf; below leastHalf they are leastStep apart.
const (
	maxHalf   = 65504
	leastHalf = 0x1p-14
	leastStep = 0x1p-24
)

// down is the largest number of float16 up to x, up the least from x on; past the type's
// range an infinity.
func down(x float64) float64 { return -up(-x) }

// spare are the bits of a float64's fraction that float16 lacks.
const spare = 1<<42 - 1

func up(x float64) float64 {
	if x >= leastHalf && x <= maxHalf { // most are
		return math.Float64frombits((math.Float64bits(x) + spare) &^ spare)
	}
	return upOf(x)
}

func upOf(x float64) float64 {
	if a := math.Abs(x); a < leastHalf {
		return math.Ceil(x/leastStep) * leastStep
	} else if a > maxHalf && x > -maxHalf-1 {
		return math.Inf(1)
	}
	bits := math.Float64bits(x)
	if x > 0 && bits&spare != 0 {
		bits += spare
	}
	if y := math.Float64frombits(bits &^ spare); math.Abs(y) <= maxHalf {
		return y
	}
	return math.Copysign(math.Inf(1), x)
}

// closest is the number of float16 next to x.
func closest(x float64) float64 {
	if x >= leastHalf && x <= maxHalf { // of two as near the upper
		return math.Float64frombits((math.Float64bits(x) + (spare+1)/2) &^ spare)
	}
	a, b := down(x), up(x)
	if x-a < b-x {
		return a
	}
	return b
}

// halfUlp is half of the distance between numbers of so many binary digits around x.
func halfUlp(x float32, digits int) float64 {
	e := math.Float32bits(x) >> 23 & 0xff
	if e == 0 && digits < 24 && x == 0 {
		return 0
	}
	return math.Float64frombits(uint64(int(max(e, 1))-127-digits+1023) << 52)
}

// Half is the number of float16 next to x; past the type's range an infinity.
func Half(x float64) float32 { return float32(closest(x)) }

// Float16 gives the bits of a number of float16.
func Float16(x float32) uint16 {
	bits := math.Float32bits(x)
	sign := uint16(bits >> 16 & 0x8000)
	a := math.Abs(float64(x))
	if a < leastHalf {
		return sign | uint16(a/leastStep)
	}
	return sign | uint16((bits&0x7fffffff)>>13-(127-15)<<10)
}
