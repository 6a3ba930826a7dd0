package onnxops

import (
	"cmp"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// Runtime is the least ONNX Runtime, of those that were run on a CPU (1.23.2, 1.24.4,
// 1.26.0 and 1.32.0; 1.17.3 and 1.22.1 on older operator sets), that gives the numbers of
// 1.32.0 on a graph.
type Runtime struct {
	// Version is "" where none did.
	Version string `json:"version"`
	// Why is what of the graph asks for it.
	Why string `json:"why"`
}

// String says it in words.
func (r Runtime) String() string {
	if r.Version == "" {
		return "none that was tried on a CPU: " + r.Why
	}
	return r.Version + " or later: " + r.Why
}

// need is something of a graph that an older runtime does not compute.
type need struct {
	version, why string
	found        func(m *onnxpb.ModelProto) bool
}

// needs are what was measured, the newest first (testdata/tools/least_runtime.py).
var needs = []need{
	{"", "its CPU provider has no kernels of bfloat16", func(m *onnxpb.ModelProto) bool { return computesIn(m, onnxpb.TensorProto_BFLOAT16) }},
	{"1.26.0", "1.24 and before take no mask by head where heads share keys", masksByHead},
	{"1.26.0", "1.23 rounds otherwise in float16, off by 2e-3", func(m *onnxpb.ModelProto) bool {
		return computesIn(m, onnxpb.TensorProto_FLOAT16) && anyNode(m, func(n *onnxpb.NodeProto) bool {
			return n.GetOpType() != "GroupQueryAttention" && strings.HasSuffix(n.GetOpType(), "Attention")
		})
	}},
	{"1.24.4", "1.23 refuses a rotation of a part of a head", func(m *onnxpb.ModelProto) bool {
		return anyNode(m, func(n *onnxpb.NodeProto) bool {
			return (n.GetOpType() == "Rotation" || n.GetOpType() == "RotaryEmbedding") && intOf(n, "rotary_embedding_dim") > 0
		})
	}},
	{"1.24.4", "1.23 sees one key more in a window, without a word", func(m *onnxpb.ModelProto) bool {
		return anyNode(m, func(n *onnxpb.NodeProto) bool {
			return n.GetOpType() == "GroupQueryAttention" && intOf(n, "local_window_size") > 0
		})
	}},
	{"1.23.2", "operator set 23", func(m *onnxpb.ModelProto) bool { return opsetOf(m) >= 23 }},
	{"1.23.2", "operators of com.microsoft, with which none older was tried", func(m *onnxpb.ModelProto) bool {
		return anyNode(m, func(n *onnxpb.NodeProto) bool { return n.GetDomain() == graph.Microsoft })
	}},
	{"1.22.1", "operator sets from 20 on", func(m *onnxpb.ModelProto) bool { return opsetOf(m) >= 20 }},
	{"1.17.3", "the oldest that was tried", func(*onnxpb.ModelProto) bool { return true }},
}

// leastRuntime is the one of a graph. What asks for the same version is said together.
func leastRuntime(m *onnxpb.ModelProto) Runtime {
	var r *Runtime
	for _, n := range needs {
		switch {
		case r != nil && n.version != r.Version || !n.found(m):
		case r == nil:
			r = &Runtime{n.version, n.why}
		case n.version >= "1.24":
			r.Why += "; " + n.why
		}
	}
	return *r
}

func opsetOf(m *onnxpb.ModelProto) int64 {
	i := slices.IndexFunc(m.GetOpsetImport(), func(o *onnxpb.OperatorSetIdProto) bool { return o.GetDomain() == "" })
	if i < 0 {
		return 0
	}
	return m.GetOpsetImport()[i].GetVersion()
}

func anyNode(m *onnxpb.ModelProto, is func(n *onnxpb.NodeProto) bool) bool {
	return slices.ContainsFunc(m.GetGraph().GetNode(), is)
}

func intOf(n *onnxpb.NodeProto, name string) int64 {
	for _, a := range n.GetAttribute() {
		if a.GetName() == name {
			return a.GetI()
		}
	}
	return 0
}

func computesIn(m *onnxpb.ModelProto, t onnxpb.TensorProto_DataType) bool {
	return slices.ContainsFunc(m.GetMetadataProps(), func(p *onnxpb.StringStringEntryProto) bool {
		return p.GetKey() == "pecvt.dtype" && strings.EqualFold(p.GetValue(), t.String())
	})
}

// masksByHead tells of attention whose mask has more rows than one for all heads, or that
// makes such a one in its body, where several heads of queries share keys.
func masksByHead(m *onnxpb.ModelProto) bool {
	dims := map[string][]*onnxpb.TensorShapeProto_Dimension{}
	g := m.GetGraph()
	for _, v := range slices.Concat(g.GetInput(), g.GetOutput(), g.GetValueInfo()) {
		dims[v.GetName()] = v.GetType().GetTensorType().GetShape().GetDim()
	}
	heads := func(n *onnxpb.NodeProto, i int) int64 {
		if i >= len(n.GetInput()) || len(dims[n.GetInput()[i]]) != 4 {
			return 0
		}
		return dims[n.GetInput()[i]][1].GetDimValue()
	}
	return anyNode(m, func(n *onnxpb.NodeProto) bool {
		q, k := heads(n, 0), heads(n, 1)
		switch n.GetOpType() {
		case "Attention":
			q, k = cmp.Or(intOf(n, "q_num_heads"), q), cmp.Or(intOf(n, "kv_num_heads"), k)
			return heads(n, 3) > 1 && q != k
		case "RelativeAttention", "PathAttention", "PathIntegralAttention":
			return q != k
		}
		return false
	})
}
