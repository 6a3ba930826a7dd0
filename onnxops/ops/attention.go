package ops

import (
	"fmt"
	"math"
	"slices"

	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// biased is an operator that is attention with a bias inside: its inputs are those
// below and the bias's, its body makes the mask and, by these steps, the value
// "bias". A kernel of it needs no tensor of queries × keys.
func biased(name, bias, source string, inputs []Param, check func(*graph.Call, graph.Shape) error, steps ...*onnxpb.NodeProto) Op {
	op := Op{
		Name:  name,
		Since: 1,
		Summary: "softmax(scale·<query_i, key_j> + b_ij)·value over the keys j that query i sees, " + bias + " " +
			"Query i stands at T − S + i; it sees itself, and every j up to there whose attention_mask is not 0, the nearest window of them where window is not 0. " +
			"past_key and past_value are the cache before, present_key and present_value after; H is a multiple of G. Computed in float32.",
		Inputs: slices.Concat([]Param{
			{"query", "float, float16", "(B, H, S, D)", "batch, heads, positions, head size"},
			{"key", "as query", "(B, G, S, D)", "keys of these positions"},
			{"value", "as query", "(B, G, S, E)", "values of these positions"},
			{"past_key", "as query", "(B, G, T − S, D)", "keys before"},
			{"past_value", "as query", "(B, G, T − S, E)", "values before"},
			{"attention_mask", "int64", "(B, T)", "0 for padding"},
			{"window", "int64", "()", "how many keys a query sees, itself included; 0: all"},
		}, inputs),
		Outputs: []Param{
			{"output", "as query", "(B, H, S, E)", "what each head reads"},
			{"present_key", "as query", "(B, G, T, D)", "keys up to here"},
			{"present_value", "as query", "(B, G, T, E)", "values up to here"},
		},
		Attrs: []Param{{"scale", "float", "", "factor of the products"}},
	}
	var body []*onnxpb.NodeProto
	body = append(body, seenSteps()...)
	body = append(body, steps...)
	body = append(body,
		step("score", "Add", []string{"mask", "bias"}),
		castTo("q", "query", graph.Float), castTo("k", "key", graph.Float), castTo("v", "value", graph.Float),
		castTo("past_k", "past_key", graph.Float), castTo("past_v", "past_value", graph.Float),
		node("Attention", []string{"q", "k", "v", "score", "past_k", "past_v"}, []string{"y", "all_k", "all_v"},
			graph.RefAttr("scale", "scale", onnxpb.AttributeProto_FLOAT)),
		step("output", "CastLike", []string{"y", "query"}),
		step("present_key", "CastLike", []string{"all_k", "query"}),
		step("present_value", "CastLike", []string{"all_v", "query"}),
	)
	define(&op, "Attention with "+source+".", func(c *graph.Call) ([]graph.Type, error) {
		return biasedTypes(c, check)
	}, body...)
	return op
}

// seenSteps make "causal" (S, T), "real" (B, 1, 1, T), and "mask" (B, 1, S, T): 0
// where a query sees a key, float32's lowest elsewhere.
func seenSteps() []*onnxpb.NodeProto {
	return []*onnxpb.NodeProto{
		constInts("first", 0), constInts("second", 1), constInts("middle", 1, 2),
		constInt("zero", 0), constInt("one", 1),
		constFloat("seen", 0), constFloat("unseen", -math.MaxFloat32),
		step("length_vector", "Shape", []string{"query"}, graph.IntAttr("start", 2), graph.IntAttr("end", 3)),
		step("total_vector", "Shape", []string{"attention_mask"}, graph.IntAttr("start", 1), graph.IntAttr("end", 2)),
		step("length", "Squeeze", []string{"length_vector", "first"}),
		step("total", "Squeeze", []string{"total_vector", "first"}),
		step("before", "Sub", []string{"total", "length"}),
		step("at_key", "Range", []string{"zero", "total", "one"}),
		step("steps", "Range", []string{"zero", "length", "one"}),
		step("at", "Add", []string{"steps", "before"}),
		step("at_query", "Unsqueeze", []string{"at", "second"}),
		step("causal", "LessOrEqual", []string{"at_key", "at_query"}),
		step("itself", "Equal", []string{"at_key", "at_query"}),
		step("behind", "Sub", []string{"at_query", "window"}),
		step("near", "Greater", []string{"at_key", "behind"}),
		step("endless", "Equal", []string{"window", "zero"}),
		step("inside", "Or", []string{"near", "endless"}),
		step("counts", "Cast", []string{"attention_mask"}, graph.IntAttr("to", int(graph.Bool))),
		step("real", "Unsqueeze", []string{"counts", "middle"}),
		step("nearby", "And", []string{"causal", "inside"}),
		step("known", "And", []string{"nearby", "real"}),
		step("visible", "Or", []string{"known", "itself"}),
		step("mask", "Where", []string{"visible", "seen", "unseen"}),
	}
}

// biasedTypes is the shape rule: that of attention, and the bias's own inputs by
// check, which is given (B, H, S, T).
func biasedTypes(c *graph.Call, check func(*graph.Call, graph.Shape) error) ([]graph.Type, error) {
	for i := range 5 {
		if err := c.WantRank(i, 4); err != nil {
			return nil, err
		}
		if got, want := c.In[i].DType(), c.In[0].DType(); got != want {
			return nil, fmt.Errorf("input %d is %v, expected %v as the queries", i, got, want)
		}
	}
	if t := c.In[0].DType(); t != graph.Float && t != graph.Float16 {
		return nil, fmt.Errorf("queries are %v: expected float32 or float16", t)
	}
	if err := c.WantRank(5, 2); err != nil {
		return nil, err
	}
	if err := c.WantRank(6, 0); err != nil {
		return nil, err
	}
	q, k, v, past := c.In[0].Shape(), c.In[1].Shape(), c.In[2].Shape(), c.In[3].Shape()
	total := c.In[5].Shape()[1]
	for i, want := range []graph.Shape{{q[0], k[1], q[2], q[3]}, {q[0], k[1], q[2], v[3]}, {q[0], k[1], past[2], q[3]}, {q[0], k[1], past[2], v[3]}, {q[0], total}} {
		if err := c.WantShape(1+i, want); err != nil {
			return nil, err
		}
	}
	if !q[1].IsFixed() || !k[1].IsFixed() || k[1].N == 0 || q[1].N%k[1].N != 0 {
		return nil, fmt.Errorf("%s query heads over %s key/value heads: expected a multiple", q[1], k[1])
	}
	if err := check(c, graph.Shape{q[0], q[1], q[2], total}); err != nil {
		return nil, err
	}
	t := c.In[0].DType()
	return []graph.Type{
		{DType: t, Shape: graph.Shape{q[0], q[1], q[2], v[3]}},
		{DType: t, Shape: graph.Shape{q[0], k[1], total, q[3]}},
		{DType: t, Shape: graph.Shape{q[0], k[1], total, v[3]}},
	}, nil
}
