package retrofit

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// farShare is the share of the steps that go to sequences longer than the source was
// trained at, farCount how many such there are.
const farShare, farCount = 1.0 / 3, 2

// joined are sequences longer than any that the source walked through: all of them one
// behind the other, in an order drawn for each, without the first tokens of all but the
// first. (First tokens take attention that belongs nowhere; a text has one.) What a layer
// reads of a token is what the source made of it in its own sequence.
type joined struct {
	// rows are drawn from the positions from on, before length.
	from, length int
}

// joined says what of the sequences is joined, nil for nothing.
func (o CalibrateOptions) joined(sequences [][]int64) *joined {
	if o.Extend <= 1 {
		return nil
	}
	n := 1 - len(sequences)
	for _, s := range sequences {
		n += len(s)
	}
	return &joined{from: min(longestOf(sequences), o.Trained), length: min(n, o.Extend*o.Trained)}
}

// Enough refuses sequences that are not as long together as Extend asks for.
func (o CalibrateOptions) Enough(sequences [][]int64) error {
	if far := o.joined(sequences); far != nil && far.length < o.Extend*o.Trained {
		return fmt.Errorf("the text is too short: the calibration's sequences have %d tokens together, and %d times the trained length %d is to be fitted", far.length, o.Extend, o.Trained)
	}
	return nil
}

// join joins the inputs of a layer, (…, hidden) each, in an order drawn from rng.
func join(h [][]float32, hidden, length int, rng *rand.Rand) []float32 {
	out := make([]float32, 0, length*hidden)
	for i, o := range rng.Perm(len(h)) {
		part := h[o]
		if i > 0 {
			part = part[hidden:]
		}
		out = append(out, part[:min(len(part), length*hidden-len(out))]...)
	}
	return out
}

// draw returns n sorted query positions that are not held out, below an end whose
// logarithm is uniform: the keys of a short step cost less, and every length is met.
func (j *joined) draw(rng *rand.Rand, n int) []int {
	end := j.from + heldOutOf + int(float64(j.from)*(math.Exp(rng.Float64()*math.Log(float64(j.length)/float64(j.from)))-1))
	return j.between(rng, n, min(end, j.length), false)
}

// between draws n sorted positions from j.from on, before end, held out or not.
func (j *joined) between(rng *rand.Rand, n, end int, held bool) []int {
	rows := make([]int, 0, n)
	for len(rows) < n {
		if t := j.from + rng.IntN(end-j.from); isHeldOut(t) == held {
			rows = append(rows, t)
		}
	}
	slices.Sort(rows)
	return rows
}
