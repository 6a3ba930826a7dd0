package convert_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/retrofit"
	"github.com/pecvt/pecvt/convert/rewrite"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/posenc"
)

// flatWalk is a walk whose layers change nothing: h is the same everywhere.
type flatWalk struct{ hidden int }

func (w flatWalk) Embed(ids []int64) ([]float32, error) {
	x := make([]float32, len(ids)*w.hidden)
	for i := range x {
		x[i] = float32((i*7919+int(ids[i/w.hidden])*104729)%2001)/1000 - 1
	}
	return x, nil
}
func (w flatWalk) Input(_ int, x []float32) ([]float32, error) { return x, nil }
func (w flatWalk) Advance(int, []float32) error                { return nil }

func load(t testing.TB, dir string) (*family.Model, *safetensors.Checkpoint) {
	t.Helper()
	ckpt := open(t, dir)
	m, err := families.Load(ckpt)
	if err != nil {
		t.Fatal(err)
	}
	return m, ckpt
}

// selection drops some planes, by costs that are made up.
func selection(t testing.TB, m *family.Model, by retrofit.Granularity, planes []int, share float64) *retrofit.Selection {
	t.Helper()
	return scaledSelection(t, m, posenc.Scale{}, by, planes, share)
}

// scaledSelection drops planes of a scaled model.
func scaledSelection(t testing.TB, m *family.Model, scale posenc.Scale, by retrofit.Granularity, planes []int, share float64) *retrofit.Selection {
	t.Helper()
	turns, err := convert.ScaledTurns(m, rewrite.Options{Scale: scale})
	if err != nil {
		t.Fatal(err)
	}
	c := &retrofit.Costs{Planes: planes}
	for l := range turns {
		var groups [][]float64
		for g := range turns[l].InvFreq {
			var row []float64
			for i := range planes {
				row = append(row, float64((l*31+g*17+i*7)%13))
			}
			groups = append(groups, row)
		}
		c.Cost = append(c.Cost, groups)
	}
	s, err := retrofit.Select(context.Background(), c, turns, nil, retrofit.SelectOptions{Budget: retrofit.Budget{Kind: retrofit.BudgetPlanes, Value: share}, Granularity: by})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSelectionReadsBack: what was selected is what the result turns by, as
// tensors per head or in the rope keys.
func TestSelectionReadsBack(t *testing.T) {
	for _, c := range []struct {
		name     string
		by       retrofit.Granularity
		planes   []int
		share    float64
		spelling string
	}{
		{"llama-gqa", retrofit.ByGroup, []int{3, 4, 5, 6, 7}, .5, "pecvt"},
		{"llama-gqa", retrofit.ByLayer, []int{3, 4, 5, 6, 7}, .5, "pecvt"},
		{"llama-gqa", retrofit.ByModel, []int{3, 4, 5, 6, 7}, .6, "longrope"},
		{"llama-gqa", retrofit.ByGroup, []int{6, 7}, 1, "llama3"},
		{"llama-gqa", retrofit.ByGroup, []int{6, 7}, 0, "default"},
		{"qwen3", retrofit.ByModel, []int{2, 5}, 1, "longrope"},
		{"phi3", retrofit.ByGroup, []int{1, 2}, .5, "pecvt"},
		{"llama-sharded-f16", retrofit.ByGroup, []int{1, 2}, .5, "pecvt"},
	} {
		source := golden(t, c.name)
		m, _ := load(t, source)
		s := selection(t, m, c.by, c.planes, c.share)
		o := to("hope")
		o.Tuning = &convert.Tuning{Selection: s}
		out, p, _ := produce(t, source, o)
		if p.Encoding.Spelling != c.spelling {
			t.Errorf("%s by %s: spelling %s, want %s", c.name, c.by, p.Encoding.Spelling, c.spelling)
		}
		got, _ := load(t, out)
		turns, err := retrofit.Turns(got)
		if err != nil {
			t.Fatal(err)
		}
		want := s.Turns()
		for l := range want {
			for g, row := range want[l].InvFreq {
				for i, f := range row {
					if x := turns[l].InvFreq[g][i]; x-f > 1e-12*f || f-x > 1e-12*f {
						t.Errorf("%s by %s: layer %d, head %d, plane %d turns by %v, selected %v", c.name, c.by, l, g, i, x, f)
					}
				}
			}
		}
		var man convert.Manifest
		text, err := os.ReadFile(filepath.Join(out, "pecvt.json"))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &man); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(s.Dropped, man.Tuning.Selection.Dropped); diff != "" {
			t.Errorf("%s: manifest: %s", c.name, diff)
		}
		kind := rewrite.Lossy
		if c.share == 0 {
			kind = rewrite.Exact
		}
		if p.Encoding.Kind != kind {
			t.Errorf("%s by %s: %s: %s", c.name, c.by, p.Encoding.Kind, p.Encoding.Reason)
		}
	}
}

