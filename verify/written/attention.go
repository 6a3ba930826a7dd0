package written

import "github.com/pecvt/pecvt/onnxops/onnxpb"

// attention is softmax(cap(scale·q kᵀ) + mask) v over the past, if any, and this call's keys. Where
// heads share keys, those of one group are rows of one product: a reshape before and
// after each product, whose number of heads is an attribute of what it stands for.
func attention(g *group) node {
	var key, value node
	columns := g.take("columns", "Transpose", 1, integers("perm", 0, 1, 3, 2))
	past := g.has("key")
	if past {
		key = g.take("key", "Concat", 2, integer("axis", 2))
		value = g.take("value", "Concat", 2, integer("axis", 2))
		g.reads(columns, 0, out(key))
	}
	product := g.take("product", "MatMul", 2)
	g.reads(product, 1, out(columns))
	scale := g.take("scale", "Mul", 2)
	g.reads(scale, 0, out(product))
	scaled, attrs := scale, []*onnxpb.AttributeProto{number("scale", g.numberOf(scale, 1))}
	if g.has("capped") {
		ratio, tanh := g.take("capped_ratio", "Div", 2), g.take("capped_tanh", "Tanh", 1)
		scaled = g.take("capped", "Mul", 2)
		g.reads(ratio, 0, out(scale))
		g.reads(tanh, 0, out(ratio))
		g.reads(scaled, 0, out(tanh))
		c := g.numberOf(ratio, 1)
		if other := g.numberOf(scaled, 1); other != c {
			g.fail("%s multiplies by %v: expected %v, by which %s divides", scaled.GetName(), other, c, ratio.GetName())
		}
		attrs = append(attrs, number("softcap", c))
	}
	masked := g.take("masked", "Add", 2)
	softmax := g.take("softmax", "Softmax", 1, integer("axis", -1))
	g.reads(softmax, 0, out(masked))
	query, shared := product.GetInput()[0], g.has("groups")
	var last, context node
	if shared {
		var heads, groups int64
		before := g.take("groups", "Reshape", 2)
		groups = g.regrouped(before)
		g.reads(product, 0, out(before))
		query = before.GetInput()[0]
		scores := g.take("scores", "Reshape", 2)
		g.reads(scores, 0, out(scaled))
		heads = g.regroupedAs(scores, "scores", query)
		g.reads(masked, 0, out(scores))
		shares := g.take("shares", "Reshape", 2)
		g.reads(shares, 0, out(softmax))
		if n := g.regroupedAs(shares, "shares", out(before)); n != groups {
			g.fail("%s makes %d groups of heads: expected %d", shares.GetName(), n, groups)
		}
		context = g.take("context", "MatMul", 2)
		g.reads(context, 0, out(shares))
		last = g.take("", "Reshape", 2)
		g.reads(last, 0, out(context))
		if n := g.regrouped(last); n != heads {
			g.fail("%s makes %d heads: expected %d", last.GetName(), n, heads)
		}
		if groups < 1 || heads <= groups || heads%groups != 0 {
			g.fail("%s has %d heads in %d groups", g.name, heads, groups)
		}
		attrs = append(attrs, integer("q_num_heads", heads))
	} else {
		g.reads(masked, 0, out(scaled))
		last = g.take("", "MatMul", 2)
		g.reads(last, 0, out(softmax))
		context = last
	}
	n := &onnxpb.NodeProto{OpType: "Attention", Attribute: attrs, Output: []string{out(last)},
		Input: []string{query, columns.GetInput()[0], context.GetInput()[1], masked.GetInput()[1]}}
	if past {
		g.reads(context, 1, out(value))
		n.Input = []string{query, key.GetInput()[1], value.GetInput()[1], masked.GetInput()[1], key.GetInput()[0], value.GetInput()[0]}
		n.Output = append(n.Output, out(key), out(value))
	}
	return n
}

// regrouped is n of a reshape of four axes to (as it was, n, the rest, as it was).
func (g *group) regrouped(n node) int64 {
	to := g.intsOf(n, 1)
	if len(to) != 4 || to[0] != 0 || to[1] < 1 || to[2] != -1 || to[3] != 0 {
		g.fail("%s reshapes to %v: expected [0 n -1 0]", n.GetName(), to)
		return 0
	}
	return to[1]
}

// regroupedAs is n of a reshape to (as it was, n, as many rows as another value has,
// as it was).
func (g *group) regroupedAs(n node, step, like string) int64 {
	shape := g.take(step+"_shape", "Concat", 3, integer("axis", 0))
	g.reads(n, 1, out(shape))
	to := g.intsOf(shape, 0)
	if len(to) != 2 || to[0] != 0 || to[1] < 1 {
		g.fail("%s begins with %v: expected [0 n]", shape.GetName(), to)
		return 0
	}
	rows := g.take(step+"_rows", "Shape", 1, integer("start", 2), integer("end", 3))
	g.reads(rows, 0, like)
	g.reads(shape, 1, out(rows))
	g.areInts(shape, 2, 0)
	return to[1]
}
