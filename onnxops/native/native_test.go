package native_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/onnxops/ops"
	"github.com/pecvt/pecvt/verify/interp"
	"github.com/pecvt/pecvt/verify/ort"
	"github.com/pecvt/pecvt/verify/ort/orttest"
)

// array is an input: floats, or whole numbers where ints is set. half goes through
// float16 in the graph, boolean becomes a bool there.
type array struct {
	shape         []int64
	floats        []float32
	ints          []int64
	half, boolean bool
}

// trial is one call of an operator.
type trial struct {
	op    string
	in    []array
	attrs []graph.Attr
}

// draw makes trials.
type draw struct{ *rand.Rand }

func (d draw) between(low, high int) int64 { return int64(low + d.IntN(high-low+1)) }

// floats are normal numbers times scale.
func (d draw) floats(scale float64, shape ...int64) array {
	a := array{shape: shape, floats: make([]float32, size(shape))}
	for i := range a.floats {
		a.floats[i] = float32(d.NormFloat64() * scale)
	}
	return a
}

// mask is 0 or 1, mostly 1.
func (d draw) mask(shape ...int64) array {
	a := array{shape: shape, ints: make([]int64, size(shape))}
	for i := range a.ints {
		a.ints[i] = min(d.between(0, 7), 1)
	}
	return a
}

func (d draw) real(shape ...int64) array {
	m := d.mask(shape...)
	a := array{shape: shape}
	for _, x := range m.ints {
		a.floats = append(a.floats, float32(x))
	}
	return a
}

func size(shape []int64) int64 {
	n := int64(1)
	for _, s := range shape {
		n *= s
	}
	return n
}

// positions count from start in each row.
func positions(b, n, start int64) array {
	a := array{shape: []int64{b, n}}
	for range b {
		for i := range n {
			a.floats = append(a.floats, float32(start+i))
		}
	}
	return a
}

// trials are the operators of the table, by name.
var trials = map[string]func(d draw) trial{
	"Rotation": func(d draw) trial {
		b, n, s, size := d.between(1, 3), d.between(1, 5), d.between(1, 130), 2*d.between(1, 40)
		r := 2 * d.between(1, int(size/2))
		attr := r
		if r == size && d.IntN(2) == 0 {
			attr = 0
		}
		if r != size { // RotaryEmbedding takes a part of a head alone so
			attr = r
		}
		return trial{"Rotation", []array{d.floats(1, b, n, s, size), d.floats(1, b, s, r/2), d.floats(1, b, s, r/2)},
			[]graph.Attr{graph.IntAttr("interleaved", d.IntN(2)), graph.IntAttr("rotary_embedding_dim", int(attr))}}
	},
	"ContextPhase": func(d draw) trial {
		b, n, s := d.between(1, 3), d.between(1, 5), d.between(1, 200)
		return trial{"ContextPhase", []array{d.floats(3, b, n, s), d.real(b, 1, s), d.floats(100, b, n, 2)}, nil}
	},
	"PathBias": func(d draw) trial {
		b, n, s := d.between(1, 3), d.between(1, 5), d.between(1, 200)
		return trial{"PathBias", []array{d.floats(3, b, n, s), d.real(b, 1, s), d.floats(100, b, n, 2)}, nil}
	},
	"RelativeBias": func(d draw) trial {
		b, h, s, past := d.between(1, 3), d.between(1, 5), d.between(1, 70), d.between(0, 70)
		t := s + past
		one := func(n int64) int64 { return []int64{1, n}[d.IntN(2)] }
		return trial{"RelativeBias", []array{positions(b, s, past), positions(b, t, 0), d.floats(1, one(b), h, one(s), 1), d.floats(1, one(b), one(h), 1, one(t))}, nil}
	},
	"PathIntegralBias": func(d draw) trial {
		b, h, s, past, p := d.between(1, 3), d.between(1, 4), d.between(1, 150), d.between(0, 150), d.between(1, 20)
		seen := d.mask(b, 1, s, s+past)
		seen.boolean = true
		return trial{"PathIntegralBias", []array{d.floats(1, b, h, s, p), d.floats(1, b, h, s+past, p), d.floats(1, 1, h, 1, 1), seen}, nil}
	},
	"RelativeAttention": func(d draw) trial {
		t, b, h, s, all := attention(d, "RelativeAttention")
		one := func(n int64) int64 { return []int64{1, n}[d.IntN(2)] }
		t.in = append(t.in, positions(b, s, all-s), positions(b, all, 0), d.floats(.3, one(b), h, one(s), 1), d.floats(.3, one(b), one(h), 1, one(all)))
		return t
	},
	"PathAttention": func(d draw) trial {
		t, b, h, s, all := attention(d, "PathAttention")
		t.in = append(t.in, d.floats(3, b, h, s, 1), d.floats(1, b, h, s, 1), d.floats(3, b, h, all, 1), d.floats(1, b, h, all, 1))
		return t
	},
	"PathIntegralAttention": func(d draw) trial {
		t, b, h, s, all := attention(d, "PathIntegralAttention")
		p := d.between(1, 20)
		t.in = append(t.in, d.floats(1, b, h, s, p), d.floats(1, b, h, all, p), d.floats(.3, 1, h, 1, 1))
		return t
	},
}

