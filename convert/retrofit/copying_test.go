package retrofit

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSecondOccurrences: places behind four tokens that stood before, and what came then.
func TestSecondOccurrences(t *testing.T) {
	ids := []int64{9, 1, 2, 3, 4, 5, 7, 1, 2, 3, 4, 6, 1, 2, 3, 4, 6}
	places, behind := secondOccurrences(ids)
	if want := []int{10, 15, 16}; !cmp.Equal(places, want) {
		t.Errorf("places %v, expected %v", places, want)
	}
	if want := []int{5, 11, 12}; !cmp.Equal(behind, want) {
		t.Errorf("behind %v, expected %v", behind, want)
	}
	if places, _ := secondOccurrences(ids[:3]); len(places) != 0 {
		t.Errorf("%v in three tokens", places)
	}
	long := make([]int64, 1000) // every place but those of the first seven tokens
	for i := range long {
		long[i] = int64(i % 7)
	}
	if places, behind := secondOccurrences(long); len(places) != copiesMost || places[0] != 10 || behind[0] != 4 || places[copiesMost-1] < 950 {
		t.Errorf("%d places from %d to %d", len(places), places[0], places[len(places)-1])
	}
	// in a run what came behind is the place itself; behind the run before it stands a 1
	places, behind = secondOccurrences([]int64{5, 5, 5, 5, 5, 5, 1, 5, 5, 5, 5, 5, 5})
	if want := []int{10}; !cmp.Equal(places, want) {
		t.Errorf("places %v of two runs, expected %v", places, want)
	}
	if want := []int{6}; !cmp.Equal(behind, want) {
		t.Errorf("behind %v of two runs, expected %v", behind, want)
	}
}

// TestCopying: the figure by which layers get more steps, against attention computed score
// by score; and that sequences which repeat nothing give none.
func TestCopying(t *testing.T) {
	s := Shape{Hidden: 12, Heads: 4, KVHeads: 2, HeadDim: 8, RotaryDim: 8, Scale: 1 / math.Sqrt(8)}
	const n = 60
	rng := rand.New(rand.NewPCG(2, 9))
	turn := Turn{InvFreq: spectrum(&s, 100, 99), Gain: 1}
	float32s := func(x []float64) []float32 {
		out := make([]float32, len(x))
		for i, v := range x {
			out[i] = float32(v)
		}
		return out
	}
	w := &Weights[float32]{Q: float32s(uniform(rng, 32*12, .8)), K: float32s(uniform(rng, 16*12, .8))}
	layer := NewLayer(&s, w, &turn, n)
	f := &fit{job: &job{}, shape: &s, pair: NewPair(layer, NewLayer(&s, w.Clone(), &turn, n))}
	var sums [4]float64
	count := 0
	for range 2 {
		ids := make([]int64, n)
		for i := range ids {
			ids[i] = rng.Int64N(1000)
		}
		copy(ids[35:], ids[5:25])
		f.sequences = append(f.sequences, ids)
		h := float32s(uniform(rng, n*12, 1.5))
		f.add(h)
		var q, k heads[float32]
		all := make([]int, n)
		for i := range all {
			all[i] = i
		}
		layer.queries(&q, h, all)
		layer.keys(&k, h, n)
		for p := 38; p < 55; p++ { // the last token of each four that stood before
			count++
			for head := range 4 {
				var sum, at float64
				for j := range p + 1 {
					var score float64
					for c := range 8 {
						score += s.Scale * float64(q.at(head, p, 8)[c]) * float64(k.at(head/2, j, 8)[c])
					}
					sum += math.Exp(score)
					if j == p-30+1 {
						at = math.Exp(score)
					}
				}
				sums[head] += at / sum
			}
		}
	}
	var want float64
	for _, v := range sums {
		want = max(want, v/float64(count))
	}
	if got := f.copying(); math.Abs(got-want) > 1e-6 {
		t.Errorf("%v, score by score %v", got, want)
	}
	for _, ids := range f.sequences {
		for i := range ids {
			ids[i] = int64(i)
		}
	}
	if got := f.copying(); got != 0 {
		t.Errorf("%v where nothing is repeated", got)
	}
}
