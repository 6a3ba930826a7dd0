package interp

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// halfUnits is how far ONNX Runtime's float16 kernels may be from one rounding of the
// exact answer, in units of 2^-11 of the largest element: those of attention round
// scores, probabilities or sums on their way (the most seen is 1.9). All others give the
// same bits.
var halfUnits = map[string]float64{"Attention": 4, "GroupQueryAttention": 4}

// In 16 bits every value is the nearest of what float64 gives, as outside evaluators say
// to the bit.
func TestHalfCases(t *testing.T) {
	models, err := filepath.Glob("testdata/half/*.onnx")
	if err != nil || len(models) < 250 {
		t.Fatalf("%d cases (%v): testdata/gen_half.py writes them", len(models), err)
	}
	for _, path := range models {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".onnx"), func(t *testing.T) {
			raw, err := os.ReadFile(strings.TrimSuffix(path, ".onnx") + ".json")
			if err != nil {
				t.Fatal(err)
			}
			var want operatorCase
			dec := json.NewDecoder(strings.NewReader(string(raw)))
			dec.UseNumber()
			if err := dec.Decode(&want); err != nil {
				t.Fatal(err)
			}
			if len(want.Reference)+len(want.ORT) == 0 {
				t.Fatal("the case has no outside answer")
			}
			m := readModel(t, path)
			p := mustLoad(t, m)
			inputs := map[string]*Array{}
			for k, e := range want.Inputs {
				inputs[k] = e.array(t)
			}
			got, err := p.RunWith(context.Background(), inputs, Options{RoundTypes: true})
			if err != nil {
				t.Fatal(err)
			}
			sameHalves(t, "reference", got, want.Reference, 0)
			sameHalves(t, "ort", got, want.ORT, halfUnits[m.GetGraph().GetNode()[0].GetOpType()])
			for _, out := range m.GetGraph().GetOutput() {
				d, known := got[out.GetName()].Type()
				if w := elementTypes[onnxpb.TensorProto_DataType(out.GetType().GetTensorType().GetElemType())]; w.IsFloat() && (!known || d != w) {
					t.Errorf("output %q is of type %v, want %v", out.GetName(), d, w)
				}
			}
		})
	}
}

func sameHalves(t *testing.T, oracle string, got map[string]*Array, want map[string]encoded, units float64) {
	t.Helper()
	for name, e := range want {
		w, g := e.array(t), got[name]
		largest := 0.0
		for _, x := range w.F {
			if !math.IsInf(x, 0) {
				largest = math.Max(largest, math.Abs(x))
			}
		}
		u := 0x1p-11
		if d, _ := g.Type(); d == tensor.F32 { // a statistic of LayerNormalization, computed in float32
			u, units = 0x1p-24, math.Max(units, 1)
			if oracle == "reference" {
				units = 0
			}
		}
		if msg := differ(g, w, units*u*largest/math.Max(1, largest)); msg != "" {
			t.Errorf("%s: output %q: %s", oracle, name, msg)
		}
	}
}

// Without RoundTypes a graph in 16 bits means what it would in exact arithmetic, and its
// values have their types all the same.
func TestHalfIdeal(t *testing.T) {
	p := mustLoad(t, readModel(t, "testdata/half/f16_add.onnx"))
	x := 1 + 0x1p-20
	out, err := p.Run(map[string]*Array{"a": Floats([]float64{x, x, x, x, x, x}, 2, 1, 3), "b": Floats([]float64{1, 2, 3, 4}, 4, 1)})
	if err != nil {
		t.Fatal(err)
	}
	y := out["y"]
	if d, ok := y.Type(); y.F[0] != 2+0x1p-20 || !ok || d != tensor.F16 {
		t.Errorf("1 + 2^-20 and 1 are %v of type %v", y.F[0], d)
	}
	if s := y.String(); s != "F16[2 4 3]" {
		t.Errorf("it says %q", s)
	}
}

// Inputs of which ONNX wants one type are one type, or the run ends with both named.
func TestMixedTypes(t *testing.T) {
	for op, rest := range map[string][]*onnxpb.AttributeProto{"Add": nil, "MatMul": nil, "Concat": {intAttr("axis", 0)}} {
		b := newGraph()
		b.input("a", onnxpb.TensorProto_FLOAT16, 2, 2)
		b.input("b", f32, 2, 2)
		b.node(op, []string{"a", "b"}, "y", rest...)
		b.output("y")
		x := Floats(make([]float64, 4), 2, 2)
		_, err := mustLoad(t, b.model()).Run(map[string]*Array{"a": x, "b": x})
		if err == nil || !strings.Contains(err.Error(), "input 0 is F16, input 1 F32") {
			t.Errorf("%s: error %v", op, err)
		}
	}
	b := newGraph()
	b.input("a", onnxpb.TensorProto_BFLOAT16, 2)
	b.input("n", onnxpb.TensorProto_DOUBLE, 2) // a power's exponent may be of another type
	b.node("Pow", []string{"a", "n"}, "y")
	b.output("y")
	x := Floats([]float64{2, 3}, 2)
	out, err := mustLoad(t, b.model()).Run(map[string]*Array{"a": x, "n": x})
	if err != nil {
		t.Fatal(err)
	}
	if d, _ := out["y"].Type(); d != tensor.BF16 {
		t.Errorf("the power is of type %v", d)
	}
}

// A weight rounds to the types that it is cast to, one after the other, and is decoded
// no sooner than it is used.
func TestHalfWeights(t *testing.T) {
	x := 1 + 0x1p-8 + 0x1p-11 + 0x1p-20 // bfloat16 1 + 2^-7, float16 1 + 2^-8 + 2^-10, bfloat16 of that 1 + 2^-7
	b := newGraph()
	b.g.Initializer = append(b.g.Initializer, floatTensor("w", []float32{float32(x)}, 1))
	cast := func(from, to string, d onnxpb.TensorProto_DataType) {
		b.node("Cast", []string{from}, to, intAttr("to", int64(d)))
	}
	cast("w", "h", onnxpb.TensorProto_FLOAT16)
	cast("w", "b", onnxpb.TensorProto_BFLOAT16)
	cast("h", "hb", onnxpb.TensorProto_BFLOAT16)
	cast("h", "hf", f32)
	b.output("h", "b", "hb", "hf")
	tapped := 0
	out, err := mustLoad(t, b.model()).RunWith(context.Background(), nil, Options{RoundTypes: true, Tap: func(string, *Array) { tapped++ }})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]float64{"h": 1 + 0x1p-8 + 0x1p-10, "b": 1 + 0x1p-7, "hb": 1 + 0x1p-7, "hf": 1 + 0x1p-8 + 0x1p-10} {
		if got := out[name].F[0]; got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if tapped != 2 {
		t.Errorf("%d weights were decoded by a Cast; want the two that round twice", tapped)
	}
}

// Every row's types are letters that its outputs find among its inputs.
func TestTypesOfRows(t *testing.T) {
	for key, k := range kernels {
		if k.types == itself {
			continue
		}
		in, out := k.rule()
		if in == "" || out == "" || strings.Trim(out, in+string(isSingle)) != "" || strings.ContainsRune(out, anyType) {
			t.Errorf("%s: types %q", key.op, k.types)
		}
	}
}