// TestScaledSelection: planes stop by a selection and the others turn as the scaling has
// them, with its attention factor; the rope keys say it where all heads agree, else tensors
// beside rope keys that say the scaling and where the model was trained.
func TestScaledSelection(t *testing.T) {
	for _, c := range []struct {
		name, scale string
		by          retrofit.Granularity
		spelling    string
		extend      int
	}{
		{"llama-gqa", "yarn:2", retrofit.ByGroup, "pecvt", 0},
		{"llama-gqa", "yarn:2", retrofit.ByLayer, "pecvt", 4},
		{"llama-gqa", "pi:2", retrofit.ByGroup, "pecvt", 0},
		{"llama-gqa", "yarn:2", retrofit.ByModel, "longrope", 0},
		{"llama-gqa", "pi:2", retrofit.ByModel, "longrope", 4},
		{"phi3", "yarn:2", retrofit.ByGroup, "pecvt", 2},
	} {
		source := golden(t, c.name)
		m, _ := load(t, source)
		o := to("hope")
		var err error
		if o.Scale, err = posenc.ParseScale(c.scale); err != nil {
			t.Fatal(err)
		}
		o.Extend = c.extend
		planes := []int{5, 6, 7}
		if c.name == "phi3" {
			planes = []int{1, 2} // of three
		}
		s := scaledSelection(t, m, o.Scale, c.by, planes, .5)
		o.Tuning = &convert.Tuning{Selection: s}
		out, p, _ := produce(t, source, o)
		if p.Encoding.Spelling != c.spelling || p.Encoding.Kind != rewrite.Lossy || !strings.Contains(p.Encoding.Reason, "stop turning, chosen") || !strings.Contains(p.Encoding.Reason, "compressed") {
			t.Errorf("%+v: spelling %s, %s: %s", c, p.Encoding.Spelling, p.Encoding.Kind, p.Encoding.Reason)
		}
		got, _ := load(t, out)
		times := 2
		if c.extend > 0 {
			times = c.extend
		}
		if got.MaxPositions != times*m.TrainedLength {
			t.Errorf("%+v: %d positions", c, got.MaxPositions)
		}
		for _, w := range got.Warnings {
			if strings.Contains(w, "the tensors were changed") {
				t.Errorf("%+v: %s", c, w)
			}
		}
		// by another way: what the scaling alone is, by its own conversion
		alone, _ := load(t, must(produce(t, source, convert.Options{To: o.Scale.Kind, Scale: o.Scale})))
		turns, err := retrofit.Turns(got)
		if err != nil {
			t.Fatal(err)
		}
		scaled, err := retrofit.Turns(alone)
		if err != nil {
			t.Fatal(err)
		}
		still := 0
		for l := range scaled {
			if x, y := turns[l].Gain, scaled[l].Gain; x-y > 1e-12 || y-x > 1e-12 {
				t.Errorf("%+v: layer %d has the factor %v, the scaling %v", c, l, x, y)
			}
			for g, row := range scaled[l].InvFreq {
				for i, f := range row {
					x := turns[l].InvFreq[g][i]
					if x == 0 {
						still++
					} else if x-f > 1e-12*f || f-x > 1e-12*f {
						t.Errorf("%+v: layer %d, head %d, plane %d turns by %v, scaled %v", c, l, g, i, x, f)
					}
				}
			}
		}
		if want, _ := s.Stopped(); still != want {
			t.Errorf("%+v: %d stand still, %d were dropped", c, still, want)
		}
	}
}

