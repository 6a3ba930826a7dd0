package posenc

import (
	"math"
	"testing"
)

// TestContextPhase: the running sum is exclusive, and carries on where it was.
func TestContextPhase(t *testing.T) {
	c := ContextPhase{W: Matrix{2, 2, []float64{1, -2, 0.5, 4}}, B: []float64{0.25, -1}, Scale: 16}
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	inputs := [][]float64{{1, 2}, {-3, 0.5}, {0, 0}, {10, -10}, {2, 2}}
	gate := func(r int, x []float64) float64 {
		return 1 / (1 + math.Exp(-(c.W.At(r, 0)*x[0]+c.W.At(r, 1)*x[1]+c.B[r])/16))
	}
	state := c.Start()
	for step, x := range inputs {
		phi := make([]float64, 2)
		c.Next(state, phi, x)
		for r, got := range phi {
			want := 0.0
			for _, before := range inputs[:step] {
				want += gate(r, before)
			}
			if math.Abs(got-want) > 1e-15*(1+want) {
				t.Errorf("Φ of head %d at %d is %v, want %v", r, step, got, want)
			}
			if c.Of(phi, r) != got {
				t.Errorf("head %d reads %v", r, c.Of(phi, r))
			}
		}
	}
	// a cache taken after three tokens goes on to the same sums
	resumed := c.Start()
	for _, x := range inputs[:3] {
		c.Next(resumed, nil, x)
	}
	cache := append([]float64(nil), resumed...)
	c.Next(cache, nil, inputs[3])
	c.Next(cache, nil, inputs[4])
	if cache[0] != state[0] || cache[1] != state[1] {
		t.Errorf("resumed sums %v, want %v", cache, state)
	}
	if c.Of([]float64{3}, 7) != 3 {
		t.Error("a shared phase is not read by every head")
	}
	for name, bad := range map[string]ContextPhase{
		"no rows": {Scale: 1}, "biases": {W: NewMatrix(2, 1), B: []float64{1}, Scale: 1}, "scale": {W: NewMatrix(1, 1), B: []float64{1}},
		"w": {W: Matrix{1, 2, []float64{1}}, B: []float64{1}, Scale: 1}, "infinite": {W: Matrix{1, 1, []float64{math.Inf(1)}}, B: []float64{1}, Scale: 1},
	} {
		if bad.Check() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestShift: k_t ← a_t k_{t−1} + (1 − a_t) k_t on the unmixed k, also across a
// cache.
func TestShift(t *testing.T) {
	s := Shift{W: Matrix{2, 1, []float64{0, 3}}, B: []float64{math.Log(3), 0}}
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	state := s.Start(2)
	step := func(head int, x float64, k ...float64) []float64 {
		s.Next(state[head], head, k, []float64{x})
		return k
	}
	near := func(what string, got []float64, want ...float64) {
		t.Helper()
		for i, v := range got {
			if math.Abs(v-want[i]) > 1e-15 {
				t.Errorf("%s is %v, want %v", what, got, want)
			}
		}
	}
	// head 0: a = σ(ln 3) = 3/4 for every token; k_{−1} = 0
	near("the first", step(0, 9, 4, -8), 1, -2)
	near("the second", step(0, -9, 8, 0), 0.75*4+0.25*8, -6)
	near("the third", step(0, 1, 0, 4), 6, 1)
	near("the state", state[0], 0, 4)
	// head 1 has its own: a = σ(3x)
	near("head 1", step(1, 0, 2, 2), 1, 1)
	near("head 1, closed", step(1, -1000, 5, 7), 5, 7)
	near("head 1, open", step(1, 1000, 1, 1), 5, 7)
	for name, bad := range map[string]Shift{"no rows": {}, "biases": {W: NewMatrix(2, 1), B: []float64{1}}, "w": {W: Matrix{1, 2, nil}}} {
		if bad.Check() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestBiasChecks: what a checkpoint may hold wrongly is an error, what only a
// program can do wrongly a panic.
func TestBiasChecks(t *testing.T) {
	nan := math.NaN()
	for name, err := range map[string]error{
		"alibi, no slopes": ALiBi{}.Check(),
		"alibi, slope":     ALiBi{Slope: []float64{nan}, Factor: 1}.Check(),
		"alibi, factor":    ALiBi{Slope: []float64{1}, Factor: math.Inf(1)}.Check(),
		"gated, no gate":   Gated{Omega: []float64{1}}.Check(),
		"gated, rows":      Gated{Omega: []float64{1}, U: NewMatrix(2, 3)}.Check(),
		"gated, omega":     Gated{Omega: []float64{nan}, U: NewMatrix(1, 3)}.Check(),
		"fox, no heads":    FoX{}.Check(),
		"fox, rows":        FoX{C: []float64{1, 2}, W: NewMatrix(1, 3)}.Check(),
		"path, odd":        PathIntegral{Beta: []float64{1}, Dim: 3, Tie: TieK}.Check(),
		"path, projection": PathIntegral{Beta: []float64{1}, Dim: 4, P: NewMatrix(3, 8)}.Check(),
		"path, beta":       PathIntegral{Beta: []float64{nan}, Dim: 4, Tie: TieQ}.Check(),
		"kerple, unlike":   KERPLE{R1: []float64{1}}.Check(),
		"kerple, exponent": KERPLE{R1: []float64{1}, R2: []float64{2.5}, Power: true}.Check(),
		"kerple, zero":     KERPLE{R1: []float64{1}, R2: []float64{0}}.Check(),
		"kerple, negative": KERPLE{R1: []float64{-1}, R2: []float64{1}}.Check(),
	} {
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if got := Untied.String() + TieQ.String() + TieK.String() + TieV.String(); got != "noneqkv" {
		t.Errorf("ties are called %q", got)
	}
	two := BiasInput{Query: []int64{1}, Key: []int64{0, 1}}
	for name, f := range map[string]func(){
		"scores":   func() { NewALiBi([]float64{1}).Add(make([]float64, 3), 0, two) },
		"head":     func() { NewALiBi([]float64{1}).Add(make([]float64, 2), 1, two) },
		"features": func() { FoX{W: NewMatrix(1, 1), C: []float64{0}}.Add(make([]float64, 2), 0, two) },
		"turn":     func() { Rotary{HeadDim: 2}.Turn(make([]float64, 3), 0, []float64{1}) },
		"place":    func() { Rotary{HeadDim: 2}.Turn(make([]float64, 2), 0, nil) },
		"product":  func() { Identity(2).Mul(Identity(3)) },
		"apply":    func() { Identity(2).Apply([]float64{1}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}
