package written

import (
	"slices"

	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// gemm is x·wᵀ + c, or x·wᵀ: a MatMul on a weight that is transposed already, which
// whoever compares weights tells by its name.
func gemm(g *group) node {
	attrs := []*onnxpb.AttributeProto{integer("transB", 1)}
	switch {
	case g.has(names.Decoded):
		return g.decoded(attrs)
	case g.has(nbits) && (g.has("lows") || g.nodes[""].GetOpType() == "Gemm"):
		return g.withLows(attrs)
	case g.has(nbits):
		product := g.codes(nbits)
		last := g.take("", "Add", 2)
		g.reads(last, 0, out(product))
		return &onnxpb.NodeProto{OpType: "Gemm", Input: append(product.GetInput()[:2:2], last.GetInput()[1]), Output: last.GetOutput(), Attribute: attrs}
	case g.nodes[""].GetOpType() == nbits:
		last := g.codes("")
		return &onnxpb.NodeProto{OpType: "Gemm", Input: last.GetInput()[:2:2], Output: last.GetOutput(), Attribute: attrs}
	case !g.has("MatMul"):
		last := g.take("", "MatMul", 2)
		return &onnxpb.NodeProto{OpType: "Gemm", Input: last.GetInput(), Output: last.GetOutput(), Attribute: attrs}
	}
	product := g.take("MatMul", "MatMul", 2)
	last := g.take("", "Add", 2)
	g.reads(last, 0, out(product))
	return &onnxpb.NodeProto{OpType: "Gemm", Input: append(product.GetInput()[:2:2], last.GetInput()[1]), Output: last.GetOutput(), Attribute: attrs}
}

// withLows is x·wᵀ of codes, the product of what their blocks have beside them, and c.
func (g *group) withLows(attrs []*onnxpb.AttributeProto) node {
	product := g.codes(nbits)
	step := ""
	if g.has("lows") {
		step = "lows"
	}
	lows := g.take(step, "Gemm", 3, attrs...)
	g.reads(lows, 2, out(product))
	g.middles(g.joinedOf("codes", product.GetInput()[1]), lows)
	one := &onnxpb.NodeProto{OpType: "Gemm", Input: product.GetInput()[:2:2], Output: lows.GetOutput(), Attribute: attrs}
	if step != "" {
		last := g.take("", "Add", 2)
		g.reads(last, 0, out(lows))
		one.Input, one.Output = append(one.Input, last.GetInput()[1]), last.GetOutput()
	}
	return one
}

// decoded is x·wᵀ + c of a map that standard operators decode, and the product of what its
// blocks have beside their codes.
func (g *group) decoded(attrs []*onnxpb.AttributeProto) node {
	g.coded = true
	product := g.take(names.Decoded, "Gemm", min(max(len(g.nodes[names.Decoded].GetInput()), 2), 3), attrs...)
	last := g.take("", "Gemm", 3, attrs...)
	g.reads(last, 2, out(product))
	g.middles([]string{g.codesOf(product.GetInput()[1])}, last)
	return &onnxpb.NodeProto{OpType: "Gemm", Input: product.GetInput(), Output: last.GetOutput(), Attribute: attrs}
}

// codesOf is the initializer of codes that a map is decoded of: the first input of each of
// its nodes is what they decode.
func (g *group) codesOf(value string) string {
	for range len(g.makers) {
		n := g.makers[value]
		if n == nil || len(n.GetInput()) == 0 {
			break
		}
		value = n.GetInput()[0]
	}
	return value
}

// middles holds that the lows' product is with what its blocks have beside their codes:
// scales times the middle code, and lows, of the weights of the codes in their order.
func (g *group) middles(codes []string, lows node) {
	list := g.joined("middles", lows.GetInput()[1])
	if len(list) != len(codes) {
		g.fail("%s reads the lows of %d weights, and the codes of %d", lows.GetName(), len(list), len(codes))
		return
	}
	for i, value := range list {
		tensor, part, _, _ := names.RoundedOf(codes[i])
		scales, least := names.RoundedWeight(tensor, part, names.RoundedScales), names.RoundedWeight(tensor, part, names.RoundedLows)
		if tensor, part, of, ok := names.CodedOf(codes[i]); ok && of == names.Nibbles { // as the checkpoint has them
			scales, least = names.CodedWeight(tensor, part, names.Scales), names.CodedWeight(tensor, part, names.Offsets)
		}
		sum := g.makers[value]
		if sum.GetOpType() != "Add" || len(sum.GetInput()) != 2 || g.held(sum.GetInput()[1]) != least {
			g.fail("%s reads %s: expected the lows of %s", lows.GetName(), value, codes[i])
			return
		}
		half := g.makers[sum.GetInput()[0]]
		if half.GetOpType() != "Mul" || len(half.GetInput()) != 2 || g.held(half.GetInput()[0]) != scales {
			g.fail("%s reads %s: expected scales of %s times their middle code, and lows", lows.GetName(), value, codes[i])
			return
		}
	}
}

const nbits = "MatMulNBits"

// codes is a node of MatMulNBits: all that it reads beside x must be of one weight, or of
// several joined by rows in one order, and what enters it must stay float32.
func (g *group) codes(step string) node {
	n := g.nodes[step]
	g.taken++
	g.coded = true
	none := &onnxpb.NodeProto{Input: make([]string, 2), Output: make([]string, 1)}
	in := n.GetInput()
	if n.GetOpType() != nbits || n.GetDomain() != "com.microsoft" || len(in) < 3 || len(in) > 4 || len(n.GetOutput()) != 1 {
		g.fail("%s (%s) is no %s with codes, scales and zero points", n.GetName(), n.GetOpType(), nbits)
		return none
	}
	list := g.joined("codes", in[1])
	if _, _, _, ok := names.RoundedOf(list[0]); ok {
		return g.rounded(n, none, list)
	}
	tensor, part, of, ok := names.CodedOf(in[1])
	want := []string{names.CodedWeight(tensor, part, names.Nibbles), names.CodedWeight(tensor, part, names.Scales), names.CodedWeight(tensor, part, names.NibbleZeros)}
	if !ok || of != names.Nibbles || !slices.Equal(in[1:], want[:len(in)-1]) {
		g.fail("%s reads %v: expected the codes, scales and zero points of one weight", n.GetName(), in[1:])
		return none
	}
	for _, a := range n.GetAttribute() {
		should := map[string][]int64{"bits": {4}, "accuracy_level": {1, 4}, "K": {a.GetI()}, "N": {a.GetI()}, "block_size": {a.GetI()}}
		if !slices.Contains(should[a.GetName()], a.GetI()) {
			g.fail("%s has %s: expected bits = 4 and accuracy_level = 1, which leaves what enters it float32, or 4, which rounds it to 8 bits", n.GetName(), spell([]*onnxpb.AttributeProto{a}))
			return none
		}
	}
	if len(n.GetAttribute()) != 5 {
		g.fail("%s has the attributes %s: expected K, N, bits, block_size and accuracy_level", n.GetName(), spell(n.GetAttribute()))
		return none
	}
	return n
}

// joinedOf is joined where the step was taken already.
func (g *group) joinedOf(step, value string) []string {
	if n := g.nodes[step+"/Concat"]; len(n.GetInput()) > 1 && len(n.GetOutput()) == 1 && out(n) == value {
		return n.GetInput()
	}
	return []string{value}
}

// joined are the values of which the step joins the given one by rows, or that one.
func (g *group) joined(step, value string) []string {
	list := g.joinedOf(step, value)
	if len(list) > 1 || list[0] != value {
		list = g.take(step+"/Concat", "Concat", len(list), integer("axis", 0)).GetInput()
	}
	return list
}

// held is the initializer that a value is, as it lies or cast to float32.
func (g *group) held(value string) string {
	if n := g.makers[value]; n.GetOpType() == "Cast" && n.GetDomain() == "" && len(n.GetInput()) == 1 {
		value = n.GetInput()[0]
	}
	return value
}

// rounded is a node of MatMulNBits on weights that were rounded, by the names of their codes.
func (g *group) rounded(n, none node, list []string) node {
	in := n.GetInput()
	steps, want := []string{"scales", "zeros"}, []names.Rounded{names.RoundedScales, names.RoundedZeros}
	for i, value := range in[2:] {
		beside := g.joined(steps[i], value)
		if len(beside) != len(list) {
			g.fail("%s reads the codes of %d weights, and %s of %d", n.GetName(), len(list), steps[i], len(beside))
			return none
		}
		for k, name := range beside {
			tensor, part, _, _ := names.RoundedOf(list[k])
			if g.held(name) != names.RoundedWeight(tensor, part, want[i]) {
				g.fail("%s reads %s as input %d: expected what belongs to %s", n.GetName(), name, i+2, list[k])
				return none
			}
		}
	}
	for _, a := range n.GetAttribute() {
		if a.GetName() == "accuracy_level" && a.GetI() != 1 && a.GetI() != 4 {
			g.fail("%s has %s: expected 1, which leaves what enters it float32, or 4, which rounds it to 8 bits", n.GetName(), spell([]*onnxpb.AttributeProto{a}))
			return none
		}
	}
	return n
}
