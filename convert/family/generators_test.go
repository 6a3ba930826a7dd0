package family_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/pecvt/pecvt/convert/families"
)

// formTensors are a layer's tensors for two heads of four coordinates.
type formTensors map[string]blockTensor

func inLayers(t formTensors) map[string]blockTensor {
	all := map[string]blockTensor{}
	for i := range 2 {
		for name, v := range t {
			all[fmt.Sprintf("pecvt.layers.%d.rotation.%s", i, name)] = v
		}
	}
	return all
}

// turned is a rotation by 0.3 of coordinates 0 and 3, beside a rotation by 0.7 of 1 and 2.
var turned = []float64{
	math.Cos(0.3), 0, 0, -math.Sin(0.3),
	0, math.Cos(0.7), -math.Sin(0.7), 0,
	0, math.Sin(0.7), math.Cos(0.7), 0,
	math.Sin(0.3), 0, 0, math.Cos(0.3),
}

// The forms with numbers by hand, and the generators that they say.
var forms = []struct {
	keys    string
	tensors formTensors
	want    []float64 // L of the second head
}{
	{`"form":"dense"`, formTensors{"generator": {[]int64{2, 6}, []float64{0, 1, 0, 0, .1, 0, 1, 2, 3, 4, 5, 6}}},
		[]float64{0, 1, 2, 3, -1, 0, 4, 5, -2, -4, 0, 6, -3, -5, -6, 0}},
	// planes pair 0 with 2 and 1 with 3; +θ takes the first towards the second
	{`"form":"basis"`, formTensors{"inv_freq": {[]int64{2, 2}, []float64{1, .1, 2, 3}}, "basis": {[]int64{2, 4, 4}, slices.Concat(turned, []float64{1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1})}},
		[]float64{0, 0, -2, 0, 0, 0, 0, -3, 2, 0, 0, 0, 0, 3, 0, 0}},
	{`"form":"mixed","rank":2`, formTensors{"inv_freq": {[]int64{2, 2}, []float64{1, .1, 2, 3}}, "frame": {[]int64{2, 4, 2}, []float64{1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0}}, "generator": {[]int64{2, 1}, []float64{.5, 7}}},
		// E = [e3, e2], L_r = [[0, 7], [−7, 0]]: L(3, 2) = 7
		[]float64{0, 0, -2, 0, 0, 0, 0, -3, 2, 0, 0, -7, 0, 3, 7, 0}},
	{`"form":"rank2","generators":2`, formTensors{"inv_freq": {[]int64{2, 2}, []float64{1, .1, 0, 0}},
		"a": {[]int64{2, 2, 4}, []float64{1, 0, 0, 0, 0, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0, 1}}, "b": {[]int64{2, 2, 4}, []float64{0, 0, 0, 1, 1, 0, 0, 0, 0, 3, 0, 0, 0, 0, 5, 0}}},
		[]float64{0, 6, 0, 0, -6, 0, 0, 0, 0, 0, 0, -5, 0, 0, 5, 0}},
}

// TestGeneratorsRead: the generator of every form is what its tensors say, and basis
// and frequencies are its planes: exp(tL), by another program, is Q R_θ(t) Qᵀ.
func TestGeneratorsRead(t *testing.T) {
	for _, f := range forms {
		ckpt, err := blockFolder(t, blockConfig(`,"rotation":{"type":"grape-m","attention_factor":1,`+f.keys+`}`), inLayers(f.tensors))
		if err != nil {
			t.Fatal(err)
		}
		m, err := families.Load(ckpt)
		if err != nil {
			t.Errorf("%s: %v", f.keys, err)
			continue
		}
		a := m.Blocks[1].Attn()
		n := a.Generators
		if want := "grape-m:" + n.Form; m.Encoding() != want {
			t.Errorf("%s: encoding %q, want %q", f.keys, m.Encoding(), want)
		}
		if !slices.Equal(n.L[1].Data, f.want) {
			t.Errorf("%s: generator\n%v, want\n%v", f.keys, n.L[1].Data, f.want)
		}
		for g := range 2 {
			for _, at := range []float64{0, 1, 0.5, 37} {
				var scaled, exp mat.Dense
				scaled.Scale(at, mat.NewDense(4, 4, n.L[g].Data))
				exp.Exp(&scaled)
				r := a.Rotary
				r.InvFreq = a.Spectra.InvFreq[g]
				for j := range 4 {
					x := make([]float64, 4)
					x[j] = 1
					closed := slices.Clone(x)
					n.Turn.Turn(closed, g, []float64{at})
					y := n.Q[g].T().Apply(x)
					r.Turn(y, 0, []float64{at})
					for i, v := range n.Q[g].Apply(y) {
						if want := exp.At(i, j); math.Abs(v-want) > 1e-12 || math.Abs(closed[i]-want) > 1e-12 {
							t.Errorf("%s: head %d, position %v: (%d, %d) is %v in planes, %v closed, want %v", f.keys, g, at, i, j, v, closed[i], want)
						}
					}
				}
			}
		}
	}
}

