package retrofit

import (
	"math"
	"math/rand/v2"
	"sort"
)

// some are keys that stand for all of a sequence: each is there with a probability π that
// is its own, and counts as 1/π of them. Σ exp(score)/π is then an estimate of Σ exp(score),
// and the gradient of a step one of the whole gradient, at the cost of the keys that are
// there. nil is all keys.
type some[F Float] struct {
	places []int // in order
	logs   []F   // −log π
}

const (
	// keysOf is how many of the keys that are drawn a step has on average, nearest how
	// many before each query are always there, while the rate is whole; earliest how many
	// of the first, which take what attention is to be left over.
	keysOf, nearest, earliest = 384, 2, 4
	// nearestMost bounds those before each query.
	nearestMost = 32
)

// chanceOf is the chance of a key of n where the rate is factor of its most, 1 where few
// would be left out. What the draw leaves to chance weighs most at the end, when the rate
// is small and steps no longer make good what others did.
func chanceOf(n int, factor float64) float64 {
	if p := keysOf / factor / float64(n); p < .75 {
		return p
	}
	return 1
}

// nearestOf is how many keys before each query are there for sure.
func nearestOf(factor float64) int { return int(min(nearest/factor, nearestMost)) }

// drawn is about how many of n keys are there for so many rows in the mean of a fit, of
// whose rows half have a uniform logarithm and stand close together.
func drawn(n, rows int) float64 {
	const steps = 64
	var sum float64
	for i := range steps {
		f := rateAt(warmUp+i*8, warmUp+steps*8)
		p := chanceOf(n, f)
		sum += float64(n)*p + (1-p)*min(float64(n), float64(rows*nearestOf(f)))
	}
	return sum / steps
}

// drawSome draws keys for queries at sorted rows, each with a chance but for the near
// ones; nil for all.
func drawSome[F Float](rng *rand.Rand, rows []int, chance float64, near int) *some[F] {
	if chance == 1 {
		return nil
	}
	last := rows[len(rows)-1] + 1
	s := &some[F]{}
	log, next := F(-math.Log(chance)), 0
	for j := range last {
		for next < len(rows) && rows[next] < j {
			next++
		}
		drawn := rng.Float64() < chance
		switch {
		case j < earliest || rows[next]-j < near:
			s.places, s.logs = append(s.places, j), append(s.logs, 0)
		case drawn:
			s.places, s.logs = append(s.places, j), append(s.logs, log)
		}
	}
	return s
}

// upTo counts the keys at positions up to pos.
func (s *some[F]) upTo(pos int) int {
	if s == nil {
		return max(0, pos+1)
	}
	return sort.SearchInts(s.places, pos+1)
}

// place is where key i stands.
func (s *some[F]) place(i int) int {
	if s == nil {
		return i
	}
	return s.places[i]
}

// weigh adds what the keys from first on count for to two rows of scores.
func (s *some[F]) weigh(x, y []F, first int) {
	if s == nil {
		return
	}
	for j, v := range s.logs[first : first+len(x)] {
		x[j] += v
		y[j] += v
	}
}

// pick gathers the keys at places.
func (p *Pair[F]) pick(keys *heads[F], places []int) *heads[F] {
	width := keys.count * p.source.HeadDim
	v := &p.picked
	v.n, v.count = len(places), keys.count
	v.turned = room(&v.turned, len(places)*width)
	gather(v.turned, keys.turned, places, width)
	if v.away = nil; keys.away != nil {
		far := &heads[F]{n: v.n, count: v.count, turned: make([]F, len(v.turned))}
		gather(far.turned, keys.away.turned, places, width)
		v.away = far
	}
	return v
}
