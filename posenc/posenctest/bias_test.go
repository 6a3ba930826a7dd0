package posenctest_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/posenctest"
)

const (
	heads   = 3
	headDim = 6
	hidden  = 5
)

func dot(a, b []float64) float64 {
	s := 0.0
	for i, v := range a {
		s += v * b[i]
	}
	return s
}

func softplus(x float64) float64 { return math.Log1p(math.Exp(x)) }

// biasCases holds one or more cases for every row of the table of biases.
func biasCases(t *testing.T) map[string][]posenctest.BiasCase {
	t.Helper()
	rng := rand.New(rand.NewPCG(3, 4))
	slopes := []float64{0.5, 0.0625, 0.3}
	perSlope := func(s []float64) func(int, posenc.BiasInput) float64 {
		return func(head int, _ posenc.BiasInput) float64 { return s[head] }
	}
	linear := func(rate func(head int, q, k posenc.Token) float64) func(int, []posenc.Token, int, int) float64 {
		return func(head int, tokens []posenc.Token, i, j int) float64 {
			return -float64(i-j) * rate(head, tokens[i], tokens[j])
		}
	}
	out := map[string][]posenctest.BiasCase{
		"alibi": {{Bias: posenc.NewALiBi(slopes), Rate: perSlope(slopes),
			Direct: linear(func(head int, _, _ posenc.Token) float64 { return slopes[head] })}},
	}

	own, err := posenc.Slopes(heads)
	if err != nil {
		t.Fatal(err)
	}
	falcon := posenc.ALiBi{Slope: own, Factor: 0.4, BF16: true}
	bf16 := func(x float64) float64 { // the top 16 bits of a float32, to nearest even
		b := math.Float32bits(float32(x))
		return float64(math.Float32frombits((b + 0x7fff + b>>16&1) &^ 0xffff))
	}
	term := func(head int, pos int64) float64 { return 0.4 * bf16(bf16(falcon.Slope[head])*bf16(float64(pos))) }
	out["alibi:falcon"] = []posenctest.BiasCase{{Bias: falcon,
		Rate: func(head int, in posenc.BiasInput) float64 { return term(head, in.Key[len(in.Key)-1]) },
		Direct: func(head int, tokens []posenc.Token, i, j int) float64 {
			return term(head, tokens[j].Pos) - term(head, tokens[i].Pos)
		}}}

	u, v := posenc.NormalizeRows(random(rng, heads, headDim, 1), 1e-6), posenc.NormalizeRows(random(rng, heads, headDim, 1), 1e-6)
	root := math.Sqrt(headDim)
	byKey := func(head int, k posenc.Token) float64 { return slopes[head] * softplus(dot(u.Row(head), k.K)/root) }
	byQuery := func(head int, q posenc.Token) float64 { return slopes[head] * softplus(dot(v.Row(head), q.Q)/root) }
	rates := func(_ int, in posenc.BiasInput) float64 {
		worst := 0.0
		for i := range in.Query {
			rate := 0.0
			for _, f := range append(in.QueryFeatures[i], in.KeyFeatures[i]...) {
				rate += f
			}
			worst = max(worst, rate)
		}
		return 2 * worst // a query's and a key's may come from two tokens
	}
	out["grape-a:key"] = []posenctest.BiasCase{{Bias: posenc.Gated{Omega: slopes, U: u}, Rate: rates,
		Direct: linear(func(head int, _, k posenc.Token) float64 { return byKey(head, k) })}}
	out["grape-a:query"] = []posenctest.BiasCase{{Bias: posenc.Gated{Omega: slopes, V: v}, Rate: rates,
		Direct: linear(func(head int, q, _ posenc.Token) float64 { return byQuery(head, q) })}}
	out["grape-a:querykey"] = []posenctest.BiasCase{{Bias: posenc.Gated{Omega: slopes, V: v, U: u}, Rate: rates,
		Direct: linear(func(head int, q, k posenc.Token) float64 { return byQuery(head, q) + byKey(head, k) })}}

	fox := posenc.FoX{W: random(rng, heads, hidden, 1), C: []float64{0, 2, -5}}
	out["fox"] = []posenctest.BiasCase{{Bias: fox,
		Rate: func(_ int, in posenc.BiasInput) float64 { return -in.KeyFeatures[len(in.Key)-1][0] },
		Direct: func(head int, tokens []posenc.Token, i, j int) float64 {
			sum := 0.0
			for _, l := range tokens[j+1 : i+1] {
				sum += math.Log(1 / (1 + math.Exp(-dot(fox.W.Row(head), l.X)-fox.C[head])))
			}
			return sum
		}}}

	for _, p := range []posenc.PathIntegral{
		{Beta: slopes, Dim: 4, P: random(rng, heads*4, hidden, 1)},
		{Beta: slopes, Dim: headDim, Tie: posenc.TieQ}, {Beta: slopes, Dim: headDim, Tie: posenc.TieK}, {Beta: slopes, Dim: headDim, Tie: posenc.TieV},
	} {
		if err := p.Check(); err != nil {
			t.Fatal(err)
		}
		out["grape-ap"] = append(out["grape-ap"], posenctest.BiasCase{Bias: p, Direct: pathDirect(p)})
	}

	r1, r2 := []float64{1.5, 0.2, 3}, []float64{0.1, 2, 1}
	for _, power := range []bool{false, true} {
		k := posenc.KERPLE{R1: r1, R2: r2, Power: power}
		if err := k.Check(); err != nil {
			t.Fatal(err)
		}
		name := "kerple:log"
		if power {
			name = "kerple:power"
		}
		out[name] = []posenctest.BiasCase{{Bias: k, Direct: func(head int, _ []posenc.Token, i, j int) float64 {
			n := float64(i - j)
			if power {
				return -r1[head] * math.Pow(n, r2[head])
			}
			return -r1[head] * math.Log(1+r2[head]*n)
		}}}
	}

	// ALiBi's exact rewrites are the same bias
	alibi := out["alibi"][0].Direct
	for _, g := range []struct {
		name           string
		byQuery, byKey bool
	}{{"grape-a:key", false, true}, {"grape-a:query", true, false}, {"grape-a:querykey", true, true}} {
		b, err := posenc.GatedFromALiBi(slopes, headDim, g.byQuery, g.byKey)
		if err != nil {
			t.Fatal(err)
		}
		out[g.name] = append(out[g.name], posenctest.BiasCase{Bias: b, Rate: rates, Direct: alibi})
	}
	path, err := posenc.PathIntegralFromALiBi(slopes, 4, hidden)
	if err != nil {
		t.Fatal(err)
	}
	out["grape-ap"] = append(out["grape-ap"], posenctest.BiasCase{Bias: path, Direct: alibi})
	forget, err := posenc.FoXFromALiBi(slopes, hidden)
	if err != nil {
		t.Fatal(err)
	}
	out["fox"] = append(out["fox"], posenctest.BiasCase{Bias: forget, Rate: out["fox"][0].Rate, Direct: alibi})
	return out
}

