package written

import (
	"slices"
	"strings"

	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// gemm is x·wᵀ + c, or x·wᵀ: a MatMul on a weight that is transposed already, which
// whoever compares weights tells by its name.
func gemm(g *group) node {
	attrs := []*onnxpb.AttributeProto{integer("transB", 1)}
	switch {
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
	one := &onnxpb.NodeProto{OpType: "Gemm", Input: product.GetInput()[:2:2], Output: lows.GetOutput(), Attribute: attrs}
	if step != "" {
		last := g.take("", "Add", 2)
		g.reads(last, 0, out(lows))
		one.Input, one.Output = append(one.Input, last.GetInput()[1]), last.GetOutput()
	}
	return one
}

const nbits = "MatMulNBits"

// codes is a node of MatMulNBits: all that it reads beside x must be of one weight, and
// what enters it must stay float32.
func (g *group) codes(step string) node {
	n := g.nodes[step]
	g.taken++
	none := &onnxpb.NodeProto{Input: make([]string, 2), Output: make([]string, 1)}
	in := n.GetInput()
	if n.GetOpType() != nbits || n.GetDomain() != "com.microsoft" || len(in) < 3 || len(in) > 4 || len(n.GetOutput()) != 1 {
		g.fail("%s (%s) is no %s with codes, scales and zero points", n.GetName(), n.GetOpType(), nbits)
		return none
	}
	if _, _, _, ok := names.RoundedOf(in[1]); ok {
		return g.rounded(n, none)
	}
	tensor, part, of, ok := names.CodedOf(in[1])
	want := []string{names.CodedWeight(tensor, part, names.Nibbles), names.CodedWeight(tensor, part, names.Scales), names.CodedWeight(tensor, part, names.NibbleZeros)}
	if !ok || of != names.Nibbles || !slices.Equal(in[1:], want[:len(in)-1]) {
		g.fail("%s reads %v: expected the codes, scales and zero points of one weight", n.GetName(), in[1:])
		return none
	}
	for _, a := range n.GetAttribute() {
		should := map[string]int64{"bits": 4, "accuracy_level": 1, "K": a.GetI(), "N": a.GetI(), "block_size": a.GetI()}
		if v, ok := should[a.GetName()]; !ok || v != a.GetI() {
			g.fail("%s has %s: expected bits = 4 and accuracy_level = 1, which leaves what enters it float32", n.GetName(), spell([]*onnxpb.AttributeProto{a}))
			return none
		}
	}
	if len(n.GetAttribute()) != 5 {
		g.fail("%s has the attributes %s: expected K, N, bits, block_size and accuracy_level", n.GetName(), spell(n.GetAttribute()))
		return none
	}
	return n
}

// rounded is a node of MatMulNBits on a weight that was rounded.
func (g *group) rounded(n, none node) node {
	in := n.GetInput()
	tensor, part, _, _ := names.RoundedOf(in[1])
	want := []names.Rounded{names.RoundedScales, names.RoundedZeros}
	for i, name := range in[2:] {
		if !strings.Contains(name, names.RoundedWeight(tensor, part, want[i])) {
			g.fail("%s reads %s as input %d: expected what belongs to %s", n.GetName(), name, i+2, in[1])
			return none
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
