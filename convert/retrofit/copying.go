package retrofit

const (
	// copiedBy is how many tokens before a place make it a second occurrence, copiesMost
	// and copiesLeast how many such places of a sequence are looked at, and of all
	// sequences are needed to judge a layer by.
	copiedBy, copiesMost, copiesLeast = 4, 64, 16
	// copiesFrom is the attention at them from which on a layer copies, copyingSteps how
	// many times the steps of others it then has.
	copiesFrom, copyingSteps = .2, 2
)

// secondOccurrences lists places of ids whose last copiedBy tokens stood before, in order,
// spread over the sequence, and for each the place behind the last time that they did. In a
// run of equal tokens that is the place itself, and says nothing of copying: it is left out.
func secondOccurrences(ids []int64) (places, behind []int) {
	last := map[[copiedBy]int64]int{}
	for t := copiedBy - 1; t < len(ids); t++ {
		key := [copiedBy]int64(ids[t+1-copiedBy : t+1])
		if s, found := last[key]; found && s+1 < t {
			places, behind = append(places, t), append(behind, s+1)
		}
		last[key] = t
	}
	if n := len(places); n > copiesMost {
		for i := range copiesMost {
			places[i], behind[i] = places[i*n/copiesMost], behind[i*n/copiesMost]
		}
		places, behind = places[:copiesMost], behind[:copiesMost]
	}
	return places, behind
}

// copying is how much the source's attention copies: of the head that has most, its mean
// at second occurrences of what stands before a query to what came behind the first. It is
// 0 where the sequences have too few of them.
func (f *fit) copying() float64 {
	sums, count := make([]float64, f.shape.Heads), 0
	for s, ids := range f.sequences {
		rows, behind := secondOccurrences(ids)
		if len(rows) == 0 {
			continue
		}
		at := make([]float32, f.shape.Heads*len(rows))
		f.pair.watch = func(head, row, first int, a []float32) {
			if i := behind[row] - first; i >= 0 { // not before a window
				at[head*len(rows)+row] = a[i]
			}
		}
		f.pair.KL(f.h[s], f.keys[s], rows, nil)
		f.pair.watch = nil
		for i, v := range at {
			sums[i/len(rows)] += float64(v)
		}
		count += len(rows)
	}
	if count < copiesLeast {
		return 0
	}
	most := 0.0
	for _, v := range sums {
		most = max(most, v/float64(count))
	}
	return most
}
