package retrofit

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

const (
	// shortestString and longestString bound the strings of [Repeat].
	shortestString, longestString = 8, 64
	// placeAttempts bounds the search for room in a sequence that is nearly full.
	placeAttempts = 1000
)

// ParseShare reads a share of tokens for [Repeat]: "25%".
func ParseShare(s string) (float64, error) {
	number, percent := strings.CutSuffix(s, "%")
	x, err := strconv.ParseFloat(number, 64)
	if err != nil || !percent || !(x >= 0 && x <= 50) {
		return 0, fmt.Errorf("%q: expected a percentage from 0%% to 50%%", s)
	}
	return x / 100, nil
}

// Repeat returns copies of sequences in which strings of random tokens stand
// twice, so that heads that copy have something to copy: prose has little of
// it, and none far back. Of each sequence about share of the tokens, from 0 to
// 1, belong to such strings, first and second occurrences together. A string's
// tokens are drawn uniformly from the distinct ones of all sequences; its length
// from 8 to 64 and the distance of its occurrences, up to the sequence's length,
// have a uniform logarithm; occurrences do not overlap. Sequences of less than
// 32 tokens stay. The same seed gives the same strings.
func Repeat(sequences [][]int64, share float64, seed uint64) [][]int64 {
	if share == 0 {
		return sequences
	}
	alphabet := slices.Concat(sequences...)
	slices.Sort(alphabet)
	alphabet = slices.Compact(alphabet)
	out := make([][]int64, len(sequences))
	for i, ids := range sequences {
		out[i] = repeat(ids, share, alphabet, rand.New(rand.NewPCG(seed, uint64(i))))
	}
	return out
}

func repeat(ids []int64, share float64, alphabet []int64, rng *rand.Rand) []int64 {
	ids = slices.Clone(ids)
	n := len(ids)
	taken := make([]bool, n)
	free := func(from, size int) bool { return !slices.Contains(taken[from:from+size], true) }
	budget := int(share * float64(n))
	for range placeAttempts {
		most := min(longestString, n/4, budget/2)
		if most < shortestString {
			break
		}
		size := logUniform(rng, shortestString, most)
		distance := logUniform(rng, size, n-size)
		first := rng.IntN(n - size - distance + 1)
		if !free(first, size) || !free(first+distance, size) {
			continue
		}
		for i := range size {
			t := alphabet[rng.IntN(len(alphabet))]
			for _, at := range []int{first + i, first + distance + i} {
				ids[at], taken[at] = t, true
			}
		}
		budget -= 2 * size
	}
	return ids
}

// logUniform draws a whole number from low to high whose logarithm is uniform.
func logUniform(rng *rand.Rand, low, high int) int {
	x := float64(low) * math.Exp(rng.Float64()*math.Log(float64(high+1)/float64(low)))
	return min(int(x), high)
}
