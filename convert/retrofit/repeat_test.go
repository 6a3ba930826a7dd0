package retrofit

import (
	"reflect"
	"slices"
	"testing"
)

// prose is n tokens of 10000, no two neighbours of them twice.
func prose(n, from int) []int64 {
	ids := make([]int64, n)
	for i := range ids {
		ids[i] = int64((from + i) % 10000)
	}
	return ids
}

// TestRepeat: about the share asked for is strings that stand twice, near and
// far, and nothing else changes.
func TestRepeat(t *testing.T) {
	sequences := [][]int64{prose(4096, 0), prose(4096, 4000), prose(512, 900), prose(31, 77)}
	before := [][]int64{slices.Clone(sequences[0]), slices.Clone(sequences[1]), slices.Clone(sequences[2]), slices.Clone(sequences[3])}
	for _, share := range []float64{.125, .25, .5} {
		out := Repeat(sequences, share, 7)
		if !reflect.DeepEqual(sequences, before) {
			t.Fatal("the sequences given were changed")
		}
		if !reflect.DeepEqual(out, Repeat(sequences, share, 7)) {
			t.Error("the same seed, other strings")
		}
		if reflect.DeepEqual(out, Repeat(sequences, share, 8)) {
			t.Error("another seed, the same strings")
		}
		if !slices.Equal(out[3], sequences[3]) {
			t.Error("a sequence of 31 tokens was changed")
		}
		near, far := 0, 0
		for i, ids := range out[:2] {
			changed := 0
			for at, id := range ids {
				if id != sequences[i][at] {
					changed++
				}
			}
			got := float64(changed) / float64(len(ids))
			if got > share || got < share-.02 {
				t.Errorf("share %v: %v of the tokens are others", share, got)
			}
			twice, pairs := pairsOfStrings(ids, sequences[i])
			if float64(twice) < .97*float64(pairs) {
				t.Errorf("share %v: of %d places inside strings %d stand once", share, pairs, pairs-twice)
			}
			n, f := distances(ids, sequences[i])
			near, far = near+n, far+f
		}
		if near == 0 || far == 0 {
			t.Errorf("share %v: %d strings come again within a 16th of the sequence, %d after its half", share, near, far)
		}
	}
	if out := Repeat(sequences, 0, 7); !reflect.DeepEqual(out, sequences) {
		t.Error("a share of 0 changes tokens")
	}
}

// grams maps the places of four new tokens in a row to their text.
func grams(ids, old []int64) map[[4]int64][]int {
	found := map[[4]int64][]int{}
	for at := range len(ids) - 3 {
		if g := [4]int64(ids[at : at+4]); g[0] != old[at] && g[1] != old[at+1] && g[2] != old[at+2] && g[3] != old[at+3] {
			found[g] = append(found[g], at)
		}
	}
	return found
}

func pairsOfStrings(ids, old []int64) (twice, all int) {
	for _, at := range grams(ids, old) {
		all += len(at)
		if len(at) == 2 {
			twice += 2
		}
	}
	return twice, all
}

func distances(ids, old []int64) (near, far int) {
	for _, at := range grams(ids, old) {
		if len(at) == 2 && at[1]-at[0] < len(ids)/16 {
			near++
		}
		if len(at) == 2 && at[1]-at[0] > len(ids)/2 {
			far++
		}
	}
	return near, far
}

func TestParseShare(t *testing.T) {
	for text, want := range map[string]float64{"25%": .25, "0%": 0, "50%": .5, "12.5%": .125} {
		if got, err := ParseShare(text); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "25", "51%", "-1%", "NaN%", "%", "x%"} {
		if got, err := ParseShare(text); err == nil {
			t.Errorf("%q: %v and no error", text, got)
		}
	}
}