// attention is a trial without its bias.
func attention(d draw, op string) (t trial, b, h, s, all int64) {
	b, s = d.between(1, 3), []int64{d.between(1, 3), d.between(1, 150)}[d.IntN(2)]
	groups, past, q, v := d.between(1, 3), d.between(0, 150), d.between(1, 80), d.between(1, 80)
	h, all = groups*d.between(1, 3), s+past
	window := []int64{0, d.between(1, int(all)+3)}[d.IntN(2)]
	t = trial{op, []array{d.floats(1, b, h, s, q), d.floats(1, b, groups, s, q), d.floats(1, b, groups, s, v), d.floats(1, b, groups, past, q), d.floats(1, b, groups, past, v),
		d.mask(b, all), {shape: []int64{}, ints: []int64{window}}}, []graph.Attr{graph.FloatAttr("scale", 1/math.Sqrt(float64(q)))}}
	return t, b, h, s, all
}

// halves are the operators that take float16, and the inputs that are.
var halves = map[string]int{"Rotation": 3, "RelativeAttention": 5, "PathAttention": 5, "PathIntegralAttention": 5}

// row is the operator's row of the table.
func row(t testing.TB, name string) ops.Op {
	for _, op := range ops.Table() {
		if op.Name == name {
			return op
		}
	}
	t.Fatalf("the table has no operator %s", name)
	return ops.Op{}
}

// model is a graph of the one node, with the function's body.
func (c trial) model(t testing.TB) *onnxpb.ModelProto {
	op := row(t, c.op)
	value := func(name string, of graph.DType) *onnxpb.ValueInfoProto {
		return &onnxpb.ValueInfoProto{Name: name, Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{TensorType: &onnxpb.TypeProto_Tensor{ElemType: int32(of)}}}}
	}
	cast := func(from, to string, of graph.DType) *onnxpb.NodeProto {
		return &onnxpb.NodeProto{OpType: "Cast", Name: "cast_" + to, Input: []string{from}, Output: []string{to}, Attribute: []graph.Attr{graph.IntAttr("to", int(of))}}
	}
	g := &onnxpb.GraphProto{Name: "trial"}
	node := &onnxpb.NodeProto{Domain: ops.Domain, OpType: c.op, Name: "node", Attribute: c.attrs}
	half := false
	for i, a := range c.in {
		name, of := op.Inputs[i].Name, graph.DType(graph.Float)
		if a.ints != nil {
			of = graph.Int64
		}
		g.Input = append(g.Input, value(name, of))
		switch {
		case a.half:
			half = true
			g.Node = append(g.Node, cast(name, name+"_half", graph.Float16))
			name += "_half"
		case a.boolean:
			g.Node = append(g.Node, cast(name, name+"_bool", graph.Bool))
			name += "_bool"
		}
		node.Input = append(node.Input, name)
	}
	g.Node = append(g.Node, node)
	for _, o := range op.Outputs {
		node.Output = append(node.Output, o.Name)
		out := o.Name
		if half || o.Type == "double" { // what is compared is float32
			out += "_float"
			g.Node = append(g.Node, cast(o.Name, out, graph.Float))
		}
		g.Output = append(g.Output, value(out, graph.Float))
	}
	return &onnxpb.ModelProto{IrVersion: 11, Graph: g, Functions: []*onnxpb.FunctionProto{op.Func.Proto},
		OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: ops.Opset}, {Domain: ops.Domain, Version: ops.Version}}}
}

// inORT runs the trial, with a library where one is named.
func (c trial) inORT(t testing.TB, library, level string) (map[string]ort.Tensor, error) {
	t.Helper()
	raw, err := proto.Marshal(c.model(t))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "model.onnx")
	if err := os.WriteFile(path, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := ort.Open(path, ort.Options{OpsLibrary: library, OptLevel: level, Threads: 2})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	feeds := map[string]ort.Tensor{}
	for i, a := range c.in {
		v := ort.Float32(a.floats, a.shape...)
		if a.ints != nil {
			v = ort.Int64(a.ints, a.shape...)
		}
		feeds[row(t, c.op).Inputs[i].Name] = v
	}
	return s.Run(feeds)
}

