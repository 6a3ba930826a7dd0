package verify

import (
	"fmt"
	"math"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/verify/report"
)

// attributes compares the numbers that the graph's nodes carry with config.json's,
// exactly: the ε of every norm, the scale of scores, heads, windows, pairing and
// width of rotations, the activation's form; and that no node carries one that the
// model has no word for (a cap on scores, a factor on a product). A wrong ε may
// move no logit beyond what rounding does, and is wrong all the same for another
// prompt.
func (s *session) attributes() {
	c := report.Check{Name: "attributes", Runner: "interp", Against: "config.json", Verdict: report.Pass}
	want := s.wantedAttributes()
	seen := 0
	for _, n := range s.info.Model.GetGraph().GetNode() {
		w, ok := want[n.GetName()]
		if _, plain := neutral[n.GetOpType()]; !ok && !plain {
			continue
		}
		seen++
		if found := wrongAttribute(n, w); found != "" {
			c.Verdict, c.Detail = report.Fail, found
			c.Blame = "the emission is wrong, or config.json was changed after it: emit the graph again with pecvt export"
			break
		}
	}
	if seen == 0 {
		c.Verdict, c.Detail = report.Skipped, "the graph does not name its nodes as pecvt does"
	}
	s.add(c)
}

// numbers are attributes by name: float32, int64 or string.
type numbers map[string]any

// neutral are the operators whose attributes are judged, with the values that
// an attribute has where it is left out or may as well be.
var neutral = map[string]numbers{
	"RMSNormalization":    {"axis": int64(-1), "epsilon": float32(1e-5), "stash_type": int64(1)},
	"LayerNormalization":  {"axis": int64(-1), "epsilon": float32(1e-5), "stash_type": int64(1)},
	"Gemm":                {"alpha": float32(1), "beta": float32(1), "transA": int64(0), "transB": int64(1)},
	"Gelu":                {"approximate": "none"},
	"Attention":           {"is_causal": int64(0), "softcap": float32(0), "qk_matmul_output_mode": int64(0)},
	"GroupQueryAttention": {"do_rotary": int64(1), "rotary_interleaved": int64(0), "local_window_size": int64(-1), "softcap": float32(0), "smooth_softmax": int64(0)},
	"Rotation":            {},
}

// wantedAttributes are the attributes that follow from config.json, by node.
func (s *session) wantedAttributes() map[string]numbers {
	want := map[string]numbers{}
	norm := func(prefix string, n *family.Norm) {
		if n == nil {
			return
		}
		op := "RMSNormalization"
		if n.Kind == family.LayerNorm {
			op = "LayerNormalization"
		}
		want[prefix+"/"+op] = numbers{"epsilon": float32(n.Eps)}
	}
	norm("/embed_norm", s.model.EmbedNorm)
	norm("/final_norm", &s.model.FinalNorm)
	for i := range s.model.Blocks {
		b := &s.model.Blocks[i]
		a, prefix := b.Attn(), fmt.Sprintf("/layers.%d", i)
		at := prefix + "/attn"
		norm(prefix+"/attn_norm", b.AttnNorm)
		norm(prefix+"/mlp_norm", b.MLPNorm)
		norm(at+"/head_norm", a.HeadNorm)
		for part, n := range map[string]*family.Norm{"q": a.QNorm, "k": a.KNorm} {
			norm(at+"/"+part+"_norm", n)
			norm(at+"/"+part+"_token_norm", n)
		}
		if a.Bias != nil && a.Bias.Kind == family.Path {
			want[at+"/bias/path/RMSNormalization"] = numbers{"epsilon": float32(a.Bias.Eps)}
		}
		scale := float32(a.Scale)
		want[at+"/Attention"] = numbers{"scale": scale}
		interleaved := int64(0)
		if a.Rotary.Pairing == posenc.Interleaved {
			interleaved = 1
		}
		window := int64(-1)
		if a.Window > 0 {
			window = int64(a.Window)
		}
		want[at+"/GroupQueryAttention"] = numbers{"scale": scale, "num_heads": int64(a.Heads), "kv_num_heads": int64(a.KVHeads),
			"rotary_interleaved": interleaved, "local_window_size": window}
		for _, part := range []string{"q", "k"} {
			want[at+"/"+part+"/Rotation"] = numbers{"interleaved": interleaved, "rotary_embedding_dim": int64(a.Rotary.Dim)}
		}
		approximate := "none"
		if b.MLP().Act == "gelu_tanh" {
			approximate = "tanh"
		}
		want[prefix+"/mlp/act/Gelu"] = numbers{"approximate": approximate}
	}
	return want
}

// wrongAttribute tells of an attribute of a node that is not what it should be,
// "" where all are. Of a node that nothing is known of, an attribute that the
// operator's neutral ones do not name is let pass.
func wrongAttribute(n *onnxpb.NodeProto, want numbers) string {
	plain := neutral[n.GetOpType()]
	seen := map[string]bool{}
	for _, a := range n.GetAttribute() {
		name := a.GetName()
		seen[name] = true
		should, ok := want[name]
		if !ok {
			should, ok = plain[name]
			if name == "epsilon" {
				continue // of a norm that nothing is known of
			}
		}
		got := valueOf(a)
		switch {
		case !ok && want != nil && plain != nil:
			return fmt.Sprintf("%s has %s = %v: config.json asks for none", n.GetName(), name, got)
		case ok && !sameNumber(got, should):
			return fmt.Sprintf("%s has %s = %v: expected %v", n.GetName(), name, got, should)
		}
	}
	for _, name := range []string{"epsilon", "scale", "num_heads", "kv_num_heads", "rotary_interleaved", "local_window_size", "interleaved", "rotary_embedding_dim", "approximate"} {
		should, ok := want[name]
		if ok && !seen[name] && !sameNumber(plain[name], should) {
			return fmt.Sprintf("%s has no %s: expected %v", n.GetName(), name, should)
		}
	}
	return ""
}

func valueOf(a *onnxpb.AttributeProto) any {
	switch a.GetType() {
	case onnxpb.AttributeProto_FLOAT:
		return a.GetF()
	case onnxpb.AttributeProto_INT:
		return a.GetI()
	case onnxpb.AttributeProto_STRING:
		return string(a.GetS())
	}
	return a.GetType()
}

// sameNumber compares values exactly; 0 and −0 are one.
func sameNumber(a, b any) bool {
	x, ok1 := a.(float32)
	y, ok2 := b.(float32)
	if ok1 && ok2 {
		return x == y && !math.IsNaN(float64(x))
	}
	return a == b
}
