package eval_test

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
	"github.com/pecvt/pecvt/verify/eval"
)

func TestParseRivals(t *testing.T) {
	list, err := eval.ParseRivals([]string{"source", "pi:2", "yarn:2.5", "hope", "hope+yarn:2", "grape-a:querykey"})
	want := []eval.Rival{
		{Name: "pi:2", To: "pi", Scale: posenc.Scale{Kind: "pi", Factor: 2}},
		{Name: "yarn:2.5", To: "yarn", Scale: posenc.Scale{Kind: "yarn", Factor: 2.5}},
		{Name: "hope", To: "hope"},
		{Name: "hope+yarn:2", To: "hope", Scale: posenc.Scale{Kind: "yarn", Factor: 2}},
		{Name: "grape-a:querykey", To: "grape-a:querykey"},
	}
	if err != nil || !slices.Equal(list, want) {
		t.Errorf("%+v, %v", list, err)
	}
	for name, want := range map[string]string{
		"yarn":         "its factor is missing",
		"yarn:":        "its factor is missing",
		"yarn:x":       "with a factor of at least 1",
		"yran:2":       `did you mean "yarn"?`,
		"hope:2":       "has no variants",
		"hope+":        "nothing behind the +",
		"hope+hope":    "expected pi:FACTOR or yarn:FACTOR",
		"nope+pi:2":    "nope takes no scaling",
		"pi:2+yarn:2":  "is a scaling itself",
		"source:2":     "is unknown",
		"":             "is unknown",
		"grape-a:none": `variant "none"`,
	} {
		if _, err := eval.ParseRivals([]string{name}); err == nil || !strings.Contains(err.Error(), want) || !slices.Contains(hint.Of(err), hint.Compare) {
			t.Errorf("%q: error %v, want %q", name, err, want)
		}
	}
	if _, err := eval.ParseRivals([]string{"hope", "source", "hope"}); err == nil {
		t.Error("a rival that is there twice is taken")
	}
}

// Rivals have the figures of the same conversions made beforehand, under their names and
// the source's path, and leave nothing behind.
func TestCompare(t *testing.T) {
	temp, made := t.TempDir(), t.TempDir()
	var folders []string
	for _, o := range []convert.Options{{To: "yarn", Scale: posenc.Scale{Kind: "yarn", Factor: 2}}, {To: "hope"}} {
		o.Output = filepath.Join(made, o.To)
		plan, err := convert.NewPlan(stories, o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := convert.Run(t.Context(), plan, convert.RunOptions{}); err != nil {
			t.Fatal(err)
		}
		folders = append(folders, o.Output)
	}
	c := eval.Config{Models: []string{stories}, Compare: []string{"source", "yarn:2", "hope"}, Lengths: []int{128}, Sequences: 2, Options: eval.Options{TempDir: temp}}
	r := quick(t, c)
	want := quick(t, eval.Config{Models: folders, Against: stories, Lengths: []int{128}, Sequences: 2})
	if len(r.Results) != 3 || !r.Results[0].Source {
		t.Fatalf("%d results, the first %+v", len(r.Results), r.Results[0])
	}
	for i, name := range []string{"stories260K", "yarn:2", "hope"} {
		x, y := r.Results[i], want.Results[i]
		if x.Model != name || (x.As != "") != (i > 0) || x.Path != stories {
			t.Errorf("result %d is of %q (%q) of %s", i, x.Model, x.As, x.Path)
		}
		if x.PPL != y.PPL || i > 0 && x.KL != y.KL {
			t.Errorf("%s: perplexity %v, KL %v; made beforehand %v, %v", name, x.PPL, x.KL, y.PPL, y.KL)
		}
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("%v is left behind (%v)", left, err)
	}
}

func TestCompareErrors(t *testing.T) {
	for _, c := range []struct {
		want string
		kind error
		eval.Config
	}{
		{"Config.Compare alibi: the source cannot become it: " + stories, posenc.ErrUnsupported, eval.Config{Models: []string{stories}, Compare: []string{"hope", "alibi"}}},
		{"name the source with Config.Against", nil, eval.Config{Models: []string{stories, stories}, Compare: []string{"hope"}}},
		{"is unknown", nil, eval.Config{Models: []string{stories}, Compare: []string{"hop:e"}}},
		{"Config.CopyDistances 500: expected 32 to 480", nil, eval.Config{Models: []string{stories}, Copy: 1, CopyDistances: []int{500}}},
		{"no use without Config.Copy", nil, eval.Config{Models: []string{stories}, CopyDistances: []int{100}}},
	} {
		temp := t.TempDir()
		c.IDs, c.Lengths, c.Options.Runner, c.Options.TempDir = storyIDs, []int{512}, eval.RunnerRef, temp
		_, err := eval.Run(t.Context(), c.Config)
		if err == nil || !strings.Contains(err.Error(), c.want) || c.kind != nil && !errors.Is(err, c.kind) {
			t.Errorf("error %v: want one with %q", err, c.want)
		}
		if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
			t.Errorf("%v is left behind (%v)", left, err)
		}
	}
}

