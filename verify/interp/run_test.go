package interp

import (
	"context"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

func TestRunChecksInputs(t *testing.T) {
	b := addGraph()
	b.g.Output[0] = valueInfo("y", f32, "n")
	p := mustLoad(t, b.model())
	two := Floats([]float64{1, 2}, 2)
	cases := []struct {
		name   string
		inputs map[string]*Array
		want   string
	}{
		{"missing", map[string]*Array{"a": two}, `input "b" is missing; the graph takes a, b`},
		{"unknown", map[string]*Array{"a": two, "b": two, "c": two}, `input "c" is not one of the graph's: a, b`},
		{"kind", map[string]*Array{"a": two, "b": Ints([]int64{1, 2}, 2)}, `input "b": is declared float[n], is int[2]`},
		{"rank", map[string]*Array{"a": two, "b": Floats([]float64{1}, 1, 1)}, `input "b": is declared float[n], is float[1 1]`},
		{"named length", map[string]*Array{"a": two, "b": Floats([]float64{1}, 1)}, `is float[1], but n was 2 elsewhere`},
		{"short data", map[string]*Array{"a": two, "b": {Shape: []int{2}, F: []float64{1}}}, `input "b": shape [2] needs 2 elements, has 1`},
		{"negative", map[string]*Array{"a": two, "b": {Shape: []int{-1}}}, "negative dimension"},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			_, err := p.Run(tc.inputs)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
	if _, err := p.Run(map[string]*Array{"a": two, "b": two}); err != nil {
		t.Error(err)
	}
}

// A shape stamped on an output that is not the shape computed is a fault of
// the graph.
func TestRunChecksOutputs(t *testing.T) {
	for _, out := range []*onnxpb.ValueInfoProto{
		valueInfo("y", f32, 3), valueInfo("y", f32, "n", "n"), valueInfo("y", onnxpb.TensorProto_INT64, "n"),
	} {
		b := addGraph()
		b.g.Output[0] = out
		p := mustLoad(t, b.model())
		two := Floats([]float64{1, 2}, 2)
		_, err := p.Run(map[string]*Array{"a": two, "b": two})
		if err == nil || !strings.Contains(err.Error(), `output "y": is declared`) {
			t.Errorf("%v: error %v", out, err)
		}
	}
}

// The tap sees what nodes compute, in order, inside functions too; a weight
// that is only cast is not shown.
func TestTap(t *testing.T) {
	b := newGraph()
	b.addFunction("Square", []string{"x"}, []string{"y"},
		node("Mul", []string{"x", "x"}, []string{"t"}), node("Identity", []string{"t"}, []string{"y"}))
	b.g.Initializer = append(b.g.Initializer, floatTensor("w", []float32{2}, 1))
	b.input("x", f32, 1)
	b.node("Cast", []string{"w"}, "wf", intAttr("to", int64(f32)))
	b.call("Square", []string{"x"}, []string{"s"})
	b.node("Add", []string{"s", "wf"}, "y")
	b.output("y")
	p := mustLoad(t, b.model())
	var names []string
	var values []float64
	if _, err := p.RunTapped(map[string]*Array{"x": Floats([]float64{3}, 1)}, func(name string, a *Array) {
		names = append(names, name)
		values = append(values, a.F[0])
	}); err != nil {
		t.Fatal(err)
	}
	if !equalNames(names, []string{"/s/t", "s", "y"}) || !slices.Equal(values, []float64{9, 9, 11}) {
		t.Errorf("tap saw %q %v", names, values)
	}
}

// A Cast among floats changes nothing unless RoundTypes asks for rounding, to
// nearest, ties to even.
func TestCastIdealOrRounded(t *testing.T) {
	b := newGraph()
	b.input("x", onnxpb.TensorProto_DOUBLE, 3)
	types := map[string]onnxpb.TensorProto_DataType{
		"f32": f32, "f16": onnxpb.TensorProto_FLOAT16, "bf16": onnxpb.TensorProto_BFLOAT16,
	}
	for _, name := range []string{"f32", "f16", "bf16"} {
		b.node("Cast", []string{"x"}, name, intAttr("to", int64(types[name])))
	}
	b.output("f32", "f16", "bf16")
	p := mustLoad(t, b.model())
	in := []float64{1.0 / 3, 1 + 1.0/256, 1e-9} // the second is halfway between two of bf16
	x := map[string]*Array{"x": Floats(in, 3)}
	out, err := p.Run(x)
	if err != nil {
		t.Fatal(err)
	}
	for name := range types {
		if !slices.Equal(out[name].F, in) {
			t.Errorf("%s: an ideal cast changed %v to %v", name, in, out[name].F)
		}
	}
	if out, err = p.RunWith(context.Background(), x, Options{RoundTypes: true}); err != nil {
		t.Fatal(err)
	}
	want := map[string][]float64{
		"f32":  {float64(float32(1.0 / 3)), 1 + 1.0/256, float64(float32(1e-9))},
		"f16":  {0.333251953125, 1 + 1.0/256, 0},
		"bf16": {0.333984375, 1, 0x1.12p-30},
	}
	for name, w := range want {
		if !slices.Equal(out[name].F, w) {
			t.Errorf("%s: rounded to %v, want %v", name, out[name].F, w)
		}
	}
}

func TestCancelled(t *testing.T) {
	p := mustLoad(t, addGraph().model())
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	two := Floats([]float64{1, 2}, 2)
	if _, err := p.RunWith(ctx, map[string]*Array{"a": two, "b": two}, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestConcurrentRuns(t *testing.T) {
	dir := t.TempDir()
	d := decoder{layers: 2, hidden: 32, inner: 40, heads: 4, kvHeads: 2, vocab: 50}
	p, err := Load(d.write(t, dir), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ids := Ints([]int64{1, 2, 3, 49, 0}, 5)
	first, err := p.Run(map[string]*Array{"ids": ids})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			out, err := p.Run(map[string]*Array{"ids": ids})
			if err != nil {
				t.Error(err)
			} else if !slices.Equal(out["logits"].F, first["logits"].F) {
				t.Error("two runs differ")
			}
		})
	}
	wg.Wait()
}

// countingReader counts the bytes that are read of a weight.
type countingReader struct {
	io.ReaderAt
	read int
}

func (c *countingReader) ReadAt(p []byte, off int64) (int, error) {
	c.read += len(p)
	return c.ReaderAt.ReadAt(p, off)
}

// Of a table only the rows that a Gather asks for are read, through a Cast.
func TestGatherReadsRows(t *testing.T) {
	b := newGraph()
	b.input("ids", onnxpb.TensorProto_INT64, 2)
	b.g.Initializer = append(b.g.Initializer, floatTensor("w", make([]float32, 4000), 1000, 4))
	b.node("Cast", []string{"w"}, "wf", intAttr("to", int64(f32)))
	b.node("Gather", []string{"wf", "ids"}, "y")
	b.output("y")
	p := mustLoad(t, b.model())
	reader := &countingReader{}
	for _, w := range p.weights {
		reader.ReaderAt = strings.NewReader(string(w.raw))
		w.file, w.raw = reader, nil
	}
	if _, err := p.Run(map[string]*Array{"ids": Ints([]int64{7, -1}, 2)}); err != nil {
		t.Fatal(err)
	}
	if reader.read != 2*4*4 {
		t.Errorf("%d bytes read, want 32", reader.read)
	}
	reader.ReaderAt = strings.NewReader("short")
	_, err := p.Run(map[string]*Array{"ids": Ints([]int64{7, -1}, 2)})
	if err == nil || !strings.Contains(err.Error(), `initializer "w": reading external data: EOF`) {
		t.Errorf("error %v", err)
	}
}

// A weight longer than a chunk comes out whole.
func TestLongWeight(t *testing.T) {
	n := 2*chunk + 5
	raw := make([]byte, 4*n)
	for i := range n {
		raw[4*i], raw[4*i+1], raw[4*i+2] = byte(i), byte(i>>8), byte(i>>16)
	}
	w := &weight{name: "w", dtype: tensor.I32, shape: []int{n}, file: strings.NewReader(string(raw))}
	a, err := w.decode()
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range a.I {
		if x != int64(i) {
			t.Fatalf("element %d is %d", i, x)
		}
	}
}

// Zero times an infinite weight is NaN in every product, as in a runtime.
func TestProductKeepsNaN(t *testing.T) {
	b := newGraph()
	inf := float32(math.Inf(1))
	b.g.Initializer = append(b.g.Initializer, floatTensor("w", []float32{inf, 1, 1, 1}, 2, 2))
	b.input("x", f32, 1, 2)
	b.node("MatMul", []string{"x", "w"}, "y")
	b.node("Gemm", []string{"x", "w"}, "z", intAttr("transB", 1))
	b.output("y", "z")
	p := mustLoad(t, b.model())
	out, err := p.Run(map[string]*Array{"x": Floats([]float64{0, 1}, 1, 2)})
	if err != nil {
		t.Fatal(err)
	}
	for name, a := range out {
		if !math.IsNaN(a.F[0]) || a.F[1] != 1 {
			t.Errorf("%s = %v, want [NaN 1]", name, a.F)
		}
	}
}

// Past the tables GroupQueryAttention goes on without turning, as a table that
// ends with cosines of 1 and sines of 0 says.
func TestGroupQueryPastTheTable(t *testing.T) {
	column := func(from float64, shape ...int) *Array {
		a := zeros(shape...)
		for i := range a.F {
			a.F[i] = from + float64(i)/8
		}
		return a
	}
	answer := func(cos, sin *Array) []float64 {
		in := []*Array{column(-1, 1, 1, 16), column(1, 1, 1, 8), column(2, 1, 1, 8), column(0, 1, 1, 3, 8), column(3, 1, 1, 3, 8),
			Ints([]int64{3}, 1), Ints([]int64{4}), cos, sin}
		out, err := runNode(t, microsoft, "GroupQueryAttention", in, intAttr("num_heads", 2), intAttr("kv_num_heads", 1), intAttr("do_rotary", 1))
		if err != nil {
			t.Fatal(err)
		}
		return out["y"].F
	}
	longer := func(last float64, short *Array) *Array {
		return Floats(append(slices.Clone(short.F), last, last, last, last), 4, 4)
	}
	cos, sin := column(0, 3, 4), column(-1, 3, 4)
	got, want := answer(cos, sin), answer(longer(1, cos), longer(0, sin))
	if !slices.Equal(got, want) || slices.Equal(got, answer(longer(0, cos), longer(1, sin))) {
		t.Errorf("y = %v, want %v", got, want)
	}
}
