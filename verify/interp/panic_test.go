package interp

import (
	"context"
	"hash/fnv"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// randomArray has few axes and small dimensions, so that shapes often fit.
func randomArray(r *rand.Rand) *Array {
	shape := make([]int, r.IntN(5))
	for i := range shape {
		shape[i] = []int{0, 1, 1, 2, 2, 3, 4}[r.IntN(7)]
	}
	a, err := newArray(Kind(r.IntN(3)), shape...)
	if err != nil {
		panic(err)
	}
	if a.Kind == Float && r.IntN(4) == 0 {
		a.of = []floatType{typeOf(tensor.F32), typeOf(tensor.F16), typeOf(tensor.BF16)}[r.IntN(3)]
	}
	for i := range a.F {
		a.F[i] = []float64{0, 1, -1, 2.5, math.NaN(), math.Inf(1), 1e300}[r.IntN(7)]
	}
	for i := range a.I {
		a.I[i] = []int64{0, 1, -1, 2, 3, -2, math.MaxInt64, math.MinInt64}[r.IntN(8)]
	}
	for i := range a.B {
		a.B[i] = r.IntN(2) == 0
	}
	return a
}

func randomAttribute(r *rand.Rand, typ string) any {
	n := []int64{0, 1, 2, -1, 3, 4, 7, math.MaxInt64, math.MinInt64}
	switch typ {
	case "i":
		return n[r.IntN(len(n))]
	case "f":
		return float32(r.NormFloat64())
	case "s":
		return []string{"", "tanh", "edge", "reflect", "wrap"}[r.IntN(5)]
	case "is":
		list := make([]int64, r.IntN(4))
		for i := range list {
			list[i] = n[r.IntN(len(n))]
		}
		return list
	case "g":
		return handedOn()
	default:
		return &weight{dtype: tensor.F32, shape: []int{1}, raw: make([]byte, 4)}
	}
}

// handedOn carries one value and cuts another, and gives both on.
var handedOn = sync.OnceValue(func() *Program {
	g := &onnxpb.GraphProto{
		Input:  []*onnxpb.ValueInfoProto{{Name: "state"}, {Name: "slice"}},
		Node:   []*onnxpb.NodeProto{node("Identity", []string{"state"}, []string{"next"}), node("Identity", []string{"slice"}, []string{"given"})},
		Output: []*onnxpb.ValueInfoProto{{Name: "next"}, {Name: "given"}},
	}
	p, err := Load(&onnxpb.ModelProto{Graph: g, OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: 23}}}, "")
	if err != nil {
		panic(err)
	}
	return p
})

// No inputs and attributes that the table lets through make a kernel panic,
// and what it returns fills its shape.
func TestKernelsNeverPanic(t *testing.T) {
	limit := maxElements
	maxElements = 1 << 12
	defer func() { maxElements = limit }()
	var keys []opKey
	for k := range kernels {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool { return keys[i].domain+keys[i].op < keys[j].domain+keys[j].op })
	for _, key := range keys {
		k, ran := kernels[key], 0
		h := fnv.New64a() // cases of its own: those of others stay when an operator is added
		h.Write([]byte(key.domain + key.op))
		r := rand.New(rand.NewPCG(3, h.Sum64()))
		for range 3000 {
			c := &call{step: &step{op: key.op, kernel: &k, attrs: map[string]any{}}, ctx: context.Background(), options: Options{RoundTypes: r.IntN(2) == 0}}
			base := randomArray(r)
			for i := range k.min + r.IntN(min(k.max, k.min+3)-k.min+1) {
				in := base // often the same shape again: more calls get past the checks
				if r.IntN(3) == 0 {
					in = randomArray(r)
				}
				if (i >= k.min || k.gaps) && r.IntN(3) == 0 {
					in = nil
				}
				c.in = append(c.in, in)
				c.step.in = append(c.step.in, int64(i))
			}
			for i := range min(k.out, 4) {
				c.step.out = append(c.step.out, int64(i))
			}
			if sound := soundCalls[key.op]; sound != nil && r.IntN(2) == 0 {
				sound(r, c)
			}
			for _, f := range strings.Fields(k.attrs) {
				if name, typ, _ := strings.Cut(f, ":"); r.IntN(2) == 0 {
					c.attrs[name] = randomAttribute(r, typ)
				}
			}
			ran += runQuietly(t, c)
		}
		if ran == 0 && !k.gaps {
			t.Errorf("%s: no call got through", key.op)
		}
	}
}

// soundCalls make a call that is sound but for an input or an attribute of it: hardly a
// random one fits bytes to blocks, or tables to heads.
var soundCalls = map[string]func(r *rand.Rand, c *call){
	"MatMulNBits": func(r *rand.Rand, c *call) {
		c.attrs = map[string]any{"N": int64(3), "K": int64(20), "bits": int64(4), "block_size": int64(16)}
		c.in = []*Array{Floats(make([]float64, 40), 2, 20), Ints(make([]int64, 48), 3, 2, 8), Floats(make([]float64, 6), 3, 2), Ints(make([]int64, 3), 3)}
		c.spoil(r)
	},
	"RotaryEmbedding": func(r *rand.Rand, c *call) {
		c.attrs = map[string]any{"num_heads": int64(2)}
		c.in = []*Array{Floats(make([]float64, 24), 1, 3, 8), Floats(make([]float64, 6), 1, 3, 2), Floats(make([]float64, 6), 1, 3, 2)}
		c.spoil(r)
	},
	"GatherBlockQuantized": func(r *rand.Rand, c *call) {
		c.attrs = map[string]any{"bits": int64(8), "block_size": int64(16)}
		c.in = []*Array{Ints(make([]int64, 96), 3, 32), Ints([]int64{2, -3}, 2), Floats(make([]float64, 6), 3, 2), Ints(make([]int64, 6), 3, 2)}
		c.spoil(r)
	},
}

// spoil exchanges one thing of a call, or nothing.
func (c *call) spoil(r *rand.Rand) {
	switch i := r.IntN(2 * len(c.in)); {
	case i < len(c.in):
		c.in[i] = randomArray(r)
	case r.IntN(2) == 0:
		names := slices.Sorted(maps.Keys(c.attrs))
		c.attrs[names[r.IntN(len(names))]] = randomAttribute(r, "i")
	}
}

// runQuietly reports a panic as an error; it is 1 if the kernel succeeded.
func runQuietly(t *testing.T, c *call) int {
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("%s(%s) %v: panic: %v", c.op, c.inputs(), c.attrs, p)
		}
	}()
	out, err := c.kernel.run(c)
	if err == nil {
		out, err = c.settle(out)
	}
	if err != nil {
		return 0
	}
	for i, a := range out {
		if a != nil {
			if err := a.check(); err != nil {
				t.Errorf("%s(%s): output %d: %v", c.op, c.inputs(), i, err)
			}
		}
	}
	return 1
}
