package written

import "github.com/pecvt/pecvt/onnxops/onnxpb"

// gemm is x·wᵀ + c, or x·wᵀ: a MatMul on a weight that is transposed already, which
// whoever compares weights tells by its name.
func gemm(g *group) node {
	attrs := []*onnxpb.AttributeProto{integer("transB", 1)}
	if !g.has("MatMul") {
		last := g.take("", "MatMul", 2)
		return &onnxpb.NodeProto{OpType: "Gemm", Input: last.GetInput(), Output: last.GetOutput(), Attribute: attrs}
	}
	product := g.take("MatMul", "MatMul", 2)
	last := g.take("", "Add", 2)
	g.reads(last, 0, out(product))
	return &onnxpb.NodeProto{OpType: "Gemm", Input: append(product.GetInput()[:2:2], last.GetInput()[1]), Output: last.GetOutput(), Attribute: attrs}
}
