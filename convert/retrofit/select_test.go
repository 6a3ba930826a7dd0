package retrofit

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestParseBudget(t *testing.T) {
	for _, c := range []struct {
		text  string
		want  Budget
		fault string
	}{
		{"ppl=1%", Budget{BudgetPPL, .01}, ""},
		{"kl=0.01", Budget{BudgetKL, .01}, ""},
		{"planes=75%", Budget{BudgetPlanes, .75}, ""},
		{"planes=100%", Budget{BudgetPlanes, 1}, ""},
		{"ppl=0.5%", Budget{BudgetPPL, .005}, ""},
		{"ppl=1", Budget{}, "expected percent: write ppl=1%"},
		{"kl=1%", Budget{}, "in nats"},
		{"planes=101%", Budget{}, "at most 100%"},
		{"ppl=-1%", Budget{}, "at least 0"},
		{"ppl=NaN%", Budget{}, "expected a number"},
		{"ppl=", Budget{}, "expected a number"},
		{"plane=3%", Budget{}, `did you mean "planes"?`},
		{"", Budget{}, "is unknown"},
	} {
		got, err := ParseBudget(c.text)
		switch {
		case c.fault == "" && (err != nil || got != c.want || got.String() != c.text):
			t.Errorf("%q: %+v %q, %v", c.text, got, got.String(), err)
		case c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)):
			t.Errorf("%q: %v, expected %q", c.text, err, c.fault)
		}
	}
}

// flatCosts are costs of 2 layers that turn, one that does not, 2 heads and 2
// planes.
func flatCosts() (*Costs, []Turn) {
	row := func() [][]float64 { return [][]float64{{1, .1, .01}, {1, .1, .01}} }
	turns := []Turn{{InvFreq: row(), Gain: 1}, {InvFreq: [][]float64{{}, {}}, Gain: 1}, {InvFreq: row(), Gain: 1}}
	return &Costs{Planes: []int{1, 2}, Cost: [][][]float64{{{.5, .1}, {.2, .3}}, nil, {{.05, .6}, {.7, .1}}}}, turns
}

func TestHolds(t *testing.T) {
	m := Measured{PPL: 451, SourcePPL: 13.96, KL: 3.5}
	for _, c := range []struct {
		b    Budget
		m    Measured
		want bool
	}{
		{Budget{BudgetPPL, .01}, m, false},
		{Budget{BudgetPPL, 32}, m, true},
		{Budget{BudgetKL, 4}, m, true},
		{Budget{BudgetKL, 3}, m, false},
		{Budget{BudgetPPL, .01}, Measured{}, false}, // 0/0
	} {
		if got := c.b.Holds(c.m); got != c.want {
			t.Errorf("%s, %+v: %v", c.b, c.m, got)
		}
	}
}

// TestMeasuredJSON: figures that JSON cannot say are null, not an error that
// loses a result.
func TestMeasuredJSON(t *testing.T) {
	text, err := json.Marshal(Measured{PPL: math.Inf(1), SourcePPL: math.NaN(), KL: 2})
	if err != nil || string(text) != `{"kl":2,"ppl":null,"source_ppl":null}` {
		t.Errorf("%s, %v", text, err)
	}
	var back Measured
	if err := json.Unmarshal(text, &back); err != nil || back.KL != 2 {
		t.Errorf("%+v, %v", back, err)
	}
}

func TestSummary(t *testing.T) {
	c, _ := flatCosts()
	want := []PlaneSummary{{1, .3625, .05, .1625, .35, .55, .7}, {2, .275, .1, .1, .2, .375, .6}}
	if diff := cmp.Diff(want, c.Summary(), cmpopts.EquateApprox(1e-12, 0)); diff != "" {
		t.Error(diff)
	}
}

func TestRank(t *testing.T) {
	c, _ := flatCosts()
	if diff := cmp.Diff([]Choice{{2, 0, 1, .05}, {0, 0, 2, .1}, {2, 1, 2, .1}, {0, 1, 1, .2}, {0, 1, 2, .3}, {0, 0, 1, .5}, {2, 0, 2, .6}, {2, 1, 1, .7}}, Rank(c, ByGroup)); diff != "" {
		t.Error(diff)
	}
	near := cmpopts.EquateApprox(1e-12, 0)
	if diff := cmp.Diff([]Choice{{0, -1, 2, .4}, {0, -1, 1, .7}, {2, -1, 2, .7}, {2, -1, 1, .75}}, Rank(c, ByLayer), near); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]Choice{{-1, -1, 2, 1.1}, {-1, -1, 1, 1.45}}, Rank(c, ByModel), near); diff != "" {
		t.Error(diff)
	}
}

