package mutants

import "github.com/pecvt/pecvt/onnxops/names"

// biasMutants get an additive bias of the scores wrong.
func biasMutants() []Mutant {
	const slopes = "/const//layers.0/attn/bias/slopes"
	return []Mutant{
		inGraph("slope-order", "bloom-mask", "the slopes of the heads are in the reverse order", func(g *Graph) { g.reversed(slopes) }),
		inGraph("slope-order-of-mpt", "mpt", "MPT's slopes are in the reverse order", func(g *Graph) {
			g.reversedHeads("/const//bias/query/per_position")
			g.reversedHeads("/const//bias/key/per_position")
			g.reversedHeads("/const//bias/query/constant")
			g.reversedHeads("/const//bias/key/constant")
		}),
		inGraph("slope-sign", "bloom-mask", "far keys gain instead of losing", func(g *Graph) {
			g.table(slopes, func(_, _ int, x float64) float64 { return -x })
		}),
		inGraph("slope-of-one-head", "bloom", "one head's slope is 1 % too large", func(g *Graph) {
			g.table("/const//bias/query/constant", func(row, _ int, x float64) float64 {
				if row == 0 {
					return 1.01 * x
				}
				return x
			})
			g.table("/const//bias/key/constant", func(row, _ int, x float64) float64 {
				if row == 0 {
					return 1.01 * x
				}
				return x
			})
		}),
		inGraph("sink-meets-no-distance", "sinks-alibi", "beside sinks the bias lacks what is constant along a row", func(g *Graph) { g.column("/const//bias/query/per_position", 0, 0) }),
		inGraph("sink-meets-rounded-distance", "sinks-alibi", "beside sinks that constant has the first 12 bits of the slope alone", func(g *Graph) { g.column("/const//bias/query.1/per_position", 0, 0) }),
		inGraph("bias-dropped", "bloom-mask", "layer 1 adds no bias", func(g *Graph) { g.node("/layers.1/attn/Attention").Input[3] = "/mask/Where_output_0" }),
		inGraph("bias-counts-padding", "bloom", "the bias counts columns, not positions", func(g *Graph) {
			one := g.before("/place/all/Cast", "ConstantOfShape", []string{"/lengths/Shape_output_0"}, oneAttribute())
			n := g.node("/place/all/Cast")
			sums := g.before("/place/all/Cast", "CumSum", []string{one, g.scalar(1)})
			n.Input[0] = sums
		}),
		inGraph("keys-one-off-in-bias", "bloom-mask", "the key's place is one too large", func(g *Graph) {
			g.feed("/place/keys/Cast", 0, "Mul", []string{g.ints(2)})
		}),
		inGraph("forget-gate-sign", "grape-fox", "log σ(−x) instead of log σ(x)", func(g *Graph) { g.bypass("/layers.0/attn/bias/forget/Neg") }),
		inGraph("forget-gate-bias", "grape-fox", "the forget gate has no bias", func(g *Graph) {
			n := g.node("/layers.1/attn/bias/forget_gate/Gemm")
			n.Input = n.Input[:2]
		}),
		inGraph("forget-sum-exclusive", "grape-fox", "a gate forgets from the token after", func(g *Graph) { attribute(g.inner("PathBias", "CumSum"), "exclusive").I = 1 }),
		inGraph("query-gate-sign", "grape-a", "the query's gate is read with the other sign", func(g *Graph) {
			g.feed("/layers.0/attn/bias/query_gate/Softplus", 0, "Neg", nil)
		}),
		inGraph("gates-swapped", "grape-a", "the gates' vectors of queries and keys change places", func(g *Graph) {
			a, b := g.node("/layers.1/attn/bias/query_gate/MatMul"), g.node("/layers.1/attn/bias/key_gate/MatMul")
			a.Input[1], b.Input[1] = b.Input[1], a.Input[1]
		}),
		inGraph("gate-rate", "grape-a", "the slopes of the key gates are in the reverse order", func(g *Graph) { g.reversed("/const//layers.0/attn/bias/key_gate/omega") }),
		inGraph("gate-without-softplus", "grape-a", "a gate is its plain inner product, of either sign", func(g *Graph) { g.bypass("/layers.0/attn/bias/key_gate/Softplus") }),
		inGraph("kernel-sign", "bloom-kerple", "far keys gain by a power of their distance", func(g *Graph) {
			g.table("/const//layers.0/attn/bias/r1", func(_, _ int, x float64) float64 { return -x })
		}),
		inGraph("kernel-exponent", "bloom-kerple", "the exponent is 1.01", func(g *Graph) {
			g.table("/const//layers.0/attn/bias/r2", func(_, _ int, x float64) float64 { return 1.01 * x })
		}),
		inGraph("kernel-of-the-other-side", "llama-kerple", "keys after the query lose, those before do not", func(g *Graph) {
			n := g.inner("PowerBias", "Sub")
			n.Input[0], n.Input[1] = n.Input[1], n.Input[0]
		}),
		inGraph("kernel-rates-reversed", "bloom-kerple-log", "r2 of the heads is in the reverse order", func(g *Graph) { g.reversed("/const//layers.0/attn/bias/r2") }),
		inGraph("kernel-not-a-logarithm", "bloom-kerple-log", "the argument takes the logarithm's place: ALiBi nearly", func(g *Graph) {
			n := g.inner("LogBias", "Where")
			n.Input[2] = n.Input[1]
		}),
		inGraph("path-rate-sign", "grape-ap", "β adds instead of taking away", func(g *Graph) {
			g.table("/const//layers.0/attn/bias/path/beta", func(_, _ int, x float64) float64 { return -x })
		}),
		inGraph("path-inclusive", "grape-ap", "the path counts its first key as well", func(g *Graph) { attribute(g.inner("PathIntegralBias", "CumSum"), "exclusive").I = 0 }),
		inGraph("path-counts-padding-between", "grape-ap", "in a call of several tokens the path counts padding as well", func(g *Graph) {
			several := g.before(names.MaskSeen, "Greater", []string{g.node(names.MaskSequence).Output[0], g.scalar(1)})
			g.feed(names.MaskSeen, 1, "Or", []string{several})
		}),
		inGraph("path-turns-forward", "grape-ap", "path vectors turn the other way", func(g *Graph) {
			g.feed("/layers.0/attn/bias/path/Rotation", 2, "Neg", nil)
		}),
		inGraph("path-vector-not-normalised", "grape-ap", "keys of the path are not normalised", func(g *Graph) { g.bypass("/layers.1/attn/bias/path/RMSNormalization") }),
	}
}

// column sets a column of a constant.
func (g *Graph) column(name string, at int, to float64) {
	g.table(name, func(_, column int, x float64) float64 {
		if column == at {
			return to
		}
		return x
	})
}

// reversed reverses a constant's numbers.
func (g *Graph) reversed(name string) {
	var list []float64
	g.table(name, func(_, _ int, x float64) float64 {
		list = append(list, x)
		return x
	})
	i := len(list)
	g.table(name, func(_, _ int, _ float64) float64 {
		i--
		return list[i]
	})
}

// reversedHeads reverses the heads, axis 1 of (1, heads, 1, n).
func (g *Graph) reversedHeads(name string) {
	dims := g.initializer(name).Dims
	width := int(dims[3])
	var list []float64
	g.table(name, func(_, _ int, x float64) float64 {
		list = append(list, x)
		return x
	})
	g.table(name, func(row, column int, _ float64) float64 { return list[(int(dims[1])-1-row)*width+column] })
}
