package verify

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// attributes compares the numbers that the graph's nodes carry with config.json's,
// exactly: the ε of every norm, the scale of scores, heads, windows, pairing and
// width of rotations, the activation's form; and that no node carries one that the
// model has no word for (a cap on scores, a factor on a product). A wrong ε may
// move no logit beyond what rounding does, and is wrong all the same for another
// prompt. A node that is not found by its name leaves the check incomplete.
func (s *session) attributes() {
	c := report.Check{Name: report.CheckAttributes, Runner: run.InterpName, Against: "config.json", Verdict: report.Pass}
	if err := s.model.Beyond(judged...); err != nil {
		c.Verdict, c.Detail = report.Incomplete, err.Error()
		s.add(c)
		return
	}
	want, nodes := s.wantedAttributes()
	there := map[string]bool{}
	if name, why := s.miswritten(); name != "" {
		c.Verdict, c.Detail = report.Fail, why
	}
	weights := run.NewPlan(s.info.Model).Weights
	for _, f := range s.info.Model.GetFunctions() {
		if found := unmaskedInside(f); c.Verdict == report.Pass && found != "" {
			c.Verdict, c.Detail = report.Fail, found
		}
	}
	for _, n := range s.info.Written.Nodes {
		there[n.GetName()] = true
		if found := unmasked(n, weights, run.Lowest(s.computes)); c.Verdict == report.Pass && found != "" {
			c.Verdict, c.Detail = report.Fail, found
			break
		}
		w, ok := want[n.GetName()]
		if _, plain := neutral[n.GetOpType()]; !ok && !plain {
			continue
		}
		if found := wrongAttribute(n, w); c.Verdict == report.Pass && found != "" {
			c.Verdict, c.Detail = report.Fail, found
			break
		}
	}
	for _, any := range nodes {
		if c.Verdict == report.Pass && !slices.ContainsFunc(any, func(name string) bool { return there[name] }) {
			c.Verdict, c.Detail = report.Incomplete, unnamed(any[0])
		}
	}
	s.add(c)
}

// miswritten is the first operator, by name, whose nodes are not as it is written
// out, and says what they are.
func (s *session) miswritten() (name, why string) {
	for _, name := range slices.Sorted(maps.Keys(s.info.Written.Wrong)) {
		return name, fmt.Sprintf("the nodes of %s are not those of the operator written out: %s", name, s.info.Written.Wrong[name])
	}
	return "", ""
}

// unnamed says that a node is not found by its name, and what that means.
func unnamed(node string) string {
	return fmt.Sprintf("the graph has no node %s: what it computes is not judged here; names were changed or stripped after the emission: emit the graph again with pecvt export", node)
}

// judged are the parts of a model, beyond llama's, whose numbers in a graph are
// known here.
var judged = family.Settled()

// numbers are attributes by name: float32, int64, string or either.
type numbers map[string]any

// either is a value that an attribute may spell in two ways.
type either [2]any

func (e either) String() string { return fmt.Sprintf("%v or %v", e[0], e[1]) }

// neutral are the operators whose attributes are judged, with the values that
// an attribute has where it is left out or may as well be.
var neutral = map[string]numbers{
	"RMSNormalization":      {"axis": int64(-1), "epsilon": float32(1e-5), "stash_type": int64(1)},
	"LayerNormalization":    {"axis": int64(-1), "epsilon": float32(1e-5), "stash_type": int64(1)},
	"Gemm":                  {"alpha": float32(1), "beta": float32(1), "transA": int64(0), "transB": int64(1)},
	"Gelu":                  {"approximate": "none"},
	"Attention":             {"is_causal": int64(0), "softcap": float32(0), "qk_matmul_output_mode": int64(0)},
	"GroupQueryAttention":   {"do_rotary": int64(1), "rotary_interleaved": int64(0), "local_window_size": int64(-1), "softcap": float32(0), "smooth_softmax": int64(0)},
	"Rotation":              {},
	"RelativeAttention":     {"softcap": float32(0)}, // these have no cap
	"PathAttention":         {"softcap": float32(0)},
	"PathIntegralAttention": {"softcap": float32(0)},
}

