package interp

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/onnxops/ops"
)

// formula computes an operator of ai.pecvt as its row's summary has it, and is
// given what its body is given.
type formula struct {
	inputs map[string]*Array
	attrs  []*onnxpb.AttributeProto
	want   map[string][]float64 // by output
}

// formulas has one or more for every row of the table of operators.
var formulas = map[string]func(rng *rand.Rand) []formula{
	"Rotation":     rotations,
	"RelativeBias": relativeBiases,
	"LogBias": func(rng *rand.Rand) []formula {
		return kernelBiases(rng, func(n, r2 float64) float64 { return math.Log1p(r2 * n) })
	},
	"PowerBias":             func(rng *rand.Rand) []formula { return kernelBiases(rng, math.Pow) },
	"ContextPhase":          contextPhases,
	"PathBias":              pathBiases,
	"PathIntegralBias":      pathIntegrals,
	"RelativeAttention":     func(rng *rand.Rand) []formula { return attentions(rng, relativeBiases(rng)[0]) },
	"PathAttention":         pathAttentions,
	"PathIntegralAttention": pathIntegralAttentions,
}

// TestOperatorsAreTheirFormulas: the body of every operator computes its formula.
func TestOperatorsAreTheirFormulas(t *testing.T) {
	for _, op := range ops.Table() {
		made := formulas[op.Name]
		if made == nil {
			t.Errorf("operator %s has no formula to hold its body against: write one into formulas (verify/interp/ops_test.go)", op.Name)
			continue
		}
		for _, f := range made(rand.New(rand.NewPCG(7, 8))) {
			b := newGraph()
			b.domains, b.functions = []string{ops.Domain}, []*onnxpb.FunctionProto{op.Func.Proto}
			n := &onnxpb.NodeProto{OpType: op.Name, Domain: ops.Domain, Name: "/op", Attribute: f.attrs}
			for _, p := range op.Inputs {
				a := f.inputs[p.Name]
				kind, shape := f32, []any{}
				switch a.Kind {
				case Bool:
					kind = onnxpb.TensorProto_BOOL
				case Int:
					kind = onnxpb.TensorProto_INT64
				}
				for _, d := range a.Shape {
					shape = append(shape, d)
				}
				b.input(p.Name, kind, shape...)
				n.Input = append(n.Input, p.Name)
			}
			for _, p := range op.Outputs {
				n.Output = append(n.Output, p.Name)
			}
			b.g.Node = append(b.g.Node, n)
			b.output(n.Output...)
			out, err := mustLoad(t, b.model()).Run(f.inputs)
			if err != nil {
				t.Fatalf("%s: %v", op.Name, err)
			}
			for _, p := range op.Outputs {
				got, want := out[p.Name].F, f.want[p.Name]
				if p.Name == "present" { // high and low part: how a sum is cut in two is the runtime's
					got = folded(got)
				}
				if len(got) != len(want) || len(want) == 0 {
					t.Fatalf("%s: %s has %d numbers, the formula %d", op.Name, p.Name, len(got), len(want))
				}
				for i := range want {
					if !(math.Abs(got[i]-want[i]) <= 1e-12*max(1, math.Abs(want[i]))) {
						t.Errorf("%s: %s[%d] = %v, the formula gives %v", op.Name, p.Name, i, got[i], want[i])
					}
				}
			}
		}
	}
}

func folded(pairs []float64) (sums []float64) {
	for i := 0; i+1 < len(pairs); i += 2 {
		sums = append(sums, pairs[i]+pairs[i+1])
	}
	return sums
}

// drawn is an array of numbers from -2 to 2.
func drawn(rng *rand.Rand, shape ...int) *Array {
	n := 1
	for _, d := range shape {
		n *= d
	}
	x := make([]float64, n)
	for i := range x {
		x[i] = 4*rng.Float64() - 2
	}
	return Floats(x, shape...)
}