// inInterp runs the function's body in float64.
func (c trial) inInterp(t *testing.T) map[string]*interp.Array {
	p, err := interp.Load(c.model(t), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	feeds := map[string]*interp.Array{}
	for i, a := range c.in {
		shape := make([]int, len(a.shape))
		for k, s := range a.shape {
			shape[k] = int(s)
		}
		if a.ints != nil {
			feeds[row(t, c.op).Inputs[i].Name] = interp.Ints(a.ints, shape...)
			continue
		}
		wide := make([]float64, len(a.floats))
		for k, x := range a.floats {
			wide[k] = float64(x)
		}
		feeds[row(t, c.op).Inputs[i].Name] = interp.Floats(wide, shape...)
	}
	out, err := p.RunWith(context.Background(), feeds, interp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func seed(t *testing.T) uint64 {
	if text := os.Getenv("PECVT_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return 20261129
}

// TestKernels: on random shapes every kernel computes what the function's body does,
// in ONNX Runtime without the library and in the interpreter.
func TestKernels(t *testing.T) {
	library := orttest.Ops(t)
	for _, op := range ops.Table() {
		drawn := trials[op.Name]
		if drawn == nil {
			t.Errorf("%s has no trials: a kernel of it would be held to nothing", op.Name)
			continue
		}
		t.Run(op.Name, func(t *testing.T) {
			d := draw{rand.New(rand.NewPCG(seed(t), 1))}
			for i := range 16 {
				c, limit := drawn(d), 2e-5
				if n := halves[op.Name]; n > 0 && i%4 == 3 {
					limit = 4e-3 // float16 has 11 bits
					for k := range c.in[:n] {
						c.in[k].half = true
					}
				}
				got, err := c.inORT(t, library, "")
				if err != nil {
					t.Fatalf("trial %d, with the library: %v", i, err)
				}
				body, err := c.inORT(t, "", "")
				if err != nil {
					t.Fatalf("trial %d, the body: %v", i, err)
				}
				exact := c.inInterp(t)
				for name, v := range got {
					scale := 1e-6
					for _, x := range exact[name].F {
						scale = max(scale, math.Abs(x))
					}
					if !slices.Equal(v.Shape, body[name].Shape) {
						t.Fatalf("trial %d: %s has shape %v, the body's %v", i, name, v.Shape, body[name].Shape)
					}
					for k, x := range v.F32 {
						want := exact[name].F[k]
						off, bodyOff := math.Abs(float64(x)-want), math.Abs(float64(body[name].F32[k])-want)
						if !(off <= limit*scale) && !(off <= 2*bodyOff) {
							t.Fatalf("trial %d: %s[%d] is %v, in float64 %v, of the body in ONNX Runtime %v; inputs %s", i, name, k, x, want, body[name].F32[k], shapes(c))
						}
					}
				}
			}
		})
	}
}

func shapes(c trial) (s string) {
	for _, a := range c.in {
		s += fmt.Sprint(a.shape)
	}
	return s
}

// TestHostileShapes: an input of another shape is an error that names the operator,
// and never the end of the process.
func TestHostileShapes(t *testing.T) {
	library := orttest.Ops(t)
	for name, drawn := range trials {
		d := draw{rand.New(rand.NewPCG(seed(t), 2))}
		good := drawn(d)
		for i := range good.in {
			if len(good.in[i].shape) == 0 {
				continue
			}
			for axis := range good.in[i].shape {
				for _, change := range []int64{-1, 7} {
					c := trial{good.op, slices.Clone(good.in), good.attrs}
					shape := slices.Clone(good.in[i].shape)
					if shape[axis] += change; shape[axis] < 0 {
						continue
					}
					c.in[i] = refilled(good.in[i], shape)
					c.run(t, library, name, i)
				}
			}
			for _, shape := range [][]int64{{}, good.in[i].shape[1:], append([]int64{1}, good.in[i].shape...), {0}} {
				c := trial{good.op, slices.Clone(good.in), good.attrs}
				c.in[i] = refilled(good.in[i], shape)
				if err := c.run(t, library, name, i); err == nil && len(shape) != len(good.in[i].shape) {
					t.Errorf("%s: input %d of shape %v for %v is no error", name, i, shape, good.in[i].shape)
				}
			}
		}
	}
}

// run runs a trial that may fail, if by this operator.
func (c trial) run(t *testing.T, library, name string, input int) error {
	_, err := c.inORT(t, library, ort.OptDisabled)
	if err != nil && !strings.Contains(err.Error(), "ai.pecvt."+name) {
		t.Errorf("%s: input %d of shape %v: %v: expected an error of the operator's own", name, input, c.in[input].shape, err)
	}
	return err
}

func refilled(a array, shape []int64) array {
	a.shape = shape
	if a.ints != nil {
		a.ints = make([]int64, size(shape))
		return a
	}
	a.floats = make([]float32, size(shape))
	for i := range a.floats {
		a.floats[i] = float32(i%7) / 7
	}
	return a
}
