package verify

import (
	"fmt"
	"strings"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// weightOf is the checkpoint's weight that an input of a node should be, nil
// where the node's name does not tell.
func (s *session) weightOf(name string, input, layer int) *family.Weight {
	m := s.model
	ofNorm := func(n *family.Norm) *family.Weight {
		switch {
		case n == nil:
			return nil
		case input == 1:
			return &n.Weight
		case input == 2:
			return n.Bias
		}
		return nil
	}
	ofLinear := func(l *family.Linear) *family.Weight {
		switch input {
		case 1:
			return &l.Weight
		case 2:
			return l.Bias
		}
		return nil
	}
	switch {
	case name == "/embed/Gather" && input == 0:
		return &m.Embed
	case name == "/head/Gemm":
		return ofLinear(&m.Head)
	case strings.HasPrefix(name, "/embed_norm/"):
		return ofNorm(m.EmbedNorm)
	case strings.HasPrefix(name, "/final_norm/"):
		return ofNorm(&m.FinalNorm)
	}
	step, ok := strings.CutPrefix(name, fmt.Sprintf("/layers.%d/", layer))
	if !ok || layer < 0 || layer >= len(m.Blocks) {
		return nil
	}
	b := &m.Blocks[layer]
	if linear := map[string]*family.Linear{
		"attn/q_proj/Gemm": &b.Attn().Q, "attn/k_proj/Gemm": &b.Attn().K, "attn/v_proj/Gemm": &b.Attn().V, "attn/o_proj/Gemm": &b.Attn().O,
		"mlp/gate_proj/Gemm": &b.MLP().Gate, "mlp/up_proj/Gemm": &b.MLP().Up, "mlp/down_proj/Gemm": &b.MLP().Down,
	}[step]; linear != nil {
		return ofLinear(linear)
	}
	if n := s.normOf(name, layer); n != nil {
		return ofNorm(n)
	}
	return nil
}

// normOf is the norm that a node of a layer computes, nil for other nodes.
func (s *session) normOf(name string, layer int) *family.Norm {
	m := s.model
	at := strings.LastIndexByte(name, '/')
	if at < 0 || !strings.HasSuffix(name, "Normalization") {
		return nil
	}
	switch name[:at] {
	case "/final_norm":
		return &m.FinalNorm
	case "/embed_norm":
		return m.EmbedNorm
	}
	step, ok := strings.CutPrefix(name[:at], fmt.Sprintf("/layers.%d/", layer))
	if !ok || layer < 0 || layer >= len(m.Blocks) {
		return nil
	}
	b := &m.Blocks[layer]
	return map[string]*family.Norm{
		"attn_norm": b.AttnNorm, "mlp_norm": b.MLPNorm, "attn/q_norm": b.Attn().QNorm, "attn/k_norm": b.Attn().KNorm, "attn/head_norm": b.Attn().HeadNorm,
	}[step]
}

// attributesOf spells a node's attributes; one that is not the model's says so.
func (s *session) attributesOf(n node, layer int) []string {
	should := map[string]float64{}
	if norm := s.normOf(n.GetName(), layer); norm != nil {
		should["epsilon"] = float64(float32(norm.Eps))
	}
	if layer >= 0 && layer < len(s.model.Blocks) {
		a := s.model.Blocks[layer].Attn()
		switch n.GetOpType() {
		case "Attention", "GroupQueryAttention":
			should["scale"] = float64(float32(a.Scale))
			should["num_heads"], should["kv_num_heads"] = float64(a.Heads), float64(a.KVHeads)
			should["local_window_size"] = float64(a.Window)
		case "Rotation":
			should["rotary_embedding_dim"], should["interleaved"] = float64(a.Rotary.Dim), float64(a.Rotary.Pairing)
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
func (s *session) wired(n node, input, layer int) string {
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
		return map[int]string{4: fmt.Sprintf("past_key_values.%d.key", layer), 5: fmt.Sprintf("past_key_values.%d.value", layer)}[input]
	case "GroupQueryAttention":
		return map[int]string{3: fmt.Sprintf("past_key_values.%d.key", layer), 4: fmt.Sprintf("past_key_values.%d.value", layer)}[input]
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
func (s *session) lacking(n node, layer int) []string {
	if b := s.weightOf(n.GetName(), 2, layer); b != nil && at(n, 2) == "" {
		return []string{fmt.Sprintf("the node has no input 2: the model has a bias here, %s", b.Tensor)}
	}
	return nil
}