// logistic is σ.
func logistic(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

const batch, heads, queries, keys = 2, 3, 4, 6

func rotations(rng *rand.Rand) (list []formula) {
	for interleaved := range 2 {
		const d, r = 6, 4
		x, cos, sin := drawn(rng, batch, heads, queries, d), drawn(rng, batch, queries, r/2), drawn(rng, batch, queries, r/2)
		y := slices.Clone(x.F)
		for row := range batch * heads * queries {
			token := row/(heads*queries)*queries + row%queries
			for p := range r / 2 {
				i, j := p, p+r/2
				if interleaved == 1 {
					i, j = 2*p, 2*p+1
				}
				c, s := cos.F[token*r/2+p], sin.F[token*r/2+p]
				x1, x2 := x.F[row*d+i], x.F[row*d+j]
				y[row*d+i], y[row*d+j] = x1*c-x2*s, x2*c+x1*s
			}
		}
		list = append(list, formula{map[string]*Array{"X": x, "cos": cos, "sin": sin},
			[]*onnxpb.AttributeProto{intAttr("interleaved", int64(interleaved)), intAttr("rotary_embedding_dim", r)}, map[string][]float64{"Y": y}})
	}
	return list
}

func relativeBiases(rng *rand.Rand) []formula {
	i, j := drawn(rng, batch, queries), drawn(rng, batch, keys)
	q, k := drawn(rng, batch, heads, queries, 1), drawn(rng, 1, 1, 1, keys)
	var bias []float64
	for b := range batch {
		for h := range heads {
			for s := range queries {
				for t := range keys {
					bias = append(bias, (j.F[b*keys+t]-i.F[b*queries+s])*(q.F[(b*heads+h)*queries+s]+k.F[t]))
				}
			}
		}
	}
	return []formula{{map[string]*Array{"query_position": i, "key_position": j, "query_rate": q, "key_rate": k}, nil, map[string][]float64{"bias": bias}}}
}

func kernelBiases(rng *rand.Rand, kernel func(n, r2 float64) float64) []formula {
	i, j := drawn(rng, batch, queries), drawn(rng, batch, keys)
	r1, r2 := drawn(rng, 1, heads, 1, 1), drawn(rng, 1, heads, 1, 1)
	var bias []float64
	for h := range heads {
		r1.F[h], r2.F[h] = math.Abs(r1.F[h]), 0.1+math.Abs(r2.F[h])
	}
	for b := range batch {
		for h := range heads {
			for s := range queries {
				for t := range keys {
					distance := max(i.F[b*queries+s]-j.F[b*keys+t], 0)
					bias = append(bias, -r1.F[h]*kernel(distance, r2.F[h]))
				}
			}
		}
	}
	return []formula{{map[string]*Array{"query_position": i, "key_position": j, "r1": r1, "r2": r2}, nil, map[string][]float64{"bias": bias}}}
}

// realTokens are 1 for tokens and 0 for the first of the last row, which is padding.
func realTokens() *Array {
	x := slices.Repeat([]float64{1}, batch*queries)
	x[len(x)-queries] = 0
	return Floats(x, batch, 1, queries)
}

// running sums terms of (batch, heads, queries), and gives the sums before or
// after each token, and the last.
func running(past *Array, exclusive bool, term func(row, token int) float64) (sums, present []float64) {
	tokens := realTokens()
	for row := range batch * heads {
		sum := past.F[2*row] + past.F[2*row+1]
		for token := range queries {
			before := sum
			sum += tokens.F[row/heads*queries+token] * term(row, token)
			if exclusive {
				sums = append(sums, before)
			} else {
				sums = append(sums, sum)
			}
		}
		present = append(present, sum)
	}
	return sums, present
}

func contextPhases(rng *rand.Rand) []formula {
	logits, past := drawn(rng, batch, heads, queries), drawn(rng, batch, heads, 2)
	phase, present := running(past, true, func(row, token int) float64 { return logistic(logits.F[row*queries+token]) })
	return []formula{{map[string]*Array{"logits": logits, "real": realTokens(), "past": past}, nil, map[string][]float64{"phase": phase, "present": present}}}
}

func pathBiases(rng *rand.Rand) []formula {
	gates, past := drawn(rng, batch, heads, queries), drawn(rng, batch, heads, 2)
	sums, present := running(past, false, func(row, token int) float64 { return gates.F[row*queries+token] })
	var whole, fraction []float64
	for _, s := range sums {
		whole, fraction = append(whole, math.Floor(s)), append(fraction, s-math.Floor(s))
	}
	return []formula{{map[string]*Array{"gates": gates, "real": realTokens(), "past": past}, nil,
		map[string][]float64{"whole": whole, "fraction": fraction, "present": present}}}
}

func pathIntegrals(rng *rand.Rand) []formula {
	const d = 5
	q, k, beta := drawn(rng, batch, heads, queries, d), drawn(rng, batch, heads, keys, d), drawn(rng, 1, heads, 1, 1)
	sees := make([]bool, batch*queries*keys)
	for i := range sees { // key l of query s, whose own key is s + keys − queries; the first is padding in one row
		s, l := i/keys%queries, i%keys
		sees[i] = l <= s+keys-queries && (l > 0 || i < queries*keys)
	}
	var bias []float64
	for row := range batch * heads {
		for s := range queries {
			for j := range keys {
				sum := 0.0
				for l := j + 1; l < keys; l++ {
					if !sees[(row/heads*queries+s)*keys+l] {
						continue
					}
					dot := 0.0
					for c := range d {
						dot += q.F[(row*queries+s)*d+c] * k.F[(row*keys+l)*d+c]
					}
					sum += beta.F[row%heads] * math.Log(logistic(dot/d))
				}
				bias = append(bias, sum)
			}
		}
	}
	return []formula{{map[string]*Array{"query": q, "key": k, "beta": beta, "visible": Bools(sees, batch, 1, queries, keys)}, nil, map[string][]float64{"bias": bias}}}
}
