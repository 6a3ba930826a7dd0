package report

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
		if !math.IsInf(m.MaxRel, 1) || m.MaxRel <= Float32.Limit() {
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
		if r.Settle(); r.Verdict != c.want {
			t.Errorf("%v: verdict %s, want %s", c.checks, r.Verdict, c.want)
		}
	}
}

// TestNearTies: a first token that changes within the error is a near tie, and
// equal logits are one token.
func TestNearTies(t *testing.T) {
	logits := func(x ...float64) *Logits { return &Logits{B: 1, S: 1, V: len(x), Data: x} }
	for _, tt := range []struct {
		name      string
		got, want *Logits
		top1      float64
		ties      int
	}{
		{"the same", logits(1, 2, 3), logits(1, 2, 3), 1, 0},
		{"another token", logits(1, 3.001, 3), logits(1, 2.999, 3), 0, 1},
		{"equal logits, the other one", logits(1, 2.9999, 3), logits(1, 3, 3), 1, 0},
		{"equal in the answer only", logits(1, 3, 3), logits(1, 2.999, 3), 0, 1},
	} {
		m, err := Compare(tt.got, tt.want, nil)
		if err != nil || m.Top1 != tt.top1 || len(m.Ties) != tt.ties {
			t.Errorf("%s: top-1 %v, ties %+v, %v", tt.name, m.Top1, m.Ties, err)
		}
		for _, tie := range m.Ties {
			if !(tie.Margin > 0 && tie.Margin <= 2*tie.Error) {
				t.Errorf("%s: margin %v is beyond what an error of %v can turn", tt.name, tie.Margin, tie.Error)
			}
		}
	}
}

// TestSettleAmbiguous: an ambiguous check is no pass, and any failure outweighs it.
func TestSettleAmbiguous(t *testing.T) {
	for _, tt := range []struct {
		made []Verdict
		want Verdict
	}{
		{[]Verdict{Pass, Ambiguous, Skipped}, Ambiguous},
		{[]Verdict{Ambiguous, Fail}, Fail},
		{[]Verdict{Unavailable, Ambiguous, Pass}, Ambiguous},
		{[]Verdict{Pass, Unavailable}, Incomplete},
		{[]Verdict{Skipped, Info}, Incomplete},
		{[]Verdict{Pass, Skipped, Info}, Pass},
	} {
		r := &Report{}
		for _, v := range tt.made {
			r.Checks = append(r.Checks, Check{Verdict: v})
		}
		if r.Settle(); r.Verdict != tt.want {
			t.Errorf("%v: %s, want %s", tt.made, r.Verdict, tt.want)
		}
	}
}
