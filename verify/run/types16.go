package run

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/posenc"
)

// Lowest is the least finite number of a type that graphs compute in.
func Lowest(t onnxpb.TensorProto_DataType) float64 {
	switch t {
	case onnxpb.TensorProto_FLOAT16:
		return -65504
	case onnxpb.TensorProto_BFLOAT16:
		return -0x1.fep127
	}
	return -math.MaxFloat32
}

// wide are operators whose numbers need float32: sums over a text, distances, angles,
// recurrences, and the choice of experts.
var wide = []string{"RelativeBias", "LogBias", "PowerBias", "PathBias", "PathIntegralBias", "ContextPhase", "Scan", "TopK", "CumSum", "Cos", "Sin"}

// moving are operators whose output is their input's numbers.
var moving = []string{"Gather", "Reshape", "Transpose", "Unsqueeze", "Squeeze", "Slice", "Expand", "Identity", "Concat", "Split"}

// WrongTypes tells what is wrong with the types of a graph that computes in 16 bits, ""
// for nothing, and for a graph in float32: of what Widen would not show, since it takes
// these types away.
func WrongTypes(m *onnxpb.ModelProto, computes onnxpb.TensorProto_DataType) string {
	if int32(computes) == single {
		return ""
	}
	g := m.GetGraph()
	types := map[string]int32{}
	constants := map[string]*onnxpb.TensorProto{}
	for _, t := range g.GetInitializer() {
		types[t.GetName()] = t.GetDataType()
		if t.GetRawData() != nil {
			constants[t.GetName()] = t
		}
	}
	for _, v := range slices.Concat(g.GetInput(), g.GetOutput(), g.GetValueInfo()) {
		types[v.GetName()] = v.GetType().GetTensorType().GetElemType()
	}
	spell := func(t int32) string { return onnxpb.TensorProto_DataType(t).String() }
	for _, in := range g.GetInput() {
		_, kind, ok := names.CacheOf(in.GetName())
		present, known := names.PresentOf(in.GetName())
		switch {
		case !ok || !known:
		case slices.Contains([]string{names.Key, names.Value, names.Latent}, kind) && types[in.GetName()] != int32(computes):
			return fmt.Sprintf("input %q is %s: the graph computes in %s, and keeps keys and values in it", in.GetName(), spell(types[in.GetName()]), computes)
		case types[present] != types[in.GetName()]:
			return fmt.Sprintf("input %q is %s and the output %q %s: expected one type, since the one is given as the other", in.GetName(), spell(types[in.GetName()]), present, spell(types[present]))
		}
	}
	stored := map[string]bool{}     // numbers of weights in the type that they are stored in
	narrowed := map[string]string{} // float32 that was rounded: by which Cast
	for _, t := range g.GetInitializer() {
		stored[t.GetName()] = half(t.GetDataType())
	}
	for _, n := range g.GetNode() {
		in := n.GetInput()
		if to, ok := castTo(n); ok {
			switch {
			case to == int32(computes) && types[in[0]] == single:
				if found := outside(constants[in[0]], computes); found != "" {
					return fmt.Sprintf("node %q casts %q to %s: %s", n.GetName(), in[0], computes, found)
				}
				narrowed[n.GetOutput()[0]] = n.GetName()
			case to != int32(computes) && narrowed[in[0]] != "":
				return fmt.Sprintf("node %q widens what %q rounded from float32 to %s: expected the numbers as they were", n.GetName(), narrowed[in[0]], computes)
			}
			continue
		}
		for i, name := range in {
			if stored[name] {
				if !slices.Contains(movers, n.GetOpType()) {
					return fmt.Sprintf("node %q (%s) reads %q as it is stored: expected a Cast between", n.GetName(), n.GetOpType(), name)
				}
				for _, out := range n.GetOutput() {
					stored[out] = true
				}
			}
			if slices.Contains(wide, n.GetOpType()) && half(types[name]) {
				return fmt.Sprintf("node %q (%s) reads %q in %s: expected float32", n.GetName(), n.GetOpType(), name, spell(types[name]))
			}
			if by := narrowed[name]; by != "" && i == 0 && slices.Contains(moving, n.GetOpType()) {
				for _, out := range n.GetOutput() {
					narrowed[out] = by
				}
			}
		}
	}
	return ""
}

// outside tells of a number of a float32 constant that a type of 16 bits does not hold.
func outside(t *onnxpb.TensorProto, computes onnxpb.TensorProto_DataType) string {
	to := posenc.Float16
	if computes == onnxpb.TensorProto_BFLOAT16 {
		to = posenc.BFloat16
	}
	raw := t.GetRawData()
	for i := 0; i+4 <= len(raw); i += 4 {
		v := float64(math.Float32frombits(binary.LittleEndian.Uint32(raw[i:])))
		if r := to.Round(v); math.IsInf(r, 0) && !math.IsInf(v, 0) {
			return fmt.Sprintf("number %d is %g, which becomes %g: expected at most %g", i/4, v, r, -Lowest(computes))
		}
	}
	return ""
}
