package interp

import (
	"math"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// runNode runs one node on its inputs; nil stands for one left out.
func runNode(t *testing.T, domain, op string, in []*Array, attrs ...*onnxpb.AttributeProto) (map[string]*Array, error) {
	t.Helper()
	b := newGraph()
	names, inputs := []string{}, map[string]*Array{}
	for i, a := range in {
		name := ""
		if a != nil {
			name = string(rune('a' + i))
			inputs[name] = a
			b.g.Input = append(b.g.Input, &onnxpb.ValueInfoProto{Name: name})
		}
		names = append(names, name)
	}
	b.node(op, names, "y", attrs...)
	b.g.Node[0].Domain = domain
	b.domains = []string{microsoft}
	b.output("y")
	return mustLoad(t, b.model()).Run(inputs)
}

func zeros(shape ...int) *Array { return Floats(make([]float64, count(shape)), shape...) }

// What a runtime would answer with garbage, or with nothing, ends in an error
// that names the node and its inputs.
func TestKernelsRefuse(t *testing.T) {
	i64 := func(x ...int64) *Array { return Ints(x, len(x)) }
	text := func(name, s string) *onnxpb.AttributeProto {
		return &onnxpb.AttributeProto{Name: name, Type: onnxpb.AttributeProto_STRING, S: []byte(s)}
	}
	heads := []*onnxpb.AttributeProto{intAttr("num_heads", 2), intAttr("kv_num_heads", 1), intAttr("do_rotary", 1)}
	gqa := func(edit func(in []*Array)) []*Array {
		in := []*Array{zeros(1, 1, 16), zeros(1, 1, 8), zeros(1, 1, 8), zeros(1, 1, 3, 8), zeros(1, 1, 3, 8),
			i64(3), Ints([]int64{4}), zeros(4, 4), zeros(4, 4)}
		edit(in)
		return in
	}
	cases := []struct {
		name, domain, op string
		in               []*Array
		attrs            []*onnxpb.AttributeProto
		want             string
	}{
		{"shapes", "", "Add", []*Array{zeros(2), zeros(3)}, nil, `node "/y" (Add): shapes [[2] [3]] do not broadcast (inputs float[2], float[3])`},
		{"kinds", "", "Add", []*Array{zeros(2), i64(1, 2)}, nil, "input 1 is int[2]; want [float]"},
		{"division by zero", "", "Div", []*Array{i64(1), i64(0)}, nil, "integer division by zero"},
		{"scan of other steps", "", "Scan", []*Array{zeros(2), zeros(3)}, []*onnxpb.AttributeProto{intAttr("num_scan_inputs", 2), twoSlices}, "input 1 has 3 steps, another 2"},
		{"scan backwards", "", "Scan", []*Array{zeros(2), zeros(2)}, []*onnxpb.AttributeProto{intAttr("num_scan_inputs", 2), twoSlices, intsAttr("scan_input_directions", 0, 1)}, "runs backwards"},
		{"scan of no steps", "", "Scan", []*Array{zeros(0), zeros(0)}, []*onnxpb.AttributeProto{intAttr("num_scan_inputs", 2), twoSlices}, "has no steps"},
		{"scan of another count", "", "Scan", []*Array{zeros(2), zeros(2)}, []*onnxpb.AttributeProto{intAttr("num_scan_inputs", 0), twoSlices}, "num_scan_inputs is 0 with 2 inputs"},
		{"scan without a body", "", "Scan", []*Array{zeros(2)}, []*onnxpb.AttributeProto{intAttr("num_scan_inputs", 1)}, `attribute "body" is missing`},
		{"scan of an axis", "", "Scan", []*Array{zeros(2), zeros(2)}, []*onnxpb.AttributeProto{intAttr("num_scan_inputs", 2), twoSlices, intsAttr("scan_input_axes", 0, 1)}, "axis 1 is outside [-1, 0]"},
		{"scan's step", "", "Scan", []*Array{zeros(2, 2), zeros(2, 3)}, []*onnxpb.AttributeProto{intAttr("num_scan_inputs", 2), twoSlices}, `step 0: node "/given" (Add): shapes [[2] [3]] do not broadcast`},
		{"gather past the end", "", "Gather", []*Array{zeros(3, 2), i64(3)}, nil, "index 3 is outside [-3, 2]"},
		{"gather before the start", "", "Gather", []*Array{zeros(3, 2), i64(-4)}, nil, "index -4 is outside [-3, 2]"},
		{"gather elements", "", "GatherElements", []*Array{zeros(3), i64(5)}, nil, "index 5 is outside [-3, 2]"},
		{"cast of NaN", "", "Cast", []*Array{Floats([]float64{math.NaN()}, 1)}, []*onnxpb.AttributeProto{intAttr("to", 7)}, "element 0 is NaN, outside the integer type"},
		{"cast too large", "", "Cast", []*Array{Floats([]float64{1 << 63}, 1)}, []*onnxpb.AttributeProto{intAttr("to", 7)}, "outside the integer type"},
		{"cast to int8", "", "Cast", []*Array{Floats([]float64{128}, 1)}, []*onnxpb.AttributeProto{intAttr("to", 3)}, "outside the integer type's [-128, 127]"},
		{"cast to a string", "", "Cast", []*Array{zeros(1)}, []*onnxpb.AttributeProto{intAttr("to", 8)}, "element type STRING is not supported"},
		{"reshape", "", "Reshape", []*Array{zeros(2, 3), i64(4, -1)}, nil, "shape [4 -1] does not fit 6 elements"},
		{"reshape keeping no dimension", "", "Reshape", []*Array{zeros(2), i64(2, 0)}, nil, "shape [2 0] keeps dimension 1"},
		{"reshape with two unknowns", "", "Reshape", []*Array{zeros(4), i64(-1, -1)}, nil, "shape [-1 -1] is not one"},
		{"squeeze", "", "Squeeze", []*Array{zeros(2, 1), i64(0)}, nil, "axis 0 is 2 long"},
		{"axis", "", "Softmax", []*Array{zeros(2)}, []*onnxpb.AttributeProto{intAttr("axis", 1)}, "axis 1 is outside [-1, 0]"},
		{"axis twice", "", "ReduceSum", []*Array{zeros(2, 2), i64(0, -2)}, nil, "axis 0 is given twice"},
		{"perm", "", "Transpose", []*Array{zeros(2, 2)}, []*onnxpb.AttributeProto{intsAttr("perm", 0)}, "perm [0] is not a permutation of 2 axes"},
		{"concat", "", "Concat", []*Array{zeros(2, 2), zeros(2, 3)}, []*onnxpb.AttributeProto{intAttr("axis", 0)}, "dimension 1 differs"},
		{"split", "", "Split", []*Array{zeros(4), i64(1, 2)}, nil, "does not fit 4 elements"},
		{"slice step", "", "Slice", []*Array{zeros(4), i64(0), i64(2), i64(0), i64(0)}, nil, "a step is 0"},
		{"range without end", "", "Range", []*Array{Ints([]int64{0}), Ints([]int64{9}), Ints([]int64{0})}, nil, "delta is 0"},
		{"huge expand", "", "Expand", []*Array{zeros(1), i64(1<<40, 1<<40)}, nil, "holds more than"},
		{"huge fill", "", "ConstantOfShape", []*Array{i64(1 << 62)}, nil, "holds more than"},
		{"empty maximum", "", "ReduceMax", []*Array{zeros(2, 0), i64(1)}, nil, "nothing to reduce"},
		{"inner dimensions", "", "MatMul", []*Array{zeros(2, 3), zeros(2, 3)}, nil, "inner dimensions differ"},
		{"gemm bias", "", "Gemm", []*Array{zeros(1, 2), zeros(2, 3), zeros(2, 3)}, nil, "input C is float[2 3]; want a shape that stretches to [1 3]"},
		{"gelu", "", "Gelu", []*Array{zeros(1)}, []*onnxpb.AttributeProto{text("approximate", "fast")}, `approximate = "fast"; want none or tanh`},
		{"norm scale", "", "RMSNormalization", []*Array{zeros(2, 4), zeros(3)}, nil, "input 1 is float[3]; want a shape that stretches to the normalized [4]"},
		{"position past the table", "", "RotaryEmbedding", []*Array{zeros(1, 1, 1, 4), zeros(8, 2), zeros(8, 2), Ints([]int64{8}, 1, 1)}, nil,
			"position 8 is outside the table of 8 positions"},
		{"negative position", "", "RotaryEmbedding", []*Array{zeros(1, 1, 1, 4), zeros(8, 2), zeros(8, 2), Ints([]int64{-1}, 1, 1)}, nil,
			"position -1 is outside the table of 8 positions"},
		{"table width", "", "RotaryEmbedding", []*Array{zeros(1, 1, 1, 4), zeros(1, 1, 1), zeros(1, 1, 1)}, nil, "must be [1 1 2]"},
		{"packed without heads", "", "RotaryEmbedding", []*Array{zeros(1, 1, 4), zeros(1, 1, 2), zeros(1, 1, 2)}, nil, "num_heads is 0"},
		{"wide rotation", "", "RotaryEmbedding", []*Array{zeros(1, 1, 1, 4), zeros(1, 1, 2), zeros(1, 1, 2)},
			[]*onnxpb.AttributeProto{intAttr("rotary_embedding_dim", 6)}, "rotary_embedding_dim 6 of head size 4"},
		{"short mask", "", "Attention", []*Array{zeros(1, 1, 2, 4), zeros(1, 1, 3, 4), zeros(1, 1, 3, 4), zeros(2, 1)}, nil,
			"the last axis of mask float[2 1] must be the 3 keys"},
		{"other mask", "", "Attention", []*Array{zeros(1, 1, 2, 4), zeros(1, 1, 3, 4), zeros(1, 1, 3, 4), zeros(5, 3)}, nil, "does not stretch to [1 1 2 3]"},
		{"heads", "", "Attention", []*Array{zeros(1, 3, 2, 4), zeros(1, 2, 2, 4), zeros(1, 2, 2, 4)}, nil, "3 query heads cannot share 2"},
		{"half a past", "", "Attention", []*Array{zeros(1, 1, 2, 4), zeros(1, 1, 2, 4), zeros(1, 1, 2, 4), nil, zeros(1, 1, 1, 4)}, nil, "must be given together"},
		{"packed without counts", "", "Attention", []*Array{zeros(1, 2, 4), zeros(1, 2, 4), zeros(1, 2, 4)}, nil, "q_num_heads: float[1 2 4] cannot be split into 0 heads"},
		{"gqa wide table", microsoft, "GroupQueryAttention", gqa(func(in []*Array) { in[7], in[8] = zeros(4, 5), zeros(4, 5) }), heads, "for head size 8"},
		{"gqa short past", microsoft, "GroupQueryAttention", gqa(func(in []*Array) { in[3], in[4] = zeros(1, 1, 2, 8), zeros(1, 1, 2, 8) }), heads,
			"seqlens_k[0] = 3 does not fit a past of 2"},
		{"gqa length past the total", microsoft, "GroupQueryAttention", gqa(func(in []*Array) { in[5] = i64(4) }), heads, "seqlens_k[0] = 4 does not fit"},
		{"gqa without lengths", microsoft, "GroupQueryAttention", gqa(func(in []*Array) { in[5] = nil }), heads, "input 5 is missing"},
		{"gqa smooth softmax", microsoft, "GroupQueryAttention", gqa(func([]*Array) {}), append(heads, intAttr("smooth_softmax", 1)), "smooth_softmax = 1 is not supported"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			_, err := runNode(t, tc.domain, tc.op, tc.in, tc.attrs...)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("error %v, want %q", err, tc.want)
			}
			if !strings.Contains(err.Error(), `node "/y"`) {
				t.Errorf("error %q does not name the node", err)
			}
		})
	}
}

