package retrofit

import (
	"math"
	"math/rand/v2"
	"slices"
)

// heldOut rows are those with t mod heldOutOf == heldOutAt: no step ever draws
// one.
const heldOutOf, heldOutAt = 8, 5

// heldOutRows is how many of them a sequence is tested on at most.
const heldOutRows = 48

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

// class is sequences of one length and the share of all steps that they get.
type class struct {
	members []int
	share   float64
}

// classes sorts sequences by length, longest first. The longest have half of
// the steps, the other lengths the rest in equal parts.
func classes(sequences [][]int64) []class {
	order := make([]int, len(sequences))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return len(sequences[b]) - len(sequences[a]) })
	var list []class
	for _, i := range order {
		if n := len(list); n > 0 && len(sequences[list[n-1].members[0]]) == len(sequences[i]) {
			list[n-1].members = append(list[n-1].members, i)
			continue
		}
		list = append(list, class{members: []int{i}})
	}
	for n := range list {
		list[n].share = .5 / float64(len(list)-1)
	}
	list[0].share = .5
	if len(list) == 1 {
		list[0].share = 1
	}
	return list
}

// schedule lists the sequence of each step, within a class every one as often.
func schedule(sequences [][]int64, steps int, rng *rand.Rand) []int {
	all := classes(sequences)
	next := make([]int, len(all))
	list := make([]int, steps)
	for s := range list {
		n := 0
		if len(all) > 1 && s%2 == 1 {
			n = 1 + s/2%(len(all)-1)
		}
		members := all[n].members
		if next[n]%len(members) == 0 {
			rng.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
		}
		list[s] = members[next[n]%len(members)]
		next[n]++
	}
	return list
}

// heldOut is a sequence's held-out rows and its share in the mean of its class.
type heldOut struct {
	sequence, class int
	rows            []int
	share           float64
}

// drawHeldOut draws the rows of the test, of each class up to 4 sequences.
func drawHeldOut(sequences [][]int64, rng *rand.Rand) []heldOut {
	const most = 4
	var list []heldOut
	for n, c := range classes(sequences) {
		members := c.members[:min(most, len(c.members))]
		for _, s := range members {
			length := len(sequences[s])
			list = append(list, heldOut{s, n, drawRows(rng, min(heldOutRows, max(2, length/heldOutOf)), length/heldOutOf*heldOutOf, true), 1 / float64(len(members))})
		}
	}
	return list
}

// weigh gives each class's loss a weight ∝ KL^−balance, KL what the class has
// before any step, so that Σ share·weight = 1. A class whose KL is nearly 0
// counts as one of a thousandth of the largest.
func weigh(all []class, kl []float64, balance float64) []float64 {
	var top, sum float64
	for _, v := range kl {
		top = max(top, v)
	}
	out := make([]float64, len(all))
	for n, c := range all {
		out[n] = 1
		if top > 0 {
			out[n] = math.Pow(max(kl[n], top/1000)/top, -balance)
		}
		sum += c.share * out[n]
	}
	for n := range out {
		out[n] /= sum
	}
	return out
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