// TestBisection: the largest number within the budget, by few measurements.
func TestBisection(t *testing.T) {
	c := &Costs{Planes: make([]int, 100), Cost: [][][]float64{{make([]float64, 100)}}}
	turn := Turn{InvFreq: [][]float64{make([]float64, 100)}, Gain: 1}
	for p := range c.Planes {
		c.Planes[p], c.Cost[0][0][p], turn.InvFreq[0][p] = p, float64(p), 1
	}
	for _, limit := range []int{0, 1, 2, 3, 50, 99, 100} {
		calls := 0
		measure := func(_ context.Context, s *Selection) (Measured, error) {
			calls++
			kl := 0.001
			if len(s.Dropped) > limit {
				kl = 1
			}
			return Measured{PPL: 2, SourcePPL: 2, KL: kl}, nil
		}
		s, err := Select(context.Background(), c, []Turn{turn}, measure, SelectOptions{Budget: Budget{BudgetKL, .01}, Trials: 10})
		if limit == 0 {
			if !errors.Is(err, ErrBudget) || !strings.Contains(err.Error(), "plane 0) is within kl=0.01: KL 1 nats") {
				t.Errorf("limit 0: %v", err)
			}
			s, err = Select(context.Background(), c, []Turn{turn}, measure, SelectOptions{Budget: Budget{BudgetKL, .01}, Trials: 10, Force: true})
			if err != nil || len(s.Dropped) != 1 || s.Measured.KL != 1 {
				t.Errorf("limit 0, forced: %+v, %v", s, err)
			}
			continue
		}
		if err != nil || len(s.Dropped) != limit || calls > 10 || s.Measured.KL != .001 || len(s.Trials) != calls {
			t.Errorf("limit %d: %d dropped after %d measurements, %v", limit, len(s.Dropped), calls, err)
		}
		if zeros := slices.Index(s.Spectra()[0][0], 1); zeros != limit && limit < 100 {
			t.Errorf("limit %d: %d planes at 0", limit, zeros)
		}
	}
}

// TestSelectScaled: a model whose kept planes turn otherwise is measured before anything
// is dropped, and nothing else where that is over the budget.
func TestSelectScaled(t *testing.T) {
	c, turns := flatCosts()
	for _, alone := range []float64{.001, .02} {
		var dropped []int
		measure := func(_ context.Context, s *Selection) (Measured, error) {
			dropped = append(dropped, len(s.Dropped))
			return Measured{PPL: 2, SourcePPL: 2, KL: alone + .0029*float64(len(s.Dropped))}, nil
		}
		o := SelectOptions{Budget: Budget{BudgetKL, .01}, Scaled: true}
		s, err := Select(context.Background(), c, turns, measure, o)
		if alone < .01 {
			if err != nil || len(s.Dropped) != 3 || s.Trials[0].Dropped != 0 || s.Trials[1].Dropped != 8 {
				t.Errorf("%d dropped, %+v, %v", len(s.Dropped), s.Trials, err)
			}
			continue
		}
		var over *ScalingError
		if !errors.As(err, &over) || !errors.Is(err, ErrBudget) || over.Measured.KL != alone || len(dropped) != 1 {
			t.Errorf("%v after %v", err, dropped)
		}
		if s, err = Select(context.Background(), c, turns, measure, SelectOptions{Budget: o.Budget, Scaled: true, Force: true}); err != nil || len(s.Dropped) != 1 {
			t.Errorf("forced: %+v, %v", s, err)
		}
	}
}

// TestSelectShare: a share needs no measure; what is written reads back.
func TestSelectShare(t *testing.T) {
	c, turns := flatCosts()
	s, err := Select(context.Background(), c, turns, nil, SelectOptions{Budget: Budget{BudgetPlanes, .5}, Granularity: ByLayer})
	if err != nil {
		t.Fatal(err)
	}
	want := [][][]float64{{{1, 0, 0}, {1, 0, 0}}, {{}, {}}, {{1, .1, .01}, {1, .1, .01}}}
	if diff := cmp.Diff(want, s.Spectra()); diff != "" || s.Share != .5 {
		t.Errorf("share %v: %s", s.Share, diff)
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var back Selection
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if err := back.Bind(turns); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, back.Spectra()); diff != "" {
		t.Error(diff)
	}
	back.Dropped[0].Plane = 3
	if err := back.Bind(turns); err == nil || !strings.Contains(err.Error(), "no plane 3") {
		t.Errorf("a plane too many: %v", err)
	}
	if _, err := Select(context.Background(), c, turns, nil, SelectOptions{Budget: Budget{BudgetPPL, .01}}); err == nil || !strings.Contains(err.Error(), "needs a measure") {
		t.Errorf("no measure: %v", err)
	}
}

// TestSelectStories: on a trained model the selection that the measure allows
// costs less than the budget, and the whole cut is far over it.
func TestSelectStories(t *testing.T) {
	c, turns, measure := storiesCosts(t)
	s, err := Select(context.Background(), c, turns, measure, SelectOptions{Budget: Budget{BudgetPPL, .05}})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d of %d dropped, %+v, trials %+v", len(s.Dropped), s.Candidates, *s.Measured, s.Trials)
	if n := len(s.Dropped); n < 3 || n > 20 || s.Measured.PPL > 1.05*s.Measured.SourcePPL {
		t.Errorf("%d dropped, %+v", n, *s.Measured)
	}
	if all := s.Trials[0]; all.Dropped != 40 || all.PPL < 5*all.SourcePPL {
		t.Errorf("the whole cut: %+v", all)
	}
	// whole planes: .001 alone is already over a budget of 1%
	_, err = Select(context.Background(), c, turns, measure, SelectOptions{Budget: Budget{BudgetPPL, .01}, Granularity: ByModel})
	if !errors.Is(err, ErrBudget) || !strings.Contains(err.Error(), "perplexity") {
		t.Errorf("whole planes at 1%%: %v", err)
	}
}