// must is the folder of a conversion.
func must(dir string, _ *convert.Plan, _ *convert.Result) string { return dir }

// TestMixedPlanes: the table says in how many heads a plane stops.
func TestMixedPlanes(t *testing.T) {
	source := golden(t, "llama-gqa")
	m, _ := load(t, source)
	o := to("hope")
	o.Tuning = &convert.Tuning{Selection: selection(t, m, retrofit.ByGroup, []int{6, 7}, .5)}
	p := plan(t, source, o)
	var mixed, still int
	for _, x := range p.Encoding.Planes {
		if x.State == "mixed" {
			mixed++
			still += x.Still
			if x.Of != 4 || x.After != x.Before {
				t.Errorf("%+v", x)
			}
		}
	}
	if mixed == 0 || !strings.HasPrefix(p.Encoding.Reason, "4 of 32 (layer, key/value head, plane) stop turning") {
		t.Errorf("%d mixed planes; %s", mixed, p.Encoding.Reason)
	}
}

// TestSelectionRefused: what a selection does not go with.
func TestSelectionRefused(t *testing.T) {
	source := golden(t, "llama-gqa")
	m, _ := load(t, source)
	for _, c := range []struct {
		edit  func(o *convert.Options)
		fault string
	}{
		{func(o *convert.Options) { o.To = "nope" }, "a selection of planes is Options.To hope"},
		{func(o *convert.Options) { o.Scale = posenc.Scale{Kind: "pi", Factor: 4} }, "expected the model's"}, // it was made unscaled
		{func(o *convert.Options) { o.Layout = rewrite.Partial }, "no rope type has them"},
		{func(o *convert.Options) { o.Spelling = "longrope" }, "no rope type has them"},
	} {
		o := to("hope")
		o.Tuning = &convert.Tuning{Selection: selection(t, m, retrofit.ByGroup, []int{6, 7}, .5)}
		c.edit(&o)
		if _, err := convert.NewPlan(source, o); err == nil || !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%v, expected %q", err, c.fault)
		}
	}
	other := golden(t, "llama-sharded-f16")
	o := to("hope")
	o.Tuning = &convert.Tuning{Selection: selection(t, m, retrofit.ByGroup, []int{6, 7}, .5)}
	if _, err := convert.NewPlan(other, o); err == nil {
		t.Error("a selection of another model was taken")
	}
}

// calibrated calibrates for what options make of a model.
func calibrated(t testing.TB, source string, o rewrite.Options) *retrofit.Calibration {
	t.Helper()
	m, ckpt := load(t, source)
	r, err := rewrite.Make(m, ckpt, o)
	if err != nil {
		t.Fatal(err)
	}
	students, err := convert.Students(m, r)
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]int64, 200)
	for i := range ids {
		ids[i] = int64(i * i % 97)
	}
	c, err := retrofit.Calibrate(context.Background(), m, ckpt, flatWalk{m.Hidden}, students, [][]int64{ids[:100], ids[100:]},
		retrofit.CalibrateOptions{Steps: 20, Rows: 32, Rate: .005, Folder: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Files) == 0 {
		t.Fatalf("no layer was kept: %+v", c.Layers)
	}
	return c
}

