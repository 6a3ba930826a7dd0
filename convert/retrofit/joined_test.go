package retrofit

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestJoin: all sequences in an order of their own, without first tokens but one, cut.
func TestJoin(t *testing.T) {
	h := [][]float32{{1, 1, 2, 2, 3, 3}, {4, 4, 5, 5}, {6, 6, 7, 7, 8, 8, 9, 9}}
	for seed := range uint64(20) {
		got := join(h, 2, 6, rand.New(rand.NewPCG(seed, 0)))
		order := rand.New(rand.NewPCG(seed, 0)).Perm(3)
		var want []float32
		for i, o := range order {
			if i == 0 {
				want = append(want, h[o][:2]...)
			}
			want = append(want, h[o][2:]...)
		}
		if !slices.Equal(got, want[:12]) {
			t.Fatalf("seed %d, order %v: %v, want %v", seed, order, got, want[:12])
		}
	}
}

// TestJoinedRows: rows are beyond what the source was trained at, below the end, none
// that is held out among those of a step, and every octave is met about as often.
func TestJoinedRows(t *testing.T) {
	far := &joined{from: 64, length: 512}
	rng := rand.New(rand.NewPCG(1, 2))
	octaves := map[int]int{}
	const draws = 2000
	for range draws {
		rows := far.draw(rng, 9)
		if !slices.IsSorted(rows) || rows[0] < far.from || rows[8] >= far.length || slices.ContainsFunc(rows, isHeldOut) {
			t.Fatalf("%v", rows)
		}
		octaves[int(math.Log2(float64(rows[8])))]++
	}
	for octave := 6; octave < 9; octave++ {
		if n := octaves[octave]; n < draws/4 || n > draws/2 {
			t.Errorf("the last row lies in octave %d %d times of %d", octave, n, draws)
		}
	}
	if rows := far.between(rng, 20, far.length, true); slices.ContainsFunc(rows, func(r int) bool { return !isHeldOut(r) || r < far.from }) {
		t.Errorf("held out: %v", rows)
	}
}

// TestCalibrateExtend: with Extend attention KL on held-out rows beyond the trained
// length falls, and is the first of what is reported; a text that is too short for it is
// refused.
func TestCalibrateExtend(t *testing.T) {
	for _, extend := range []int{0, 3} {
		c, err := calibrateStories(t, t.Context(), "models/stories260K", func(o *CalibrateOptions, _ *Walk) {
			o.Steps, o.Extend, o.Trained = 24, extend, 512
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range c.Layers {
			first := l.ByLength[0]
			if want := max(1, extend) * 512; first.Length != want || len(l.ByLength) != 3+min(extend, 1) {
				t.Errorf("layer %d: %+v, want %d first", l.Layer, l.ByLength, want)
			}
			t.Logf("layer %d: %.4f → %.4f at %d", l.Layer, first.Before, first.After, first.Length)
			if extend > 0 && first.After > .9*first.Before {
				t.Errorf("layer %d: KL %v before and %v after at %d positions", l.Layer, first.Before, first.After, first.Length)
			}
		}
	}
	_, err := calibrateStories(t, t.Context(), "models/stories260K", func(o *CalibrateOptions, _ *Walk) { o.Extend, o.Trained = 16, 512 })
	if err == nil || !strings.Contains(err.Error(), "16 times the trained length 512") {
		t.Errorf("too little text: %v", err)
	}
}

// TestExtendedTogether: steps of all lengths together, and joined sequences among them.
func TestExtendedTogether(t *testing.T) {
	c, err := calibrateStories(t, t.Context(), "models/stories260K", func(o *CalibrateOptions, _ *Walk) {
		o.Steps, o.Extend, o.Trained, o.Together, o.Balance = 12, 2, 512, true, .5
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range c.Layers {
		if far := l.ByLength[0]; !l.Kept || far.Length != 1024 || !(far.After < far.Before) {
			t.Errorf("%+v", l)
		}
	}
}
