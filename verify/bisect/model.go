package bisect

import (
	"fmt"
	"strings"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// partOf is the part of the model that a node computes, by its name.
func (s *search) partOf(node string) (family.Part, bool) {
	at := strings.LastIndexByte(node, '/')
	if at < 0 {
		return family.Part{}, false
	}
	if s.parts == nil {
		s.parts = map[string]family.Part{}
		for _, p := range s.model.Parts() {
			s.parts[p.Path()] = p
			for _, side := range []names.Side{names.Q, names.K} {
				if p.Place == side.Norm() {
					s.parts[names.Layer(p.Layer, side.TokenNorm())] = p
				}
			}
		}
	}
	p, ok := s.parts[node[:at]]
	return p, ok
}

// weightOf is the checkpoint's weight that an input of a node should be, nil
// where the node's name does not tell.
func (s *search) weightOf(name string, input int) *family.Weight {
	p, ok := s.partOf(name)
	if !ok {
		return nil
	}
	weight := func(role string) *family.Weight {
		for _, w := range p.Weights {
			if w.Name == role {
				return w.Weight
			}
		}
		return nil
	}
	op := name[strings.LastIndexByte(name, '/')+1:]
	switch {
	case p.Kind == family.KindEmbedding && name == names.EmbedRows && input == 0:
		return weight("weight")
	case p.Kind == family.KindEmbedding && name == names.EmbedShifted && input == 1:
		return weight("shift")
	case p.Kind != family.KindNorm && (p.Kind != family.KindLinear || op != "Gemm"):
		return nil
	case input == 1:
		return weight("weight")
	case input == 2:
		return weight("bias")
	}
	return nil
}

// weightAt is weightOf for a node: where a product with codes has a bias, the node of that
// name is the sum of both.
func (s *search) weightAt(n node, input int) *family.Weight {
	if b := s.weightOf(n.GetName(), 2); b != nil && n.GetOpType() != "Gemm" && input == 1 {
		return b
	}
	return s.weightOf(n.GetName(), input)
}

// normOf is the norm that a node computes, nil for other nodes.
func (s *search) normOf(name string) *family.Norm {
	p, _ := s.partOf(name)
	n, _ := p.Of.(*family.Norm)
	if n == nil || !strings.HasSuffix(name, "Normalization") {
		return nil
	}
	return n
}

// attentionOf is a stage's attention, nil where it has none.
func (s *search) attentionOf(layer int) *family.Attention {
	if layer < 0 || layer >= len(s.model.Blocks) {
		return nil
	}
	return s.model.Blocks[layer].Attn()
}

// attributesOf spells a node's attributes; one that is not the model's says so.
func (s *search) attributesOf(n node, layer int) []string {
	should := map[string]float64{}
	if norm := s.normOf(n.GetName()); norm != nil {
		should["epsilon"] = float64(float32(norm.Eps))
	}
	if a := s.attentionOf(layer); a != nil {
		switch n.GetOpType() {
		case "Attention", "GroupQueryAttention", "RelativeAttention", "PathAttention", "PathIntegralAttention":
			should["scale"] = float64(float32(a.Scale))
			should["num_heads"], should["kv_num_heads"] = float64(a.Heads), float64(a.KVHeads)
			should["local_window_size"] = float64(a.Window)
		case "Rotation":
			size := a.QKDim
			if s.info.Cache == names.Latent && a.Latent != nil && strings.HasSuffix(n.GetName(), names.K.Heads()+names.Rotation) {
				size = a.Latent.Turned
			}
			should["rotary_embedding_dim"], should["interleaved"] = float64(a.Rotary.Dim%size), float64(a.Rotary.Pairing) // 0 is all of a head
		}
	}
	if n.GetOpType() == "Gemm" {
		should["transB"] = 1
	}
	var list []string
	for _, attr := range n.GetAttribute() {
		var text string
		got := 0.0
		switch attr.GetType() {
		case onnxpb.AttributeProto_INT:
			text, got = fmt.Sprint(attr.GetI()), float64(attr.GetI())
		case onnxpb.AttributeProto_FLOAT:
			text, got = fmt.Sprint(attr.GetF()), float64(attr.GetF())
		case onnxpb.AttributeProto_INTS:
			text = fmt.Sprint(attr.GetInts())
		case onnxpb.AttributeProto_STRING:
			text = string(attr.GetS())
		default:
			continue
		}
		text = attr.GetName() + "=" + text
		if want, known := should[attr.GetName()]; known && want != got {
			text += fmt.Sprintf(" (the model's is %v)", float32(want))
		}
		list = append(list, text)
	}
	return list
}

// wired is the value that an emitted graph joins to an input of a node, "" where
// that is not fixed. Values may be right and yet not belong there.
func (s *search) wired(n node, input, layer int) string {
	switch n.GetOpType() {
	case "Rotation":
		cos, sin := strings.LastIndex(at(n, 1), "/cos/"), strings.LastIndex(at(n, 2), "/sin/")
		if input == 1 && cos < 0 {
			if k := strings.LastIndex(at(n, 1), "/sin/"); k >= 0 {
				return at(n, 1)[:k] + "/cos/" + at(n, 1)[k+len("/sin/"):]
			}
		}
		if input == 2 && sin < 0 {
			if k := strings.LastIndex(at(n, 2), "/cos/"); k >= 0 {
				return at(n, 2)[:k] + "/sin/" + at(n, 2)[k+len("/cos/"):]
			}
		}
	case "Attention":
		return map[int]string{4: names.Past(layer, names.Key), 5: names.Past(layer, names.Value)}[input]
	case "GroupQueryAttention", "RelativeAttention", "PathAttention", "PathIntegralAttention":
		return map[int]string{3: names.Past(layer, names.Key), 4: names.Past(layer, names.Value)}[input]
	}
	return ""
}

func at(n node, input int) string {
	if input < len(n.GetInput()) {
		return n.GetInput()[input]
	}
	return ""
}

// lacking tells of weights that the model has and a node does not read.
func (s *search) lacking(n node) []string {
	if b := s.weightOf(n.GetName(), 2); b != nil && at(n, 2) == "" && n.GetOpType() == "Gemm" {
		return []string{fmt.Sprintf("the node has no input 2: the model has a bias here, %s", b.Tensor)}
	}
	return nil
}