// TestGeneratorsAreStrict: tensors of a form that are not what it says are refused.
func TestGeneratorsAreStrict(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		form   int
		tensor string
		with   *blockTensor
		want   string
	}{
		{0, "generator", nil, `tensor "pecvt.layers.0.rotation.generator" is missing`},
		{0, "generator", &blockTensor{[]int64{2, 5}, nil}, `"pecvt.layers.0.rotation.generator" has shape [2 5]: config.json asks for [2 6]`},
		{0, "inv_freq", &blockTensor{[]int64{2, 2}, nil}, "pecvt.layers.0.rotation.inv_freq"},
		{1, "basis", &blockTensor{[]int64{2, 4, 4}, slices.Concat(turned, []float64{1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1.5})}, `tensor "pecvt.layers.0.rotation.basis": key/value head 1: basis: BᵀB differs from I by 1.25: expected orthonormal columns (to 1e-05)`},
		{1, "basis", &blockTensor{[]int64{2, 4, 4}, slices.Concat(turned, []float64{1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, nan})}, `"pecvt.layers.0.rotation.basis": element 31 is NaN`},
		{1, "inv_freq", nil, `tensor "pecvt.layers.0.rotation.inv_freq" is missing`},
		{2, "frame", &blockTensor{[]int64{2, 4, 2}, make([]float64, 16)}, `tensor "pecvt.layers.0.rotation.frame": key/value head 0: subspace: EᵀE differs from I by 1`},
		{2, "frame", &blockTensor{[]int64{2, 2, 4}, make([]float64, 16)}, `config.json asks for [2 4 2]`},
		{3, "b", nil, `tensor "pecvt.layers.0.rotation.b" is missing`},
		// rates: what is refused is that of a plane of the generator, not an element's
		{0, "generator", &blockTensor{[]int64{2, 6}, []float64{0, 1, 0, 0, .1, 0, 91, 0, 0, 91, 0, 0}}, `tensor "pecvt.layers.0.rotation.generator": key/value head 1: turns by 128.693 radians per position: expected at most 128`},
		{1, "inv_freq", &blockTensor{[]int64{2, 2}, []float64{1, .1, -129, 3}}, `tensor "pecvt.layers.0.rotation.basis": key/value head 1: turns by -129 radians`},
		{2, "generator", &blockTensor{[]int64{2, 1}, []float64{.5, 1e300}}, `tensor "pecvt.layers.0.rotation.frame": key/value head 1: turns by 1e+300 radians`},
		{3, "a", &blockTensor{[]int64{2, 2, 4}, []float64{1000, 0, 0, 0, 0, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0, 1}}, `tensor "pecvt.layers.0.rotation.b": key/value head 0: turns by 1000`},
	} {
		tensors := formTensors{}
		for name, v := range forms[c.form].tensors {
			tensors[name] = v
		}
		if delete(tensors, c.tensor); c.with != nil {
			tensors[c.tensor] = *c.with
		}
		ckpt, err := blockFolder(t, blockConfig(`,"rotation":{"type":"grape-m","attention_factor":1,`+forms[c.form].keys+`}`), inLayers(tensors))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := families.Load(ckpt); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, %s: error %v, want %q", forms[c.form].keys, c.tensor, err, c.want)
		}
	}
}
