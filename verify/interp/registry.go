package interp

import (
	"fmt"
	"slices"
	"sort"
	"strings"
)

// Operator sets of ONNX's own domain whose meaning the kernels have.
const (
	oldestOpset = 17
	newestOpset = 23
)

const microsoft = "com.microsoft"

// kernel is one operator.
type kernel struct {
	run func(*call) ([]*Array, error)

	min, max int    // inputs; max unlimited: any number
	out      int    // outputs at most
	attrs    string // "name:type", types i f s is fs t g as in the attribute's field
	since    int64  // operator set that introduced it, where later than oldestOpset
	lazy     bool   // takes undecoded weights
	gaps     bool   // some of the first min inputs may be left out too
	types    string // of floats: see types.go; "" is one type throughout
}

const unlimited = 1 << 30

type opKey struct{ domain, op string }

// kernels is the one table of operators.
var kernels = map[opKey]kernel{
	// arithmetic
	{"", "Add"}:        {run: add, min: 2, max: 2, out: 1},
	{"", "Sub"}:        {run: sub, min: 2, max: 2, out: 1},
	{"", "Mul"}:        {run: mul, min: 2, max: 2, out: 1},
	{"", "Div"}:        {run: div, min: 2, max: 2, out: 1},
	{"", "Pow"}:        {run: pow, min: 2, max: 2, out: 1, types: "T*:T"},
	{"", "Min"}:        {run: minimum, min: 1, max: unlimited, out: 1},
	{"", "Max"}:        {run: maximum, min: 1, max: unlimited, out: 1},
	{"", "Sqrt"}:       {run: unary(sqrt), min: 1, max: 1, out: 1},
	{"", "Exp"}:        {run: unary(exp), min: 1, max: 1, out: 1},
	{"", "Log"}:        {run: unary(log), min: 1, max: 1, out: 1},
	{"", "Sigmoid"}:    {run: unary(sigmoid), min: 1, max: 1, out: 1},
	{"", "Softplus"}:   {run: unary(softplus), min: 1, max: 1, out: 1},
	{"", "Tanh"}:       {run: unary(tanh), min: 1, max: 1, out: 1},
	{"", "Erf"}:        {run: unary(erf), min: 1, max: 1, out: 1},
	{"", "Cos"}:        {run: unary(cos), min: 1, max: 1, out: 1},
	{"", "Sin"}:        {run: unary(sin), min: 1, max: 1, out: 1},
	{"", "Floor"}:      {run: unary(floor), min: 1, max: 1, out: 1},
	{"", "Ceil"}:       {run: unary(ceil), min: 1, max: 1, out: 1},
	{"", "Reciprocal"}: {run: unary(reciprocal), min: 1, max: 1, out: 1},
	{"", "Neg"}:        {run: neg, min: 1, max: 1, out: 1},
	{"", "Abs"}:        {run: abs, min: 1, max: 1, out: 1},
	{"", "Relu"}:       {run: relu, min: 1, max: 1, out: 1},
	{"", "Gelu"}:       {run: gelu, min: 1, max: 1, out: 1, since: 20, attrs: "approximate:s"},
	{"", "Clip"}:       {run: clip, min: 1, max: 3, out: 1},

	// logic
	{"", "Equal"}:          {run: equal, min: 2, max: 2, out: 1},
	{"", "Less"}:           {run: less, min: 2, max: 2, out: 1},
	{"", "LessOrEqual"}:    {run: lessOrEqual, min: 2, max: 2, out: 1},
	{"", "Greater"}:        {run: greater, min: 2, max: 2, out: 1},
	{"", "GreaterOrEqual"}: {run: greaterOrEqual, min: 2, max: 2, out: 1},
	{"", "And"}:            {run: and, min: 2, max: 2, out: 1},
	{"", "Or"}:             {run: or, min: 2, max: 2, out: 1},
	{"", "Not"}:            {run: not, min: 1, max: 1, out: 1},
	{"", "IsNaN"}:          {run: isNaN, min: 1, max: 1, out: 1},
	{"", "Where"}:          {run: where, min: 3, max: 3, out: 1},

	// types, shapes, movement
	{"", "Cast"}:      {run: cast, min: 1, max: 1, out: 1, types: itself, lazy: true, attrs: "to:i saturate:i"},
	{"", "CastLike"}:  {run: castLike, min: 2, max: 2, out: 1, types: itself, lazy: true, attrs: "saturate:i"},
	{"", "Identity"}:  {run: identity, min: 1, max: 1, out: 1, lazy: true},
	{"", "Shape"}:     {run: shapeOf, min: 1, max: 1, out: 1, lazy: true, attrs: "start:i end:i"},
	{"", "Reshape"}:   {run: reshape, min: 2, max: 2, out: 1, attrs: "allowzero:i"},
	{"", "Squeeze"}:   {run: squeeze, min: 1, max: 2, out: 1},
	{"", "Unsqueeze"}: {run: unsqueeze, min: 2, max: 2, out: 1},
	{"", "Transpose"}: {run: transpose, min: 1, max: 1, out: 1, attrs: "perm:is"},
	{"", "Expand"}:    {run: expand, min: 2, max: 2, out: 1},
	{"", "Tile"}:      {run: tile, min: 2, max: 2, out: 1},
	{"", "Slice"}:     {run: slice, min: 3, max: 5, out: 1},
	{"", "Concat"}:    {run: concat, min: 1, max: unlimited, out: 1, attrs: "axis:i"},
	{"", "Split"}:     {run: split, min: 1, max: 2, out: unlimited, attrs: "axis:i num_outputs:i"},
	{"", "Pad"}:       {run: pad, min: 2, max: 4, out: 1, attrs: "mode:s"},
	{"", "Gather"}:    {run: gather, min: 2, max: 2, out: 1, lazy: true, attrs: "axis:i"},
	{microsoft, "GatherBlockQuantized"}: {run: gatherBlockQuantized, min: 3, max: 4, out: 1, lazy: true,
		attrs: "bits:i block_size:i gather_axis:i quantize_axis:i"},
	{"", "GatherElements"}:  {run: gatherElements, min: 2, max: 2, out: 1, attrs: "axis:i"},
	{"", "TopK"}:            {run: topK, min: 2, max: 2, out: 2, attrs: "axis:i largest:i sorted:i"},
	{"", "Trilu"}:           {run: trilu, min: 1, max: 2, out: 1, attrs: "upper:i"},
	{"", "Range"}:           {run: rangeOf, min: 3, max: 3, out: 1},
	{"", "ConstantOfShape"}: {run: constantOfShape, min: 1, max: 1, out: 1, types: itself, attrs: "value:t"},

	// sums and products
	{"", "CumSum"}:     {run: cumSum, min: 2, max: 2, out: 1, attrs: "exclusive:i reverse:i"},
	{"", "ReduceSum"}:  {run: reduce(sumOf), min: 1, max: 2, out: 1, attrs: "keepdims:i noop_with_empty_axes:i"},
	{"", "ReduceMean"}: {run: reduce(meanOf), min: 1, max: 2, out: 1, attrs: "axes:is keepdims:i noop_with_empty_axes:i"},
	{"", "ReduceMax"}:  {run: reduce(maxOf), min: 1, max: 2, out: 1, attrs: "axes:is keepdims:i noop_with_empty_axes:i"},
	{"", "ReduceMin"}:  {run: reduce(minOf), min: 1, max: 2, out: 1, attrs: "axes:is keepdims:i noop_with_empty_axes:i"},
	{"", "MatMul"}:     {run: matMul, min: 2, max: 2, out: 1, lazy: true},
	{"", "Gemm"}:       {run: gemmOp, min: 2, max: 3, out: 1, lazy: true, attrs: "alpha:f beta:f transA:i transB:i"},
	{microsoft, "MatMulNBits"}: {run: matMulNBits, min: 3, max: 6, out: 1, types: "T*T**T:T", lazy: true,
		attrs: "K:i N:i bits:i block_size:i accuracy_level:i weight_prepacked:i"},
	{"", "Scan"}: {run: scan, min: 1, max: unlimited, out: unlimited, types: itself,
		attrs: "body:g num_scan_inputs:i scan_input_axes:is scan_input_directions:is scan_output_axes:is scan_output_directions:is"},
	{"", "Softmax"}: {run: softmax, min: 1, max: 1, out: 1, attrs: "axis:i"},

	// norms
	{"", "RMSNormalization"}:                        {run: rmsNorm, min: 2, max: 2, out: 1, types: "*V:V", since: 23, attrs: "axis:i epsilon:f stash_type:i"},
	{"", "LayerNormalization"}:                      {run: layerNorm, min: 2, max: 3, out: 3, types: "T:Tf", attrs: "axis:i epsilon:f stash_type:i"},
	{"", "SimplifiedLayerNormalization"}:            {run: rmsNorm, min: 2, max: 2, out: 2, types: "*V:Vf", attrs: "axis:i epsilon:f stash_type:i"},
	{microsoft, "SkipSimplifiedLayerNormalization"}: {run: skipRMSNorm, min: 3, max: 4, out: 4, types: "T:TffT", attrs: "epsilon:f"},

	// attention
	{"", "RotaryEmbedding"}: {run: rotaryEmbedding, min: 3, max: 4, out: 1, since: 23,
		attrs: "interleaved:i num_heads:i rotary_embedding_dim:i"},
	{"", "Attention"}: {run: attention, min: 3, max: 6, out: 4, types: "TTV*TV:TTVT", since: 23,
		attrs: "is_causal:i kv_num_heads:i q_num_heads:i qk_matmul_output_mode:i scale:f softcap:f softmax_precision:i"},
	{microsoft, "GroupQueryAttention"}: {run: groupQueryAttention, min: 7, max: 12, out: 3, gaps: true,
		attrs: "num_heads:i kv_num_heads:i scale:f softcap:f do_rotary:i rotary_interleaved:i local_window_size:i " +
			"smooth_softmax:i causal:i sliding_window_cache:i qk_output:i k_quant_type:s v_quant_type:s kv_cache_bit_width:i"},
}

