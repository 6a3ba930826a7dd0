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
	narrowed := false
	for i, a := range c.in {
		name, of := op.Inputs[i].Name, graph.DType(graph.Float)
		if a.ints != nil {
			of = graph.Int64
		}
		g.Input = append(g.Input, value(name, of))
		switch {
		case a.narrow != 0:
			narrowed = true
			g.Node = append(g.Node, cast(name, name+"_narrow", a.narrow))
			name += "_narrow"
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
		if narrowed || o.Type == "double" { // what is compared is float32
			out += "_float"
			g.Node = append(g.Node, cast(o.Name, out, graph.Float))
		}
		g.Output = append(g.Output, value(out, graph.Float))
	}
	return &onnxpb.ModelProto{IrVersion: 11, Graph: g, Functions: []*onnxpb.FunctionProto{op.Func.Proto},
		OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: ops.Opset}, {Domain: ops.Domain, Version: ops.Version}}}
}

// inORT runs the trial, with a library where one is named.
func (c trial) inORT(t testing.TB, o ort.Options) (map[string]ort.Tensor, error) {
	t.Helper()
	raw, err := proto.Marshal(c.model(t))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "model.onnx")
	if err := os.WriteFile(path, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	o.Threads = 2
	s, err := ort.Open(path, o)
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
	conform(t, ort.Options{OpsLibrary: orttest.Ops(t)}, kinds{graph.Float16: {"Rotation", "RelativeAttention", "PathAttention", "PathIntegralAttention"}, graph.BFloat16: {"Rotation"}}, nil)
}

// kinds are the operators that a library has in 16 bits.
type kinds map[graph.DType][]string

// limits are what a kernel may be off, of the largest number of an output: float16
// has 11 bits, bfloat16 8.
var limits = map[graph.DType]float64{0: 2e-5, graph.Float16: 4e-3, graph.BFloat16: 3e-2}

// conform holds a library's kernels to the bodies; only names some operators.
func conform(t *testing.T, o ort.Options, types kinds, only []string) {
	for _, op := range ops.Table() {
		drawn := trials[op.Name]
		if drawn == nil {
			t.Errorf("%s has no trials: a kernel of it would be held to nothing", op.Name)
			continue
		}
		if only != nil && !slices.Contains(only, op.Name) {
			continue
		}
		t.Run(op.Name, func(t *testing.T) {
			d := draw{rand.New(rand.NewPCG(seed(t), 1))}
			for i := range 16 {
				c, of := drawn(d), graph.DType(0)
				if as := map[int]graph.DType{1: graph.BFloat16, 3: graph.Float16}[i%4]; slices.Contains(types[as], op.Name) {
					of = as
					for k := range c.in[:narrow[op.Name]] {
						c.in[k].narrow = as
					}
				}
				if off := c.off(t, o, of); off != "" {
					t.Fatalf("trial %d: %s; inputs %s", i, off, shapes(c))
				}
			}
		})
	}
}

// off says where a kernel differs from the body, in a type that its inputs have; ""
// where it does not. ONNX Runtime has no bfloat16 on a processor: the body is then
// the interpreter's alone.
func (c trial) off(t *testing.T, o ort.Options, of graph.DType) string {
	got, err := c.inORT(t, o)
	if err != nil {
		return fmt.Sprintf("with the library: %v", err)
	}
	exact := c.inInterp(t)
	var body map[string]ort.Tensor
	if of != graph.BFloat16 {
		if body, err = c.inORT(t, ort.Options{}); err != nil {
			return fmt.Sprintf("the body: %v", err)
		}
	}
	for name, v := range got {
		scale := 1e-6
		for _, x := range exact[name].F {
			scale = max(scale, math.Abs(x))
		}
		shape := make([]int64, len(exact[name].Shape))
		for i, n := range exact[name].Shape {
			shape[i] = int64(n)
		}
		if !slices.Equal(v.Shape, shape) {
			return fmt.Sprintf("%s has shape %v, the body's %v", name, v.Shape, shape)
		}
		for k, x := range v.F32 {
			want := exact[name].F[k]
			off, bodyOff := math.Abs(float64(x)-want), 0.0
			if body != nil {
				bodyOff = math.Abs(float64(body[name].F32[k]) - want)
			}
			if !(off <= limits[of]*scale) && !(off <= 2*bodyOff) {
				return fmt.Sprintf("%s[%d] is %v, in float64 %v, of the body in ONNX Runtime off by %v", name, k, x, want, bodyOff)
			}
		}
	}
	return ""
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
	for kind, library := range map[string]string{"processor": orttest.Ops(t), "emulated": orttest.Emulated(t)} {
		t.Run(kind, func(t *testing.T) { hostile(t, library) })
	}
}

func hostile(t *testing.T, library string) {
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
	_, err := c.inORT(t, ort.Options{OpsLibrary: library, OptLevel: ort.OptDisabled})
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