// wantedAttributes are the attributes that follow from config.json, by node, and
// the nodes that the model's parts are: of several, one.
func (s *session) wantedAttributes() (want map[string]numbers, nodes [][]string) {
	want = map[string]numbers{}
	must := func(name string, n numbers) {
		want[name] = n
		nodes = append(nodes, []string{name})
	}
	gelu := func(path, act string) {
		if approximate, ok := map[string]string{"gelu": "none", "gelu_tanh": "tanh"}[act]; ok {
			must(names.Node(path, "Gelu"), numbers{"approximate": approximate})
		}
	}
	for _, p := range s.model.Parts() {
		if p.Unread {
			continue
		}
		path := p.Path()
		switch of := p.Of.(type) {
		case *family.Norm:
			epsilon := numbers{"epsilon": float32(of.Eps)}
			must(names.Node(path, names.NormOp(of)), epsilon)
			for _, side := range []names.Side{names.Q, names.K} { // its copy that a bias reads
				if p.Place == side.Norm() {
					want[names.Node(names.Layer(p.Layer, side.TokenNorm()), names.NormOp(of))] = epsilon
				}
			}
		case *family.Linear:
			one := []string{names.Node(path, "Gemm"), names.Node(path, "MatMul")} // the latter where a cache holds latents
			if joined := names.Joining(path); joined != "" {
				one = append(one, names.Node(joined, "Gemm"))
			}
			nodes = append(nodes, one)
		case *family.Bias:
			if of.Kind == family.Path {
				must(names.Node(names.Layer(p.Layer, names.PathNorm), "RMSNormalization"), numbers{"epsilon": float32(of.Eps)})
			}
		case *family.MLP:
			gelu(names.Layer(p.Layer, names.Act), of.Act)
		case *family.Experts:
			for e := range of.Each {
				at := family.AtExpert(e, names.Act)
				if of.Alike() {
					at = family.AtExperts(names.Act)
				}
				gelu(names.Layer(p.Layer, at), of.Each[e].Act)
			}
			if of.Shared != nil {
				gelu(names.Layer(p.Layer, family.AtShared(names.Act)), of.Shared.Act)
			}
		case *family.RGLRU:
			if approximate, gelu := map[string]string{"gelu": "none", "gelu_tanh": "tanh"}[of.Act]; gelu {
				must(names.Node(names.Layer(p.Layer, names.RGLRUGated), "Gelu"), numbers{"approximate": approximate})
			}
		case *family.DeltaNet:
			for _, side := range []names.Side{names.Q, names.K} {
				must(names.Node(names.Layer(p.Layer, names.DeltaUnit)+"/"+string(side), "RMSNormalization"), numbers{"epsilon": float32(family.DeltaEps / float64(of.KDim))})
			}
		case *family.Attention:
			s.wantedOfAttention(p.Layer, of, want, must)
		}
	}
	if d := s.model.HeadDense; d != nil {
		gelu(names.HeadAct, d.Act)
	}
	for i := range s.model.Blocks {
		if p := s.model.Blocks[i].PerLayer; p != nil && p.Act == "gelu_tanh" {
			must(names.Node(names.Layer(i, names.PerLayerAct), "Gelu"), numbers{"approximate": "tanh"})
		}
	}
	return want, nodes
}

// wantedOfAttention are those of a layer's scores and of what turns its heads.
func (s *session) wantedOfAttention(layer int, a *family.Attention, want map[string]numbers, must func(name string, n numbers)) {
	scale := float32(a.Scale)
	interleaved := int64(0)
	if a.Rotary.Pairing == posenc.Interleaved {
		interleaved = 1
	}
	window := int64(-1)
	if a.Window > 0 {
		window = int64(a.Window)
	}
	whole := map[names.Side]int{names.Q: a.QKDim, names.K: a.QKDim}
	if s.info.Cache == names.Latent && a.Latent != nil { // keys: the slice alone
		whole[names.K] = a.Latent.Turned
	}
	turned := func(side names.Side) numbers {
		dim := any(int64(a.Rotary.Dim))
		switch a.Rotary.Dim {
		case 0:
			dim = "no rotation" // where one stands in a layer that does not turn, it is judged as well
		case whole[side]:
			dim = either{int64(0), int64(whole[side])} // 0 is all of a head
		}
		return numbers{"interleaved": interleaved, "rotary_embedding_dim": dim}
	}
	for _, side := range []names.Side{names.Q, names.K} {
		want[names.Layer(layer, side.Heads())+names.Rotation] = turned(side)
	}
	softcap := float32(a.Cap)
	if s.info.Attention == "ort" {
		must(names.Layer(layer, names.GroupQueryAttention), numbers{"softcap": softcap, "scale": scale, "num_heads": int64(a.Heads), "kv_num_heads": int64(a.KVHeads),
			"rotary_interleaved": interleaved, "local_window_size": window})
		return
	}
	must(names.Layer(layer, names.Attention), numbers{"scale": scale, "softcap": softcap, "q_num_heads": int64(a.Heads)}) // the latter where it is written out
	if a.Rotary.Dim == 0 {
		return
	}
	for _, side := range []names.Side{names.Q, names.K} {
		if side == names.K && a.KVLayer != nil {
			continue // another layer's
		}
		must(names.Layer(layer, side.Heads())+names.Rotation, turned(side))
	}
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
	for _, name := range []string{"epsilon", "scale", "num_heads", "kv_num_heads", "rotary_interleaved", "local_window_size", "softcap", "interleaved", "rotary_embedding_dim", "approximate"} {
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
	if e, ok := b.(either); ok {
		return sameNumber(a, e[0]) || sameNumber(a, e[1])
	}
	x, ok1 := a.(float32)
	y, ok2 := b.(float32)
	if ok1 && ok2 {
		return x == y && !math.IsNaN(float64(x))
	}
	return a == b
}
