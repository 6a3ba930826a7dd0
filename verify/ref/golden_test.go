package ref

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/posenc"
)

const testdata = "../../testdata"

// limit is the goldens' own accuracy: they were computed in float32 by another
// program, which leaves about 1e-5 of the largest value.
const limit = 2e-5

// checkpoint opens a model under testdata.
func checkpoint(t testing.TB, dir string) (*family.Model, *safetensors.Checkpoint) {
	t.Helper()
	c, err := safetensors.OpenCheckpoint(filepath.Join(testdata, dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	m, err := families.Load(c)
	if err != nil {
		t.Fatal(err)
	}
	return m, c
}

// converted returns the model with every block's spectrum replaced by the
// named encoding's.
func converted(t testing.TB, m *family.Model, name, scale string) *family.Model {
	t.Helper()
	e, err := posenc.FindEncoding(name)
	if err != nil {
		t.Fatal(err)
	}
	s, err := posenc.ParseScale(scale)
	if err != nil {
		t.Fatal(err)
	}
	c := m.Clone()
	for _, a := range c.Attentions() {
		r := &a.Rotary
		r.Spectrum, err = e.Target(posenc.Source{Declared: m.Rope, Unscaled: m.Rope.Base(), Current: r.Spectrum,
			TrainedLength: m.TrainedLength, Scale: s})
		if err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// golden is what another program computed.
type golden struct {
	ids    [][]int64
	logits []float64
	hidden [][]float64
}

func readGolden(t testing.TB, path string) golden {
	t.Helper()
	f, err := safetensors.Open(filepath.Join(testdata, path))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	read := func(name string) []float64 {
		info, ok := f.Lookup(name)
		if !ok {
			t.Fatalf("%s has no tensor %q", path, name)
		}
		raw, err := f.Bytes(name)
		if err != nil {
			t.Fatal(err)
		}
		out := make([]float64, len(raw)/info.DType.Size())
		if err := tensor.Decode64(out, raw, info.DType); err != nil {
			t.Fatal(err)
		}
		return out
	}
	g := golden{logits: read("logits")}
	info, _ := f.Lookup("input_ids")
	ids := read("input_ids")
	for b := range int(info.Shape[0]) {
		row := make([]int64, info.Shape[1])
		for i := range row {
			row[i] = int64(ids[b*len(row)+i])
		}
		g.ids = append(g.ids, row)
	}
	for i := 0; ; i++ {
		name := fmt.Sprintf("hidden.%d", i)
		if _, ok := f.Lookup(name); !ok {
			return g
		}
		g.hidden = append(g.hidden, read(name))
	}
}

// tb is what *testing.T and *rapid.T share.
type tb interface {
	Helper()
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// relative is the largest difference over the largest magnitude of want.
func relative(t tb, got, want []float64) float64 {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d numbers, want %d", len(got), len(want))
	}
	diff, scale := 0.0, 0.0
	for i, w := range want {
		d := math.Abs(got[i] - w)
		if math.IsNaN(d) {
			t.Fatalf("number %d: %v, want %v", i, got[i], w)
		}
		diff, scale = max(diff, d), max(scale, math.Abs(w))
	}
	return diff / scale
}

const gqa, stories = "golden/llama-gqa", "models/stories260K"

// goldenCase is a checkpoint and the encoding it was converted to; "" is none.
type goldenCase struct {
	dir, golden, to, scale string
	beta                   float64 // of a factor of queries, 0 for none
}

// goldenCases are the checkpoints that were converted before another program
// computed them; hidden.i is the residual stream.
var goldenCases = []goldenCase{
	{gqa, "golden/rope.safetensors", "rope", "", 0},
	{gqa, "golden/hope.safetensors", "hope", "", 0},
	{gqa, "golden/hope-scaled.safetensors", "hope", "", 0.3},
	{gqa, "golden/hope-ab1.safetensors", "hope-ab1", "", 0},
	{gqa, "golden/hope-ab2.safetensors", "hope-ab2", "", 0},
	{gqa, "golden/hope-ab3.safetensors", "hope-ab3", "", 0},
	{gqa, "golden/p-rope.safetensors", "p-rope", "", 0},
	{gqa, "golden/nope.safetensors", "nope", "", 0},
	{gqa, "golden/rope-pi4.safetensors", "pi", "pi:4", 0},
	{gqa, "golden/rope-yarn4.safetensors", "yarn", "yarn:4", 0},
	{gqa, "golden/hope-pi4.safetensors", "hope", "pi:4", 0},
	{gqa, "golden/hope-yarn4.safetensors", "hope", "yarn:4", 0},
	{stories, "golden/rope.safetensors", "rope", "", 0},
	{stories, "golden/hope.safetensors", "hope", "", 0},
	{stories, "golden/hope-ab1.safetensors", "hope-ab1", "", 0},
	{stories, "golden/hope-ab2.safetensors", "hope-ab2", "", 0},
}

// plainGoldens lists the folders of testdata/families, and of testdata/golden those whose golden.safetensors
// encodingCases does not name: each is compared as it is, and its hidden.i is
// the residual stream.
func plainGoldens(t *testing.T) []string {
	t.Helper()
	named := map[string]bool{}
	for _, c := range encodingCases {
		named[c.dir+"/"+c.golden] = true
	}
	var dirs []string
	for _, root := range []string{"golden", "families"} {
		found, err := filepath.Glob(filepath.Join(testdata, root, "*/golden.safetensors"))
		if err != nil || len(found) == 0 {
			t.Fatalf("no goldens: %v, %v", found, err)
		}
		for _, path := range found {
			if name := filepath.Base(filepath.Dir(path)); root != "golden" || !named[name+"/golden"] {
				dirs = append(dirs, root+"/"+name)
			}
		}
	}
	return dirs
}

func TestGolden(t *testing.T) {
	cases := slices.Clone(goldenCases)
	for _, dir := range plainGoldens(t) {
		cases = append(cases, goldenCase{dir: dir, golden: "golden.safetensors"})
	}
	for _, c := range cases {
		t.Run(filepath.Base(c.dir)+"/"+strings.TrimSuffix(filepath.Base(c.golden), ".safetensors"), func(t *testing.T) {
			m, src := checkpoint(t, c.dir)
			g := readGolden(t, filepath.Join(c.dir, c.golden))
			if c.to != "" {
				m = converted(t, m, c.to, c.scale)
			}
			for _, a := range m.Attentions() {
				if c.beta != 0 {
					a.QueryScale = &family.QueryScale{Beta: c.beta, Length: float64(m.TrainedLength)}
				}
			}
			out, err := New(m, src).Forward(context.Background(), Input{IDs: g.ids}, Options{KeepHidden: true})
			if err != nil {
				t.Fatal(err)
			}
			if r := relative(t, out.Logits, g.logits); r > limit {
				t.Errorf("logits differ by %.3g of the largest: limit %g", r, limit)
			} else {
				t.Logf("logits: %.2e of the largest", r)
			}
			layers := len(m.Blocks)
			for i := range m.Blocks {
				if m.Blocks[i].Shortcut != nil { // half of a layer
					layers--
				}
			}
			if len(out.Hidden) != layers+1 {
				t.Fatalf("%d hidden states for %d layers", len(out.Hidden), layers)
			}
			if want := len(out.Hidden); c.dir != stories && len(g.hidden) != want { // stories260K's goldens hold logits alone
				t.Fatalf("the golden has %d hidden states, want %d", len(g.hidden), want)
			}
			for i, want := range g.hidden {
				if r := relative(t, out.Hidden[i], want); r > limit {
					t.Errorf("hidden.%d differs by %.3g of the largest: limit %g", i, r, limit)
				} else {
					t.Logf("hidden.%d: %.2e of the largest", i, r)
				}
			}
		})
	}
}

// TestEveryGoldenIsCompared: what another program computed is of no use where no
// test reads it.
func TestEveryGoldenIsCompared(t *testing.T) {
	compared := map[string]bool{}
	for _, dir := range plainGoldens(t) {
		compared[dir+"/golden.safetensors"] = true
	}
	for _, c := range goldenCases {
		compared[c.dir+"/"+c.golden] = true
	}
	for _, c := range encodingCases {
		compared["golden/"+c.dir+"/"+c.golden+".safetensors"] = true
	}
	for _, pattern := range []string{"golden/*/golden*.safetensors", "*/*/golden/*.safetensors"} {
		found, err := filepath.Glob(filepath.Join(testdata, pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v, %v", pattern, found, err)
		}
		for _, path := range found {
			name, err := filepath.Rel(testdata, path)
			if err != nil {
				t.Fatal(err)
			}
			if !compared[filepath.ToSlash(name)] {
				t.Errorf("testdata/%s: no test compares it with the reference: add a row to goldenCases or encodingCases (verify/ref)", name)
			}
		}
	}
}
