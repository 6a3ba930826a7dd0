package verify

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// unmasked tells of a node that makes a mask of scores with another number for a
// key that is not seen than float32's lowest, or −∞. With −1e4, which is common, no
// prompt of small scores shows a difference; scores that far apart do.
func unmasked(n *onnxpb.NodeProto, weights map[string]*onnxpb.TensorProto) string {
	_, node, ok := names.WindowOf(n.GetName())
	if _, below, chunk := names.ChunkOf(n.GetName()); chunk {
		node, ok = below, true
	}
	if !ok || node != names.MaskScore || n.GetOpType() != "Where" || len(n.GetInput()) != 3 {
		return ""
	}
	raw := weights[n.GetInput()[2]].GetRawData()
	if len(raw) != 4 {
		return fmt.Sprintf("%s takes no float32 constant for a key that is not seen: expected %g", n.GetName(), -math.MaxFloat32)
	}
	if v := math.Float32frombits(binary.LittleEndian.Uint32(raw)); !(v <= -math.MaxFloat32) {
		return fmt.Sprintf("%s adds %g to the score of a key that is not seen: expected %g", n.GetName(), v, -math.MaxFloat32)
	}
	return ""
}
