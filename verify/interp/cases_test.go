package interp

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"google.golang.org/protobuf/proto"
)

// encoded is an Array as testdata/gen_cases.py writes it.
type encoded struct {
	Kind  string `json:"kind"`
	Shape []int  `json:"shape"`
	Data  []any  `json:"data"`
}

func (e encoded) array(t *testing.T) *Array {
	t.Helper()
	a := &Array{Shape: e.Shape}
	for _, x := range e.Data {
		switch x := x.(type) {
		case bool:
			a.B = append(a.B, x)
		case string: // inf, -inf, nan
			v, err := strconv.ParseFloat(x, 64)
			if err != nil {
				t.Fatal(err)
			}
			a.F = append(a.F, v)
		case json.Number:
			if e.Kind == "int" {
				v, err := x.Int64()
				if err != nil {
					t.Fatal(err)
				}
				a.I = append(a.I, v)
				continue
			}
			v, err := x.Float64()
			if err != nil {
				t.Fatal(err)
			}
			a.F = append(a.F, v)
		}
	}
	switch e.Kind {
	case "float":
		a.Kind = Float
	case "int":
		a.Kind = Int
	case "bool":
		a.Kind = Bool
	}
	if err := a.check(); err != nil {
		t.Fatal(err)
	}
	return a
}

type operatorCase struct {
	Inputs    map[string]encoded `json:"inputs"`
	Reference map[string]encoded `json:"reference"`
	ORT       map[string]encoded `json:"ort"`
}

func readModel(t testing.TB, path string) *onnxpb.ModelProto {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(raw, m); err != nil {
		t.Fatal(err)
	}
	return m
}

// The reference evaluator computes in float64 as we do, so only the order of
// sums differs. ONNX Runtime computes in float32 (unit roundoff 6e-8) over a
// few dozen terms.
const (
	referenceTolerance = 1e-12
	runtimeTolerance   = 5e-6
)

// looser holds the operators that the reference evaluator itself computes in
// float32.
var looser = map[string]float64{
	"erf":       2e-7,
	"gelu_none": 2e-7,
	"gelu_tanh": 2e-7,
}

func TestCases(t *testing.T) {
	models, err := filepath.Glob("testdata/cases/*.onnx")
	if err != nil || len(models) < 150 {
		t.Fatalf("%d cases (%v): testdata/gen_cases.py writes them", len(models), err)
	}
	for _, path := range models {
		name := strings.TrimSuffix(filepath.Base(path), ".onnx")
		t.Run(name, func(t *testing.T) {
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
			p, err := Load(readModel(t, path), "testdata/cases")
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			inputs := map[string]*Array{}
			for k, e := range want.Inputs {
				inputs[k] = e.array(t)
			}
			got, err := p.Run(inputs)
			if err != nil {
				t.Fatal(err)
			}
			if len(want.Reference)+len(want.ORT) == 0 {
				t.Fatal("the case has no outside answer")
			}
			tol := referenceTolerance
			if l, ok := looser[name]; ok {
				tol = l
			}
			compareAll(t, "reference", got, want.Reference, tol)
			compareAll(t, "ort", got, want.ORT, runtimeTolerance)
		})
	}
}

func TestEveryOperatorHasACase(t *testing.T) {
	models, err := filepath.Glob("testdata/cases/*.onnx")
	if err != nil {
		t.Fatal(err)
	}
	covered := map[string]bool{}
	for _, path := range models {
		m := readModel(t, path)
		for _, n := range m.GetGraph().GetNode() {
			op := n.GetOpType()
			if n.GetDomain() != "" {
				op = n.GetDomain() + "::" + op
			}
			covered[op] = true
		}
	}
	for _, op := range Operators() {
		if !covered[op] {
			t.Errorf("operator %s has no case", op)
		}
	}
}

func compareAll(t *testing.T, oracle string, got map[string]*Array, want map[string]encoded, tol float64) {
	t.Helper()
	for name, e := range want {
		w, g := e.array(t), got[name]
		if g == nil {
			t.Errorf("%s: output %q is missing", oracle, name)
			continue
		}
		if msg := differ(g, w, tol); msg != "" {
			t.Errorf("%s: output %q: %s", oracle, name, msg)
		}
	}
}

// differ describes how g differs from w by more than tol of w's largest
// element.
func differ(g, w *Array, tol float64) string {
	if g.Kind != w.Kind || !equalShape(g.Shape, w.Shape) {
		return "is " + g.String() + ", want " + w.String()
	}
	largest := 1.0
	for _, x := range w.F {
		if !math.IsInf(x, 0) && !math.IsNaN(x) {
			largest = math.Max(largest, math.Abs(x))
		}
	}
	for i := range g.Len() {
		ok := false
		var a, b any
		switch g.Kind {
		case Float:
			x, y := g.F[i], w.F[i]
			a, b = x, y
			ok = x == y || math.Abs(x-y) <= tol*largest || (math.IsNaN(x) && math.IsNaN(y))
		case Int:
			a, b, ok = g.I[i], w.I[i], g.I[i] == w.I[i]
		default:
			a, b, ok = g.B[i], w.B[i], g.B[i] == w.B[i]
		}
		if !ok {
			return strings.Join([]string{"element", strconv.Itoa(i), "is", format(a), "want", format(b)}, " ")
		}
	}
	return ""
}

func format(x any) string {
	raw, err := json.Marshal(x)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}