// bind finds the step's kernel and checks the node against its row.
func (s *step) bind() error {
	if s.domain == "" && (s.opset < oldestOpset || s.opset > newestOpset) {
		return fmt.Errorf("operator set %d is not supported; want %d to %d", s.opset, oldestOpset, newestOpset)
	}
	if s.domain == microsoft && s.opset != 1 {
		return fmt.Errorf("operator set %d of %s is not supported; want 1", s.opset, microsoft)
	}
	k, ok := kernels[opKey{s.domain, s.op}]
	if !ok {
		return fmt.Errorf("operator %q of domain %q is unknown; known: %s", s.op, s.domain, strings.Join(Operators(), ", "))
	}
	if s.opset < k.since {
		return fmt.Errorf("needs operator set %d, the model imports %d", k.since, s.opset)
	}
	if len(s.in) < k.min || len(s.in) > k.max {
		return fmt.Errorf("has %d inputs; want %d to %d", len(s.in), k.min, k.max)
	}
	if !k.gaps && slices.Contains(s.in[:k.min], absent) {
		return fmt.Errorf("a required input (one of the first %d) is left out", k.min)
	}
	if len(s.out) > k.out {
		return fmt.Errorf("has %d outputs; want at most %d", len(s.out), k.out)
	}
	s.kernel = &k
	return s.checkAttributes(k.attrs)
}

