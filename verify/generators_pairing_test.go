package verify_test

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/rewrite"
	"github.com/pecvt/pecvt/verify"
)

// TestInterleavedGenerators: where planes are pairs of neighbours, of part of a head
// (gptj) or of all of it (cohere), a mixed generator that training has moved is emitted
// and verified, and folds to the same logits.
func TestInterleavedGenerators(t *testing.T) {
	present := runtimePresent(t)
	for _, name := range []string{"gptj", "cohere"} {
		t.Run(name, func(t *testing.T) {
			source := filepath.Join(fixtures, "families", name)
			dir := rewritten(t, source, rewrite.Options{To: "grape-m:mixed=4"}, rewrite.Exact)
			ids := tokens(t, dir, 24)
			for _, row := range ids {
				for i := range row {
					row[i] %= 64
				}
			}
			before := logits(t, source, ids, func(*family.Model) {})
			if drift := apart(t, logits(t, dir, ids, func(*family.Model) {}), before); !(drift <= exactLimit) {
				t.Errorf("at the start: drift %.3g of the largest logit", drift)
			}
			moveGenerators(t, dir)
			want := logits(t, dir, ids, func(*family.Model) {})
			if drift := apart(t, want, before); drift < 1e-3 {
				t.Errorf("moved generators change logits by %.3g of the largest alone", drift)
			}
			folded := rewritten(t, dir, rewrite.Options{To: "grape-m"}, rewrite.Exact)
			if drift := apart(t, logits(t, folded, ids, func(*family.Model) {}), want); !(drift <= 1e-6) {
				t.Errorf("folded: drift %.3g of the largest logit", drift)
			}
			if err := (conversion{maxLength: 64}).emit(dir); err != nil {
				t.Fatal(err)
			}
			for _, c := range verified(t, dir, verify.Options{}).Checks {
				if c.Verdict == verify.Fail || c.Verdict == verify.Incomplete && present {
					t.Errorf("%s of %s: %s: %s (off by %v, limit %v)", c.Name, c.Runner, c.Verdict, c.Detail, c.MaxRel, c.Limit)
				}
			}
		})
	}
}

// moveGenerators changes a converted folder's generators, frequencies and frames, whose
// columns stay orthonormal, and removes the manifest, which has the old sums.
func moveGenerators(t *testing.T, dir string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, "pecvt.json")); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	moved := 0
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		size := binary.LittleEndian.Uint64(data)
		var header map[string]struct {
			DType   string
			Shape   []int
			Offsets [2]int `json:"data_offsets"`
		}
		if err := json.Unmarshal(data[8:8+size], &header); err != nil {
			t.Fatal(err)
		}
		for name, info := range header {
			if !strings.Contains(name, ".rotation.") {
				continue
			}
			if info.DType != "F64" {
				t.Fatalf("%s is %s", name, info.DType)
			}
			raw := data[8+int(size):][info.Offsets[0]:info.Offsets[1]]
			v := make([]float64, len(raw)/8)
			for i := range v {
				v[i] = math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:]))
			}
			switch name[strings.LastIndex(name, ".")+1:] {
			case "frame": // coordinates 0 and 3 of every head turned by 0.7 rad
				d, r := info.Shape[1], info.Shape[2]
				for g := range info.Shape[0] {
					for c := range r {
						x, y := &v[(g*d)*r+c], &v[(g*d+3)*r+c]
						*x, *y = math.Cos(0.7)**x-math.Sin(0.7)**y, math.Cos(0.7)**y+math.Sin(0.7)**x
					}
				}
			default:
				for i := range v {
					v[i] += 0.2 * math.Sin(float64(3*i+1))
				}
			}
			for i, x := range v {
				binary.LittleEndian.PutUint64(raw[8*i:], math.Float64bits(x))
			}
			moved++
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if moved == 0 {
		t.Fatal("no tensor of a rotation was found")
	}
}
