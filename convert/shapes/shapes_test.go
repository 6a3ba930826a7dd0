package shapes_test

import (
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/shapes"
	"github.com/pecvt/pecvt/convert/store"
)

// published are the parameters of the models, as their hub pages count the tensors:
// of DeepSeek V3 those of the 61 layers (684.5 with the layer that predicts a second
// token and the scales).
var published = map[string]int64{
	"llama-1b":    1_235_814_400,
	"llama-8b":    8_030_261_248,
	"llama-70b":   70_553_706_496,
	"llama-405b":  405_853_388_800,
	"deepseek-v3": 671_026_419_200,
}

// TestParameters compares the shapes with what the publishers count.
func TestParameters(t *testing.T) {
	for _, s := range shapes.All() {
		want, ok := published[s.Name]
		if !ok { // nobody's
			if n := s.Parameters(); n < 990e9 || n > 1010e9 {
				t.Errorf("%s has %d parameters, not a trillion", s.Name, n)
			}
			continue
		}
		if n := s.Parameters(); n != want {
			t.Errorf("%s has %d parameters, published are %d", s.Name, n, want)
		}
	}
	if _, err := shapes.Find("llama-2b"); err == nil || !strings.Contains(err.Error(), "llama-405b") {
		t.Errorf("an unknown name: %v", err)
	}
}

// TestInspect inspects every shape and plans a conversion of it, and holds what is
// allocated for the largest: all of it together is a bound of what is ever held.
func TestInspect(t *testing.T) {
	for _, s := range shapes.All() {
		t.Run(s.Name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), s.Name)
			if err := s.Write(dir); err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			in, err := convert.Inspect(dir)
			if err != nil {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&after)
			if in.Parameters != s.Parameters() || in.Layers != s.Layers {
				t.Errorf("found %d parameters and %d layers, expected %d and %d", in.Parameters, in.Layers, s.Parameters(), s.Layers)
			}
			const perTensor, fixed = 3200, 8 << 20 // 2600 were measured, 6800 before names and parts were shared
			if n, limit := after.TotalAlloc-before.TotalAlloc, uint64(fixed+perTensor*len(s.Tensors)); n > limit {
				t.Errorf("inspection allocates %d bytes for %d tensors, more than %d", n, len(s.Tensors), limit)
			}
			p, err := convert.NewPlan(dir, convert.Options{To: "hope", Output: filepath.Join(t.TempDir(), "out")})
			if err != nil {
				t.Fatal(err)
			}
			if p.Bytes < in.Bytes {
				t.Errorf("the plan's result has %d bytes, the source %d", p.Bytes, in.Bytes)
			}
		})
	}
}

// TestFilled draws the numbers of one layer, which are there and finite, and leaves
// the others zero.
func TestFilled(t *testing.T) {
	s, err := shapes.Find("llama-1b")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := s.Write(dir, 7); err != nil {
		t.Fatal(err)
	}
	src, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	for name, drawn := range map[string]bool{
		"model.layers.7.self_attn.k_proj.weight": true, "model.layers.7.input_layernorm.weight": true, "model.norm.weight": false,
		"model.layers.6.self_attn.k_proj.weight": false, "model.layers.8.input_layernorm.weight": false,
	} {
		if err := store.CheckFinite(src, name); err != nil {
			t.Error(err)
		}
		raw, err := store.Bytes(src, name)
		if err != nil {
			t.Fatal(err)
		}
		zeros := 0
		for _, b := range raw {
			if b == 0 {
				zeros++
			}
		}
		if some := zeros < len(raw)/8; some != drawn || !drawn && zeros != len(raw) {
			t.Errorf("%s: %d of %d bytes are zero", name, zeros, len(raw))
		}
	}
}
