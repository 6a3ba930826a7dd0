package mutants

import (
	"context"
	"math"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/verify/ref"
)

// movedTokens is the length of the prompt that tells two checkpoints apart.
const movedTokens = 24

// distance is the largest difference of a logit of two checkpoints in float64, in
// parts of the largest one: what a mutant of a checkpoint changes in the model's
// function. Half of the tokens follow each other, the others stand up to the
// tables' length apart. It is 0 where the changed one cannot be read.
func distance(ctx context.Context, changed, right string, length int) (float64, error) {
	want, err := spread(ctx, right, length)
	if err != nil {
		return 0, err
	}
	got, err := spread(ctx, changed, length)
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if err != nil || len(got) != len(want) {
		return 0, nil
	}
	worst, largest := 0.0, 0.0
	for i, w := range want {
		worst, largest = max(worst, math.Abs(got[i]-w)), max(largest, math.Abs(w))
	}
	return worst / largest, nil
}

func spread(ctx context.Context, dir string, length int) ([]float64, error) {
	ckpt, err := store.Open(dir)
	if err != nil {
		return nil, err
	}
	defer ckpt.Close()
	m, err := families.Load(ckpt)
	if err != nil {
		return nil, err
	}
	if m, err = m.AtLength(length); err != nil {
		return nil, err
	}
	ids, at := make([]int64, movedTokens), make([]int64, movedTokens)
	for i := range ids {
		ids[i] = int64(i*37+11) % int64(m.Vocab)
		at[i] = int64(i)
		if half := movedTokens / 2; i >= half {
			at[i] += int64(float64(length-movedTokens) * math.Pow(float64(i-half+1)/float64(half), 3))
		}
	}
	out, err := ref.New(m, ckpt).Forward(ctx, ref.Input{IDs: [][]int64{ids}, Positions: [][]int64{at}}, ref.Options{})
	if err != nil {
		return nil, err
	}
	return out.Logits, nil
}
