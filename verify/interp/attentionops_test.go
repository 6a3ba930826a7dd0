package interp

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// attentions are attention under a bias: the inputs and the bias, (batch, heads,
// queries, keys), of b, without a window and with one, of key heads that several
// query heads share and that one has. The first key of the last row is padding.
func attentions(rng *rand.Rand, b formula) (list []formula) {
	const d, e, scale = 4, 5, 0.375
	const past = keys - queries
	for _, c := range []struct{ groups, window int }{{1, 0}, {heads, 2}, {1, 4}} {
		q, k, v := drawn(rng, batch, heads, queries, d), drawn(rng, batch, c.groups, queries, d), drawn(rng, batch, c.groups, queries, e)
		pastK, pastV := drawn(rng, batch, c.groups, past, d), drawn(rng, batch, c.groups, past, e)
		mask := slices.Repeat([]int64{1}, batch*keys)
		mask[len(mask)-keys] = 0
		allK, allV := joined(pastK, k, past, d), joined(pastV, v, past, e)
		var output []float64
		for row := range batch * heads {
			group := row/heads*c.groups + row%heads/(heads/c.groups)
			for s := range queries {
				self := s + past
				weights, sum := make([]float64, keys), 0.0
				for t := range keys {
					known := t <= self && mask[row/heads*keys+t] == 1 && (c.window == 0 || t > self-c.window)
					if !known && t != self {
						continue
					}
					dot := 0.0
					for i := range d {
						dot += q.F[(row*queries+s)*d+i] * allK[(group*keys+t)*d+i]
					}
					weights[t] = math.Exp(scale*dot + b.want["bias"][(row*queries+s)*keys+t])
					sum += weights[t]
				}
				for i := range e {
					y := 0.0
					for t, w := range weights {
						y += w / sum * allV[(group*keys+t)*e+i]
					}
					output = append(output, y)
				}
			}
		}
		inputs := maps.Clone(b.inputs)
		maps.Copy(inputs, map[string]*Array{"query": q, "key": k, "value": v, "past_key": pastK, "past_value": pastV,
			"attention_mask": Ints(mask, batch, keys), "window": Ints([]int64{int64(c.window)})})
		list = append(list, formula{inputs, []*onnxpb.AttributeProto{{Name: "scale", Type: onnxpb.AttributeProto_FLOAT, F: scale}},
			map[string][]float64{"output": output, "present_key": allK, "present_value": allV}})
	}
	return list
}

// joined puts the rows of each head behind those of its past.
func joined(before, now *Array, past, width int) (all []float64) {
	for head := range len(now.F) / (queries * width) {
		all = append(all, before.F[head*past*width:(head+1)*past*width]...)
		all = append(all, now.F[head*queries*width:(head+1)*queries*width]...)
	}
	return all
}

func pathAttentions(rng *rand.Rand) []formula {
	inputs := map[string]*Array{}
	for _, name := range []string{"query_whole", "query_fraction"} {
		inputs[name] = drawn(rng, batch, heads, queries, 1)
	}
	for _, name := range []string{"key_whole", "key_fraction"} {
		inputs[name] = drawn(rng, batch, heads, keys, 1)
	}
	var bias []float64
	for row := range batch * heads {
		for s := range queries {
			for t := range keys {
				i, j := row*queries+s, row*keys+t
				bias = append(bias, inputs["query_whole"].F[i]-inputs["key_whole"].F[j]+inputs["query_fraction"].F[i]-inputs["key_fraction"].F[j])
			}
		}
	}
	return attentions(rng, formula{inputs: inputs, want: map[string][]float64{"bias": bias}})
}

// pathIntegralAttentions sum over the keys that are no padding, windows or not.
func pathIntegralAttentions(rng *rand.Rand) []formula {
	b := pathIntegrals(rng)[0]
	inputs := map[string]*Array{"path_query": b.inputs["query"], "path_key": b.inputs["key"], "beta": b.inputs["beta"]}
	return attentions(rng, formula{inputs: inputs, want: b.want})
}