// pathDirect is GRAPE-AP's sum as written, with rotation matrices in place of
// the closed form.
func pathDirect(p posenc.PathIntegral) func(int, []posenc.Token, int, int) float64 {
	vector := func(head int, token posenc.Token) []float64 {
		switch p.Tie {
		case posenc.TieQ:
			return token.Q
		case posenc.TieK:
			return token.K
		case posenc.TieV:
			return token.V
		}
		return p.P.Apply(token.X)[head*p.Dim : (head+1)*p.Dim]
	}
	return func(head int, tokens []posenc.Token, i, j int) float64 {
		sum := 0.0
		pi, half := vector(head, tokens[i]), p.Dim/2
		for _, l := range tokens[j+1 : i+1] {
			pl := vector(head, l)
			rms := math.Sqrt(dot(pl, pl)/float64(p.Dim) + math.Ldexp(1, -23))
			turn := posenc.NewMatrix(p.Dim, p.Dim)
			for k := range half {
				c, s := math.Cos(float64(l.Pos)), math.Sin(float64(l.Pos))
				turn.Set(k, k, c)
				turn.Set(k, k+half, s)
				turn.Set(k+half, k, -s)
				turn.Set(k+half, k+half, c)
			}
			gate := dot(pi, turn.Apply(pl)) / rms / float64(p.Dim)
			sum -= p.Beta[head] * softplus(-gate)
		}
		return sum
	}
}

func TestBiases(t *testing.T) {
	cases := biasCases(t)
	for _, row := range posenc.Biases() {
		if len(cases[row.Name]) == 0 {
			t.Errorf("bias %q has no case in the suite", row.Name)
		}
		for _, c := range cases[row.Name] {
			c.HeadDim, c.Hidden, c.Laws = headDim, hidden, row.Laws
			t.Run(row.Name, func(t *testing.T) { posenctest.RunBias(t, c) })
		}
		delete(cases, row.Name)
	}
	for name := range cases {
		t.Errorf("cases for bias %q, which the table does not list", name)
	}
}
