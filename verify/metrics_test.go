package verify

import (
	"encoding/json"
	"math"
	"testing"
)

func logits(s, v int, data ...float64) *Logits { return &Logits{B: 1, S: s, V: v, Data: data} }

func TestCompareValues(t *testing.T) {
	want := logits(2, 3, 1, 2, 4, 0, -8, 2)
	got := logits(2, 3, 1, 2.5, 4, 0, -8, 1)
	m, err := Compare(got, want, nil)
	if err != nil {
		t.Fatal(err)
	}
	near := func(name string, got, want float64) {
		if math.Abs(got-want) > 1e-12*math.Abs(want)+1e-15 {
			t.Errorf("%s = %v, want %v", name, got, want)
		}
	}
	near("max abs", m.MaxAbs, 1)
	near("max rel", m.MaxRel, 1.0/8)
	near("nmse", m.NMSE, 1.25/89)
	near("cosine", m.Cosine, (1+5+16+64+2)/math.Sqrt(89*(1+6.25+16+64+1)))
	near("top-1", m.Top1, 1)
	if m.WorstRow != 0 || m.WorstPosition != 1 || m.Positions != 2 {
		t.Errorf("worst at row %d, position %d of %d", m.WorstRow, m.WorstPosition, m.Positions)
	}
	// KL by its definition over explicit probabilities
	kl := 0.0
	for s := range 2 {
		p, q := softmax(want.At(0, s)), softmax(got.At(0, s))
		for i := range p {
			kl += p[i] * math.Log(p[i]/q[i])
		}
	}
	near("kl", m.KL, kl/2)
}

func softmax(x []float64) []float64 {
	sum := 0.0
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = math.Exp(v)
		sum += out[i]
	}
	for i := range out {
		out[i] /= sum
	}
	return out
}

// TestCompareSeesWhatIsNotFinite: a NaN anywhere is infinitely far, and a
// check with an infinite distance fails.
func TestCompareSeesWhatIsNotFinite(t *testing.T) {
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		m, err := Compare(logits(1, 2, bad, 1), logits(1, 2, 0, 1), nil)
		if err != nil {
			t.Fatal(err)
		}
		if !math.IsInf(m.MaxRel, 1) || m.MaxRel <= limit("float32") {
			t.Errorf("%v: max rel %v", bad, m.MaxRel)
		}
		if _, err := json.Marshal(Check{MaxRel: Number(m.MaxRel), KL: Number(m.KL)}); err != nil {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

func TestCompareKeepsPaddingOut(t *testing.T) {
	want, got := logits(2, 1, 1, 5), logits(2, 1, 1, 9)
	m, err := Compare(got, want, func(_, s int) bool { return s == 0 })
	if err != nil || m.MaxAbs != 0 || m.Positions != 1 {
		t.Errorf("max abs %v over %d positions, %v", m.MaxAbs, m.Positions, err)
	}
	if _, err := Compare(got, want, func(int, int) bool { return false }); err == nil {
		t.Error("nothing compared is no error")
	}
	if _, err := Compare(logits(1, 2, 0, 0), want, nil); err == nil {
		t.Error("another shape is no error")
	}
}

// TestSettle: nothing judged is never a success, and a failure outweighs
// everything.
func TestSettle(t *testing.T) {
	for _, c := range []struct {
		want   Verdict
		checks []Verdict
	}{
		{Incomplete, nil},
		{Incomplete, []Verdict{Info, Skipped}},
		{Pass, []Verdict{Info, Pass, Skipped}},
		{Incomplete, []Verdict{Pass, Unavailable}},
		{Fail, []Verdict{Pass, Unavailable, Fail, Pass}},
	} {
		r := &Report{}
		for _, v := range c.checks {
			r.Checks = append(r.Checks, Check{Verdict: v})
		}
		if r.settle(); r.Verdict != c.want {
			t.Errorf("%v: verdict %s, want %s", c.checks, r.Verdict, c.want)
		}
	}
}

func TestBuckets(t *testing.T) {
	for p, k := range map[int]int{0: 0, 15: 0, 16: 1, 31: 1, 32: 2, 63: 2, 64: 3, 8191: 9} {
		if got := bucketOf(p); got != k {
			t.Errorf("position %d: bucket %d, want %d", p, got, k)
		}
	}
}