// TestCalibratedTensors: the result holds the fitted tensors where the source
// has its own, in every layout, and everything else as it was.
func TestCalibratedTensors(t *testing.T) {
	for _, c := range []struct {
		name string
		o    rewrite.Options
	}{
		{"llama-gqa", rewrite.Options{To: "nope"}},
		{"llama-gqa", rewrite.Options{To: "hope"}},
		{"llama-gqa", rewrite.Options{To: "hope-ab1"}},
		{"llama-gqa", rewrite.Options{To: "hope-ab2"}},
		{"llama-gqa", rewrite.Options{To: "yarn", Scale: posenc.Scale{Kind: "yarn", Factor: 4}}},
		{"llama-gqa", rewrite.Options{To: "pi", Scale: posenc.Scale{Kind: "pi", Factor: 4}}},
		{"llama-gqa", rewrite.Options{To: "hybrid", Slope: "alibi"}},
		{"llama-gqa", rewrite.Options{To: "hybrid:alibi", Slope: "0.05"}},
		{"qwen2", rewrite.Options{To: "nope"}},
		{"qwen3", rewrite.Options{To: "nope"}},
		{"phi3", rewrite.Options{To: "nope"}},
		{"llama-sharded-f16", rewrite.Options{To: "nope"}},
		{"llama-tied-bf16", rewrite.Options{To: "nope"}},
	} {
		source := golden(t, c.name)
		cal := calibrated(t, source, c.o)
		o := convert.Options{Tuning: &convert.Tuning{Calibration: cal}}.With(c.o)
		out, _, _ := produce(t, source, o)
		src, dst := open(t, source), open(t, out)
		fitted := map[string]*safetensors.File{}
		for _, path := range cal.Files {
			f, err := safetensors.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			for _, info := range f.Tensors() {
				fitted[info.Name] = f
			}
		}
		changed := 0
		for _, n := range src.Names() {
			want := raw(t, src, n)
			if f := fitted[n]; f != nil {
				var err error
				if want, err = f.Bytes(n); err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(want, raw(t, src, n)) {
					changed++
				}
			}
			if !bytes.Equal(raw(t, dst, n), want) {
				t.Errorf("%s to %s: tensor %s is not what was fitted", c.name, c.o.To, n)
			}
		}
		if changed < len(cal.Files) {
			t.Errorf("%s to %s: %d tensors changed", c.name, c.o.To, changed)
		}
	}
}

// TestCalibratedRows: rows that move or vanish are the fitted ones'.
func TestCalibratedRows(t *testing.T) {
	source := golden(t, "llama-gqa")
	o := partial()
	cal := calibrated(t, source, o.Rewrite())
	o.Tuning = &convert.Tuning{Calibration: cal}
	out, _, _ := produce(t, source, o)
	dst := open(t, out)
	fitted, err := safetensors.OpenCheckpoint(cal.Files[0])
	if err != nil {
		t.Fatal(err)
	}
	defer fitted.Close()
	queries := func(c *safetensors.Checkpoint) string {
		for _, n := range c.Names() {
			if strings.HasSuffix(n, "q_proj.weight") {
				return n
			}
		}
		t.Fatal("no queries were fitted")
		return ""
	}
	name := queries(fitted)
	for h := range 4 {
		for j := range 16 {
			if !bytes.Equal(headRow(t, fitted, name, 0, h, j), headRow(t, dst, strings.Replace(name, "q_proj", "qkv_proj", 1), 0, h, newRow(j, 3))) {
				t.Fatalf("head %d row %d is not the fitted one", h, j)
			}
		}
	}

	// hope-ab3 zeroes query rows of the fitted weights
	source = golden(t, "llama-gqa")
	o = to("hope-ab3")
	cal = calibrated(t, source, o.Rewrite())
	o.Tuning = &convert.Tuning{Calibration: cal}
	out, _, _ = produce(t, source, o)
	dst = open(t, out)
	other, err := safetensors.OpenCheckpoint(cal.Files[0])
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	name = queries(other)
	for j := range 16 {
		got := headRow(t, dst, name, 0, 1, j)
		if plane := j % 8; plane >= 3 {
			if !bytes.Equal(got, make([]byte, len(got))) {
				t.Errorf("row %d of a removed plane is not 0", j)
			}
		} else if !bytes.Equal(got, headRow(t, other, name, 0, 1, j)) {
			t.Errorf("row %d is not the fitted one", j)
		}
	}
}

// TestCalibrationOfAnother: another rotation, another model.
func TestCalibrationOfAnother(t *testing.T) {
	source := golden(t, "llama-gqa")
	cal := calibrated(t, source, rewrite.Options{To: "nope"})
	o := to("hope")
	o.Tuning = &convert.Tuning{Calibration: cal}
	if _, err := convert.NewPlan(source, o); err == nil || !strings.Contains(err.Error(), "for another rotation") {
		t.Errorf("another rotation: %v", err)
	}
	o = to("nope")
	o.Tuning = &convert.Tuning{Calibration: cal}
	if _, err := convert.NewPlan(golden(t, "llama-tied-bf16"), o); err == nil {
		t.Error("another model's calibration was taken")
	}
}
