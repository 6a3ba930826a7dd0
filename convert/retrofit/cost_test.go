package retrofit

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/posenc"
)

// sampled are the sequences that come with stories260K.
func sampled(t testing.TB) [][]int64 {
	t.Helper()
	f, err := safetensors.Open("../../testdata/models/stories260K/sampled.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, _ := f.Lookup("input_ids")
	raw, err := f.Bytes("input_ids")
	if err != nil {
		t.Fatal(err)
	}
	flat := make([]int64, info.Shape[0]*info.Shape[1])
	if err := tensor.DecodeInt64(flat, raw, info.DType); err != nil {
		t.Fatal(err)
	}
	var list [][]int64
	for i := range int(info.Shape[0]) {
		list = append(list, flat[i*int(info.Shape[1]):(i+1)*int(info.Shape[1])])
	}
	return list
}

// TestWalk: the walk of these tests gives the trained model's perplexity.
func TestWalk(t *testing.T) {
	m, src := open(t, "models/stories260K")
	w, err := newTestWalk(m, src)
	if err != nil {
		t.Fatal(err)
	}
	var sum float64
	for _, ids := range sampled(t) {
		ppl, err := perplexity(w, ids, 0)
		if err != nil {
			t.Fatal(err)
		}
		sum += math.Log(ppl) / 6
	}
	if got := math.Exp(sum); math.Abs(got-13.964) > .002 {
		t.Errorf("perplexity %v, torch has 13.964", got)
	}
}

// TestDelta: s + Σ_p δ is the score with those frequencies at 0.
func TestDelta(t *testing.T) {
	for name, c := range layerCases() {
		l := NewLayer(&c.shape, c.sourceW, &c.source, c.positions)
		v := newPlaneView(l, c.h, c.rows)
		all := make([]int, c.shape.planes())
		still := Turn{Gain: c.source.Gain, QueryScale: c.source.QueryScale}
		for range c.shape.KVHeads {
			still.InvFreq = append(still.InvFreq, make([]float64, len(all)))
		}
		for p := range all {
			all[p] = p
		}
		other := newPlaneView(NewLayer(&c.shape, c.sourceW, &still, c.positions), c.h, c.rows)
		for head := range c.shape.Heads {
			for r, pos := range c.rows {
				var work, flat costScratch
				_, first := v.scores(&work, head, r)
				want, _ := other.scores(&flat, head, r)
				for j := range want {
					cos, sin := v.angles.row(head/c.shape.share(), pos-first-j)
					got := work.raw[j]
					for _, p := range all {
						got += c.shape.Scale * c.source.Gain * c.source.Gain * v.delta(head, r, first+j, p, cos[p], sin[p])
					}
					if got = c.shape.capped(got); math.Abs(got-want[j]) > 1e-12 {
						t.Fatalf("%s: head %d row %d key %d: %v, want %v", name, head, r, first+j, got, want[j])
					}
				}
			}
		}
	}
}

// TestPlaneCosts: the cost of one plane is the KL of a student that lacks it.
func TestPlaneCosts(t *testing.T) {
	for name, c := range layerCases() {
		costs := PlaneCosts(NewLayer(&c.shape, c.sourceW, &c.source, c.positions), c.h, c.rows, []int{1, 0})
		for i, p := range []int{1, 0} {
			student := Turn{Gain: c.source.Gain, Slopes: c.source.Slopes, QueryScale: c.source.QueryScale}
			for _, row := range c.source.InvFreq {
				row = slices.Clone(row)
				row[p] = 0
				student.InvFreq = append(student.InvFreq, row)
			}
			pair := NewPair(NewLayer(&c.shape, c.sourceW, &c.source, c.positions), NewLayer(&c.shape, c.sourceW, &student, c.positions))
			kl := pair.KL(c.h, pair.Sequence(c.h, c.positions), c.rows, nil)
			for g := range c.shape.KVHeads {
				n := c.shape.share() * len(c.rows)
				if want := mean(kl[g*n : (g+1)*n]); math.Abs(costs[g][i]-want) > 1e-12 || want == 0 {
					t.Errorf("%s: plane %d, head %d: cost %v, KL %v", name, p, g, costs[g][i], want)
				}
			}
		}
	}
}

// storiesCosts measures every plane of the trained model.
func storiesCosts(t testing.TB) (*Costs, []Turn, Measure) {
	t.Helper()
	m, src := open(t, "models/stories260K")
	w, err := newTestWalk(m, src)
	if err != nil {
		t.Fatal(err)
	}
	turns, err := Turns(m)
	if err != nil {
		t.Fatal(err)
	}
	planes, err := Below(turns, m.Rope.Base(), posenc.Cut{}, m.TrainedLength)
	if err != nil {
		t.Fatal(err)
	}
	text := sampled(t)
	c, err := MeasureCosts(context.Background(), m, src, w, text[:2], planes, CostOptions{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	return c, turns, measureOn(m, src, text[3][:256])
}

// TestStoriesCosts: 2π/512 is .0123, so planes .01 and .001 are candidates, and
// .01 is the model's only long-distance signal.
func TestStoriesCosts(t *testing.T) {
	c, _, _ := storiesCosts(t)
	if !slices.Equal(c.Planes, []int{2, 3}) || len(c.Cost) != 5 || len(c.Cost[0]) != 4 {
		t.Fatalf("planes %v, %d layers", c.Planes, len(c.Cost))
	}
	var sums [2]float64
	for _, groups := range c.Cost {
		for _, row := range groups {
			sums[0] += row[0]
			sums[1] += row[1]
		}
	}
	if sums[0] < 3*sums[1] || sums[1] <= 0 {
		t.Errorf("costs %v: plane 2 costs most", sums)
	}
	t.Logf("mean costs %.4f %.4f", sums[0]/20, sums[1]/20)
}