// A hidden key stays hidden even if its score is not finite, and a query that
// sees no key at all gets zeros.
func TestHiddenKeysDoNotSpread(t *testing.T) {
	nan := math.NaN()
	q := Floats([]float64{1, 1}, 1, 1, 2, 1)
	k := Floats([]float64{nan, 1}, 1, 1, 2, 1)
	v := Floats([]float64{3, 5}, 1, 1, 2, 1)
	mask := Bools([]bool{false, true, false, false}, 2, 2)
	out, err := runNode(t, "", "Attention", []*Array{q, k, v, mask})
	if err != nil {
		t.Fatal(err)
	}
	if y := out["y"].F; y[0] != 5 || y[1] != 0 {
		t.Errorf("y = %v, want [5 0]", y)
	}
}

// twoSlices is the body of a scan that adds the slices of two inputs.
var twoSlices = &onnxpb.AttributeProto{Name: "body", Type: onnxpb.AttributeProto_GRAPH, G: &onnxpb.GraphProto{
	Input:  []*onnxpb.ValueInfoProto{{Name: "p"}, {Name: "q"}},
	Node:   []*onnxpb.NodeProto{node("Add", []string{"p", "q"}, []string{"given"})},
	Output: []*onnxpb.ValueInfoProto{{Name: "given"}},
}}
