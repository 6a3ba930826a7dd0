package loaders_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/loaders"
	"github.com/pecvt/pecvt/posenc"
)

// TestRows holds the table together: every row names a loader, forms of its kind
// and families that there are, says how it is known, and is not hidden by an
// earlier one; every loader and form has a row.
func TestRows(t *testing.T) {
	var names []string
	for _, s := range families.Table() {
		names = append(names, s.Name)
	}
	takes := map[string]loaders.Kind{}
	for _, f := range loaders.Forms() {
		if takes[f.Name] != "" || f.About == "" {
			t.Errorf("form %q: twice, or not described", f.Name)
		}
		takes[f.Name] = f.Takes
	}
	covered := map[string]bool{}
	seen := map[string]bool{}
	for i, r := range loaders.Rows() {
		l, err := loaders.Find(r.Loader)
		if err != nil {
			t.Error(err)
			continue
		}
		news := false
		of := r.Families
		if of == nil {
			of = names
		}
		for _, form := range r.Forms {
			// what reads config.json beside a graph has rows of that too
			if takes[form] != l.Takes && (l.Takes != loaders.Graph || r.Outcome != loaders.Refused) {
				t.Errorf("row %d, %s: form %q is not of a %s", i, r.Loader, form, l.Takes)
			}
			for _, name := range of {
				if !slices.Contains(names, name) {
					t.Errorf("row %d, %s: family %q", i, r.Loader, name)
				}
				key := r.Loader + " " + form + " " + name
				news = news || !seen[key]
				seen[key] = true
			}
			covered[form] = true
		}
		if !news {
			t.Errorf("row %d, %s %v: earlier rows hide it", i, r.Loader, r.Forms)
		}
		if known := r.Outcome != loaders.Unknown; known != (r.How != "") {
			t.Errorf("row %d, %s: %s, known by %q", i, r.Loader, r.Outcome, r.How)
		}
		if (r.Outcome == loaders.Wrong || r.Outcome == loaders.Refused) && r.Note == "" {
			t.Errorf("row %d, %s: %s without a word why", i, r.Loader, r.Outcome)
		}
		covered[r.Loader] = true
	}
	for _, l := range loaders.Loaders() {
		if !covered[l.Name] || l.Version == "" || l.About == "" {
			t.Errorf("loader %s has no row, no version or no description", l.Name)
		}
	}
	for name, takes := range takes {
		if !covered[name] && takes == loaders.Checkpoint {
			t.Errorf("form %s has no row", name)
		}
	}
	for _, row := range posenc.RopeTypes() {
		if takes[row.Name] != loaders.Checkpoint {
			t.Errorf("rope type %s is no form", row.Name)
		}
	}
}

// TestJudge pins what was measured of a cut of SmolLM2 and of goldens.
func TestJudge(t *testing.T) {
	for _, c := range []struct {
		loader, form, family string
		want                 loaders.Outcome
	}{
		{"transformers4", loaders.Llama3, "llama", loaders.Right},
		{"transformers4", loaders.Proportional, "llama", loaders.Refused},
		{"transformers4", loaders.Llama3, "olmo2", loaders.Refused},
		{"llama.cpp", loaders.Llama3, "llama", loaders.Right},
		{"llama.cpp", loaders.Llama3, "qwen2", loaders.Wrong},
		{"llama.cpp", loaders.LongRoPE, "llama", loaders.Wrong},
		{"llama.cpp", loaders.Proportional, "qwen3", loaders.Wrong},
		{"mlx", loaders.LongRoPEGain, "llama", loaders.Wrong},
		{"mlx", loaders.Partial, "qwen2", loaders.Wrong},
		{"ctranslate2", loaders.Llama3, "llama", loaders.Wrong},
		{"ctranslate2", loaders.Llama3, "qwen2", loaders.Unknown},
		{"openvino", loaders.Standard, "llama", loaders.Refused},
	} {
		list := loaders.Judge(c.form, c.family)
		at := slices.IndexFunc(list, func(v loaders.Verdict) bool { return v.Loader == c.loader })
		if at < 0 || list[at].Outcome != c.want || list[at].Version == "" {
			t.Errorf("%s of %s in %s: %+v, want %s", c.form, c.family, c.loader, list, c.want)
		}
	}
	if list := loaders.Judge("", "bloom"); list != nil {
		t.Errorf("no form: %v", list)
	}
	const want = "right: transformers5, transformers4, llama.cpp, ollama, vllm, sglang, tgi, mlx, candle; wrong in silence: ctranslate2"
	if got := loaders.Summary(loaders.Judge(loaders.Llama3, "llama")); got != want {
		t.Errorf("summary %q, want %q", got, want)
	}
}

// TestFormOf: how a rotation is said decides who reads it.
func TestFormOf(t *testing.T) {
	one, two := 1.0, []float64{1, 2}
	base := posenc.RopeParams{Theta: 10000, HeadDim: 4, TrainedLength: 32, MaxPositions: 32}
	for _, c := range []struct {
		family, want string
		edit         func(*posenc.RopeParams)
	}{
		{"llama", "default", func(p *posenc.RopeParams) { p.Type = "default" }},
		{"phi3", "partial", func(p *posenc.RopeParams) { p.Type, p.Partial = "default", .5 }},
		{"qwen2", "partial", func(p *posenc.RopeParams) { p.Type, p.Partial, p.Factor = "linear", .5, 1 }},
		{"gpt_neox", "default", func(p *posenc.RopeParams) { p.Type, p.Partial = "default", .5 }},
		{"llama", "proportional", func(p *posenc.RopeParams) { p.Type, p.Partial = "proportional", .5 }},
		{"llama", "proportional-scaled", func(p *posenc.RopeParams) { p.Type, p.Factor = "proportional", 4 }},
		{"llama", "longrope", func(p *posenc.RopeParams) {
			p.Type, p.AttentionFactor, p.ShortFactor, p.LongFactor = "longrope", &one, two, two
		}},
		{"llama", "longrope-gain", func(p *posenc.RopeParams) {
			p.Type, p.AttentionFactor, p.ShortFactor, p.LongFactor, p.MaxPositions = "longrope", &one, two, two, 128
		}},
		{"llama", "longrope-two", func(p *posenc.RopeParams) { p.Type, p.ShortFactor, p.LongFactor = "longrope", two, []float64{1, 1} }},
		{"bloom", "", func(p *posenc.RopeParams) {}},
	} {
		p := base
		c.edit(&p)
		if got := loaders.FormOf(p, c.family); got != c.want {
			t.Errorf("%s: %q, want %q", c.family, got, c.want)
		}
	}
}

// TestFind: an unknown name is an error with the nearest one.
func TestFind(t *testing.T) {
	_, err := loaders.Find("llamacpp")
	if err == nil || !strings.Contains(err.Error(), `did you mean "llama.cpp"`) || !strings.Contains(err.Error(), "transformers5") {
		t.Error(err)
	}
}