// Bands are the perplexities of their positions, by hand from the traces of one piece, in
// figures, table and picture; within the trained length there are none.
func TestBands(t *testing.T) {
	row := make([]int64, 1400)
	for i := range row {
		row[i] = int64(3 + i*i%500)
	}
	c := eval.Config{Models: []string{stories}, IDs: idsFile(t, row), Compare: []string{"yarn:2"}, Lengths: []int{512, 600, 1400}, Copy: 1, CopyDistances: []int{300, 900}}
	r := quick(t, c)
	e, err := eval.Begin(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	last := e.Pieces() - 2 // the sequence of 1400, before the probe of 900
	p, err := e.Piece(t.Context(), last)
	if err != nil {
		t.Fatal(err)
	}
	ppl := func(k, from, to int) float64 {
		sum := 0.0
		for _, x := range p.Traces[k].NLL[from:to] {
			sum += x
		}
		return math.Exp(sum / float64(to-from))
	}
	if r.Results[0].Bands != nil || len(r.Results[2].Bands) != 2 || r.Results[2].Bands[1].To != 598 || r.Results[2].Bands[1].OwnCI == nil {
		t.Errorf("bands %+v, %+v", r.Results[0].Bands, r.Results[2].Bands)
	}
	edges := []int{256, 512, 1024, 1399}
	for k := range 2 {
		bands := r.Results[4+k].Bands
		if len(bands) != 3 {
			t.Fatalf("bands %+v", bands)
		}
		for i, b := range bands {
			if b.From != edges[i] || b.To != edges[i+1]-1 {
				t.Errorf("positions %d to %d, want %d to %d", b.From, b.To, edges[i], edges[i+1]-1)
			}
			want := ppl(k, edges[i], edges[i+1])
			close64(t, "perplexity", b.PPL, want, 1e-9*want)
			if i > 0 {
				close64(t, "of its own", b.Own, want/ppl(k, 256, 512), 1e-9)
			}
			if k > 0 {
				close64(t, "of the source's", b.Ratio, want/ppl(0, edges[i], edges[i+1]), 1e-9)
			}
			if math.IsNaN(float64(b.Own)) != (i == 0) || math.IsNaN(float64(b.Ratio)) != (k == 0) {
				t.Errorf("own %v, ratio %v in band %d of model %d", b.Own, b.Ratio, i, k)
			}
		}
	}
	var text, picture bytes.Buffer
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if err := r.Plot(&picture, ".svg"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"past the trained length of 512", "512-1023  OF OWN", "1024-1398", "*900"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
	if !strings.Contains(picture.String(), "trained length, 512") {
		t.Error("the trained length is not in the picture")
	}
}

// Strings that stand together are counted as those that stand alone: of a model that
// cannot copy chance, of each the same tokens; the sequence is the block, text, the block.
func TestCopyTogether(t *testing.T) {
	var done int
	r := quick(t, eval.Config{Models: []string{stories}, Lengths: []int{512}, Sequences: 1, Copy: 4, CopyTokens: 16, CopyTogether: true,
		Progress: func(p eval.Progress) { done = p.Done }})
	var distances []int
	for _, c := range r.Results[0].Copy {
		distances = append(distances, c.Distance)
		if c.Probes != 4 || c.Tokens != 60 || !c.Together || math.Abs(float64(c.NLL/c.First)-1) > .5 || c.Accuracy > .1 {
			t.Errorf("%+v", c)
		}
	}
	if want := []int{64, 128, 256, 448}; !slices.Equal(distances, want) {
		t.Errorf("distances %d, want %d", distances, want)
	}
	if want := 512 + (64 + 64) + (128 + 64) + (256 + 64) + 512; done != want {
		t.Errorf("%d tokens ran, want %d", done, want)
	}
	var text bytes.Buffer
	if err := r.WriteText(&text); err != nil || !strings.Contains(text.String(), "copying a random string of 16 tokens out of 447, 4 in one sequence") {
		t.Errorf("%v: %s", err, text.String())
	}
}