func (s *step) checkAttributes(declared string) error {
	types := map[string]string{}
	for _, f := range strings.Fields(declared) {
		name, typ, _ := strings.Cut(f, ":")
		types[name] = typ
	}
	names := make([]string, 0, len(s.attrs))
	for name := range s.attrs {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		want, ok := types[name]
		if !ok {
			return fmt.Errorf("attribute %q is unknown; known: %s", name, strings.Join(strings.Fields(declared), ", "))
		}
		if have := attributeType(s.attrs[name]); have != want {
			return fmt.Errorf("attribute %q is of type %s; want %s", name, have, want)
		}
	}
	return nil
}

func attributeType(v any) string {
	switch v.(type) {
	case int64:
		return "i"
	case float32:
		return "f"
	case string:
		return "s"
	case []int64:
		return "is"
	case []float32:
		return "fs"
	case *weight:
		return "t"
	case *Program:
		return "g"
	default:
		return fmt.Sprintf("%T", v)
	}
}

// Operators lists what the interpreter knows, sorted: "Add", and
// "com.microsoft::GroupQueryAttention" for other domains.
func Operators() []string {
	list := []string{"Constant"}
	for k := range kernels {
		if k.domain == "" {
			list = append(list, k.op)
		} else {
			list = append(list, k.domain+"::"+k.op)
		}
	}
	sort.Strings(list)
	return list
}
