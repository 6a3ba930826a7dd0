package retrofit

import (
	"math"
	"math/rand/v2"
	"slices"
)

// heldOut rows are those with t mod heldOutOf == heldOutAt: no step ever draws
// one.
const heldOutOf, heldOutAt = 8, 5

func isHeldOut(t int) bool { return t%heldOutOf == heldOutAt }

// Sequences cuts a text into training sequences of mixed lengths: of about
// tokens in all, half go to sequences of length, a quarter each to those of a
// quarter and a sixteenth of it, so that short contexts are as many different
// ones. They follow each other in the text, which it never reads past.
func Sequences(ids []int64, length, tokens int) [][]int64 {
	var list [][]int64
	at := 0
	for _, part := range []struct{ length, tokens int }{{length, tokens / 2}, {length / 4, tokens / 4}, {length / 16, tokens / 4}} {
		if part.length < 8 {
			continue
		}
		for range max(1, (part.tokens+part.length/2)/part.length) {
			if at+part.length > len(ids) {
				break
			}
			list = append(list, ids[at:at+part.length])
			at += part.length
		}
	}
	return list
}

// schedule lists the sequence of each step: lengths in turn, the longest as
// often as all others together, and within a length every sequence as often.
func schedule(sequences [][]int64, steps int, rng *rand.Rand) []int {
	var classes [][]int // of equal length, longest first
	order := make([]int, len(sequences))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return len(sequences[b]) - len(sequences[a]) })
	for _, i := range order {
		if n := len(classes); n > 0 && len(sequences[classes[n-1][0]]) == len(sequences[i]) {
			classes[n-1] = append(classes[n-1], i)
			continue
		}
		classes = append(classes, []int{i})
	}
	next := make([]int, len(classes))
	list := make([]int, steps)
	for s := range list {
		class := 0
		if len(classes) > 1 && s%2 == 1 {
			class = 1 + s/2%(len(classes)-1)
		}
		members := classes[class]
		if next[class]%len(members) == 0 {
			rng.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
		}
		list[s] = members[next[class]%len(members)]
		next[class]++
	}
	return list
}

// drawRows draws n sorted query positions below length, half uniformly, half
// with uniform logarithm; of the held-out ones or of the others.
func drawRows(rng *rand.Rand, n, length int, held bool) []int {
	rows := make([]int, 0, n)
	for len(rows) < n {
		var t int
		if len(rows)%2 == 0 {
			t = rng.IntN(length)
		} else {
			t = min(int(math.Exp(rng.Float64()*math.Log(float64(length)))), length-1)
		}
		if held {
			t = t - t%heldOutOf + heldOutAt
		}
		if t < length && isHeldOut(t) == held {
			rows = append(rows, t)
		}
	}
	slices.Sort(rows)
	return rows
}
