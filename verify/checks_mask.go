package verify

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// unmasked tells of a node that makes a mask of scores with another number for a
// key that is not seen than the lowest of the type that the graph computes in, or −∞. With −1e4, which is common, no
// prompt of small scores shows a difference; scores that far apart do.
func unmasked(n *onnxpb.NodeProto, weights map[string]*onnxpb.TensorProto, lowest float64) string {
	_, node, ok := names.WindowOf(n.GetName())
	if _, below, chunk := names.ChunkOf(n.GetName()); chunk {
		node, ok = below, true
	}
	if !ok || node != names.MaskScore || n.GetOpType() != "Where" || len(n.GetInput()) != 3 {
		return ""
	}
	return unseen(n.GetName(), weights[n.GetInput()[2]], lowest)
}

// unmaskedInside tells the same of the body of an operator that makes its mask
// itself.
func unmaskedInside(f *onnxpb.FunctionProto) string {
	constants := map[string]*onnxpb.TensorProto{}
	for _, n := range f.GetNode() {
		if n.GetOpType() == "Constant" && len(n.GetAttribute()) == 1 && len(n.GetOutput()) == 1 {
			constants[n.GetOutput()[0]] = n.GetAttribute()[0].GetT()
		}
		if n.GetOpType() == "Where" && len(n.GetInput()) == 3 && len(n.GetOutput()) == 1 && n.GetOutput()[0] == "mask" {
			return unseen("function "+f.GetName(), constants[n.GetInput()[2]], -math.MaxFloat32)
		}
	}
	return ""
}

// unseen holds the number that a key that is not seen has added to its score.
func unseen(name string, t *onnxpb.TensorProto, lowest float64) string {
	raw := t.GetRawData()
	if len(raw) != 4 {
		return fmt.Sprintf("%s takes no float32 constant for a key that is not seen: expected %g", name, lowest)
	}
	if v := float64(math.Float32frombits(binary.LittleEndian.Uint32(raw))); !(v <= lowest) {
		return fmt.Sprintf("%s adds %g to the score of a key that is not seen: expected %g", name, v, lowest)
	}
	return ""
}
