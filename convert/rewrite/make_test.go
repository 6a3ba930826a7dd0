package rewrite_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/rewrite"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/posenctest"
)

// model builds a model of 2 layers, 4 heads, 2 key/value heads, d 16 from a
// family's name and the rest of its configuration.
func model(t testing.TB, modelType, rest string) *family.Model {
	t.Helper()
	text := fmt.Sprintf(`{"model_type":%q,"vocab_size":128,"hidden_size":64,"intermediate_size":96,"num_hidden_layers":2,"num_attention_heads":4,
"num_key_value_heads":2,"head_dim":16,"hidden_act":"silu","rms_norm_eps":1e-06,"max_position_embeddings":32%s}`, modelType, rest)
	return parse(t, text)
}

func parse(t testing.TB, text string) *family.Model {
	t.Helper()
	o, err := family.ParseObject([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	m, err := families.FromConfig(&family.Config{Object: o, Path: "config.json"})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// options reads "hope scale=pi:4 spelling=longrope layout=partial cut=k=3 L=32".
func options(t testing.TB, s string) rewrite.Options {
	t.Helper()
	words := strings.Fields(s)
	o := rewrite.Options{To: words[0]}
	for _, w := range words[1:] {
		key, value, _ := strings.Cut(w, "=")
		var err error
		switch key {
		case "scale":
			o.Scale, err = posenc.ParseScale(value)
		case "cut":
			o.Cut, err = posenc.ParseCut(value)
		case "spelling":
			o.Spelling = value
		case "layout":
			o.Layout = value
		case "layers":
			o.Layers = value
		case "L":
			_, err = fmt.Sscan(value, &o.TrainLength)
		default:
			t.Fatalf("options: %q", w)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// wantSpectral names the encodings of one spectrum that a test's cases leave out.
func wantSpectral(t *testing.T, have map[string]bool, what string) {
	t.Helper()
	for _, e := range posenc.Encodings() {
		if e.Target != nil && !have[e.Name] {
			t.Errorf("encoding %q has no %s worked out by hand: add a case of it to %s (convert/rewrite)", e.Name, what, t.Name())
		}
	}
}

// TestKeepsConfiguration: whatever is not about the encoding keeps its place
// and its spelling.
func TestKeepsConfiguration(t *testing.T) {
	m := model(t, "llama", `,"initializer_range":2e-2,"task_specific_params":{"b":1,"a":[1.50,null]},"rope_parameters":{"rope_type":"default","rope_theta":3e2},"license":"Ü<&>"`)
	r, err := rewrite.Make(m, nil, rewrite.Options{To: "hope"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(append(m.Config.Keys(), "rope_theta", "rope_scaling"), r.Config.Keys()); diff != "" {
		t.Errorf("keys (-source +result):\n%s", diff)
	}
	for _, k := range m.Config.Keys() {
		if k != "rope_parameters" && string(m.Config.Raw(k)) != string(r.Config.Raw(k)) {
			t.Errorf("%s: %s became %s", k, m.Config.Raw(k), r.Config.Raw(k))
		}
	}
	if got, want := compact(t, r.Config, "rope_parameters"), `{"rope_type":"llama3","rope_theta":3e2,`+step("0.4283904", "0.4284332")+`}`; got != want {
		t.Errorf("rope_parameters %s, want %s", got, want)
	}
}

// TestExactOrLossy asserts the verdict and the planes for the golden model.
func TestExactOrLossy(t *testing.T) {
	judged := map[string]bool{}
	defer func() { wantSpectral(t, judged, "verdict") }()
	for _, c := range []struct {
		options          string
		kind             rewrite.Kind
		dropped, removed []int
	}{
		{"rope", rewrite.Exact, nil, nil},
		{"rope spelling=longrope", rewrite.Exact, nil, nil},
		{"hope", rewrite.Lossy, []int{3, 4, 5, 6, 7}, nil},
		{"hope cut=max-phase=1", rewrite.Lossy, []int{5, 6, 7}, nil},
		{"hope L=100000", rewrite.Exact, nil, nil},
		{"hope cut=k=8", rewrite.Exact, nil, nil},
		{"hope-ab1", rewrite.Lossy, []int{3}, nil},
		{"hope-ab2", rewrite.Lossy, []int{4, 5, 6, 7}, nil},
		{"hope-ab3", rewrite.Lossy, []int{3, 4, 5, 6, 7}, []int{3, 4, 5, 6, 7}},
		{"p-rope", rewrite.Lossy, []int{6, 7}, nil},
		{"nope", rewrite.Lossy, []int{0, 1, 2, 3, 4, 5, 6, 7}, nil},
		{"pi scale=pi:1", rewrite.Exact, nil, nil},
		{"pi scale=pi:2", rewrite.Lossy, nil, nil},
		{"yarn scale=yarn:2", rewrite.Lossy, nil, nil},
	} {
		judged[options(t, c.options).To] = true
		r, err := rewrite.Make(model(t, "llama", newer), nil, options(t, c.options))
		if err != nil {
			t.Errorf("%s: %v", c.options, err)
			continue
		}
		if r.Kind != c.kind || !cmp.Equal(r.Dropped, c.dropped) || !cmp.Equal(r.Removed, c.removed) {
			t.Errorf("%s: %s, dropped %v, removed %v; want %s, %v, %v", c.options, r.Kind, r.Dropped, r.Removed, c.kind, c.dropped, c.removed)
		}
		if r.Reason == "" || r.Loaders == "" {
			t.Errorf("%s: no reason or no loaders", c.options)
		}
	}
}

// TestRefusals: what cannot be said is refused with what can.
func TestRefusals(t *testing.T) {
	scaled3 := `,"rope_theta":300.0,"rope_scaling":{"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":20}`
	tight := `,"rope_theta":1.005`
	windows := `,"rope_theta":300.0,"hidden_activation":"gelu_pytorch_tanh","sliding_window":8,"layer_types":["sliding_attention","full_attention"]`
	yarn := `,"rope_parameters":{"rope_theta":300.0,"rope_type":"yarn","factor":4.0,"original_max_position_embeddings":8}`
	for _, c := range []struct {
		family, rope, options string
		is                    error
		want                  []string
	}{
		{"llama", newer, "hpoe", rewrite.ErrOptions, []string{`"hpoe"`, `did you mean "hope"`, "nope"}},
		{"llama", newer, "hope layout=partal", rewrite.ErrOptions, []string{`did you mean "partial"`, "native"}},
		{"llama", newer, "hope spelling=longrop", rewrite.ErrOptions, []string{`did you mean "longrope"`}},
		{"llama", newer, "hope layers=slidin", rewrite.ErrOptions, []string{`did you mean "sliding"`}},
		{"llama", newer, "hope layers=sliding", rewrite.ErrOptions, []string{"Options.Layers sliding: no layer of this kind turns"}},
		{"llama", newer, "grape-m layers=full", rewrite.ErrOptions, []string{"Options.Layers full", "one spectrum for all heads"}},
		{"hunyuan_v1_dense", `,"rope_theta":300.0`, "hope-ab3", posenc.ErrUnsupported, []string{"layer 0: queries are normalised after they turn", "Options.To hope"}},
		{"gemma3_text", windows, "hope-ab3", posenc.ErrUnsupported, []string{"layer 1: queries have a norm whose weight is stored less 1", "Options.To hope"}},
		{"gemma2", windows, "hope layers=full spelling=llama3", posenc.ErrUnsupported, []string{"Options.Layers full", "all layers of family gemma2 turn by one declaration"}},
		{"llama", newer, "hope L=-1", rewrite.ErrOptions, []string{"Options.TrainLength -1"}},
		{"llama", newer, "hope L=2147483648", rewrite.ErrOptions, []string{"Options.TrainLength 2147483648", "at most 2147483647"}},
		{"llama", newer, "pi scale=pi:1e300", rewrite.ErrOptions, []string{"Options.Scale pi:1e+300", "trained length 32", "over 2147483647 positions"}},
		{"llama", newer, "hope scale=yarn:1e9", rewrite.ErrOptions, []string{"Options.Scale yarn:1e+09"}},
		{"llama", newer, "nope scale=pi:4", rewrite.ErrOptions, []string{"takes no scaling"}},
		{"llama", newer, "pi", rewrite.ErrOptions, []string{"Options.Scale pi:FACTOR"}},
		{"llama", newer, "pi scale=yarn:4", rewrite.ErrOptions, []string{"Options.Scale pi:FACTOR"}},
		{"llama", newer, "hope-ab1 cut=k=3", rewrite.ErrOptions, []string{"Options.Cut k=3", "paper's bands"}},
		{"llama", newer, "hope cut=k=9", nil, []string{"k=9", "8 planes"}},
		{"llama", newer, "hope spelling=linear", posenc.ErrUnsupported, []string{"spelling linear", "Options.Spelling llama3", "Options.Spelling proportional", "Options.Spelling longrope"}},
		{"llama", newer, "hope-ab1 spelling=proportional", posenc.ErrUnsupported, []string{"not the last ones", "Options.Spelling longrope can"}},
		{"llama", newer, "hope-ab1 spelling=llama3", posenc.ErrUnsupported, []string{"one of 53.3458 stands still where one of 923.977 turns", "Options.Spelling longrope can"}},
		{"llama", newer, "hope scale=pi:4 spelling=llama3", posenc.ErrUnsupported, []string{"plane 0 turns 0.25 times as fast", "Options.Spelling proportional and"}},
		{"llama", newer, "hope scale=yarn:4 spelling=llama3", posenc.ErrUnsupported, []string{"no attention factor", "Options.Spelling longrope can"}},
		{"llama", scaled3, "hope spelling=llama3", posenc.ErrUnsupported, []string{"plane 0 turns 0.7617 times as fast", "Options.Spelling longrope can"}},
		{"llama", scaled3, "hope scale=pi:2", posenc.ErrUnsupported, []string{`already declares rope type "llama3", which scales`}},
		{"phi3", newer, "hope spelling=llama3", posenc.ErrUnsupported, []string{"takes only the rope types default and longrope", "Options.Spelling longrope can"}},
		{"llama", tight, "hope cut=k=4 spelling=llama3", posenc.ErrUnsupported, []string{"too near for loaders that compute in float32"}},
		{"llama", newer, "hope scale=yarn:4 spelling=proportional", posenc.ErrUnsupported, []string{"attention factor", "Options.Spelling longrope can"}},
		{"phi3", newer, "hope spelling=proportional", posenc.ErrUnsupported, []string{"takes only the rope types default and longrope", "Options.Spelling longrope can"}},
		{"llama", yarn, "pi scale=pi:2", posenc.ErrUnsupported, []string{`already declares rope type "yarn"`}},
		{"llama", `,"rope_parameters":{"rope_theta":300.0,"rope_type":"proportional","partial_rotary_factor":0.5,"factor":4.0}`, "hope scale=pi:2", posenc.ErrUnsupported, []string{"scaling twice"}},
		{"llama", `,"rope_theta":300.0,"rope_scaling":{"type":"dynamic","factor":4.0}`, "hope", posenc.ErrUnsupported, []string{"dynamic", "every length"}},
		{"llama", `,"rope_theta":300.0,"rope_scaling":{"type":"dynamic","factor":4.0}`, "rope spelling=longrope", posenc.ErrUnsupported, []string{"dynamic"}},
		{"llama", newer, "nope layout=partial", posenc.ErrUnsupported, []string{"layout partial", "Options.Layout native can"}},
		{"llama", newer, "hope-ab3 layout=partial", posenc.ErrUnsupported, []string{"Options.Layout native can"}},
		{"llama", newer, "hope layout=partial scale=yarn:4", posenc.ErrUnsupported, []string{"attention factor", "Options.Layout native can"}},
		{"llama", newer + `,"attention_bias":true`, "hope layout=partial", posenc.ErrUnsupported, []string{"biases", "Options.Layout native can"}},
		{"qwen2", newer, "hope-ab1 layout=partial", posenc.ErrUnsupported, []string{"linear", "Options.Layout native can"}},
		{"qwen2", newer, "hope layout=partial spelling=longrope", posenc.ErrUnsupported, []string{"stop", "Options.Layout native can"}},
	} {
		_, err := rewrite.Make(model(t, c.family, c.rope), nil, options(t, c.options))
		if err == nil {
			t.Errorf("%s %s: no error", c.family, c.options)
			continue
		}
		if c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s %s: %v: not of kind %q", c.family, c.options, err, c.is)
		}
		for _, w := range c.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s %s: %v: lacks %q", c.family, c.options, err, w)
			}
		}
	}
}

// TestUnchanged: a source whose spectrum stays keeps its configuration, scaling
// and all.
func TestUnchanged(t *testing.T) {
	for _, rope := range []string{newer, older, "",
		`,"rope_theta":300.0,"rope_scaling":{"type":"dynamic","factor":4.0}`,
		`,"rope_parameters":{"rope_theta":300.0,"rope_type":"yarn","factor":4.0,"original_max_position_embeddings":8,"beta_fast":16,"mscale":0.7,"mscale_all_dim":0.7,"truncate":false}`,
		`,"rope_theta":300.0,"rope_scaling":{"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":8}`,
	} {
		r, err := rewrite.Make(model(t, "llama", rope), nil, rewrite.Options{To: "rope"})
		if err != nil {
			t.Errorf("%s: %v", rope, err)
			continue
		}
		if r.ConfigChanged || r.Kind != rewrite.Exact || r.Edits != nil {
			t.Errorf("%s: changed %v, %s, %d edits", rope, r.ConfigChanged, r.Kind, len(r.Edits))
		}
	}
}

// TestReasons: what is said about planes that had stopped and about a factor that
// goes with cos and sin.
func TestReasons(t *testing.T) {
	const stopped = `,"rope_parameters":{"rope_theta":300.0,"rope_type":"proportional","partial_rotary_factor":0.375}`
	const yarn = `,"rope_parameters":{"rope_theta":300.0,"rope_type":"yarn","factor":4.0,"original_max_position_embeddings":8}`
	for _, c := range []struct{ rope, options, want, lacks string }{
		{stopped, "hope", "no plane that turns is at or under the cut (paper, L 32), and 5 of 8 planes had stopped already: every plane turns as before", ""},
		{newer, "hope cut=k=8", "no plane is at or under the cut (k=8, L 32): every plane turns as before", "already"},
		{yarn, "nope", "8 of 8 planes stop turning; the source's attention factor 1.13863 goes too: it multiplied cos and sin", ""},
		{newer, "nope", "8 of 8 planes stop turning", "attention factor"},
		{yarn, "hope", "planes stop turning", "attention factor"},
	} {
		r, err := rewrite.Make(model(t, "llama", c.rope), nil, options(t, c.options))
		if err != nil {
			t.Errorf("%s: %v", c.options, err)
			continue
		}
		if !strings.Contains(r.Reason, c.want) || c.lacks != "" && strings.Contains(r.Reason, c.lacks) {
			t.Errorf("%s %s: reason %q, want %q", c.rope, c.options, r.Reason, c.want)
		}
	}
}

// TestNotes: what a user must know about the result.
func TestNotes(t *testing.T) {
	for _, c := range []struct {
		family, options string
		want            string // "" is no note about loaders
	}{
		{"llama", "hope spelling=longrope", ""},
		{"llama", "pi scale=pi:4 spelling=longrope", "vLLM passes over attention_factor (1) of longrope and computes 1.18322"},
		{"llama", "hope scale=yarn:4", "vLLM passes over attention_factor (1.13863)"},
		{"llama", "hope layout=partial", ""},
		{"qwen2", "hope layout=partial", "stops with a shape error"},
		{"llama", "hope scale=pi:4", "pecvt.json keeps it (32)"},
		{"llama", "pi scale=pi:4", "max_position_embeddings becomes 128 (4 × the trained length 32)"},
	} {
		r, err := rewrite.Make(model(t, c.family, newer), nil, options(t, c.options))
		if err != nil {
			t.Errorf("%s: %v", c.options, err)
			continue
		}
		all := strings.Join(r.Notes, "\n")
		if c.want == "" && strings.Contains(all, "vLLM") || !strings.Contains(all, c.want) {
			t.Errorf("%s %s: notes %q, want %q", c.family, c.options, all, c.want)
		}
	}
	o := options(t, "hope scale=yarn:4") // in a block, which vLLM refuses
	o.QueryScale = .1
	r, err := rewrite.Make(model(t, "llama", newer), nil, o)
	if err != nil {
		t.Fatal(err)
	}
	if all := strings.Join(r.Notes, "\n"); strings.Contains(all, "vLLM") || !strings.Contains(all, "no stock key says the factor of queries") {
		t.Errorf("queries scaled: notes %q", all)
	}
}

// TestNearlyOnce: a note of a plane that the paper's cut drops and that turns nearly once
// over L, with the cut that keeps it.
func TestNearlyOnce(t *testing.T) {
	const says = "plane 4 turns 0.97 times over 32 positions, and the paper's cut drops what turns at most once: Options.Cut k=5 keeps it, for contexts up to that length"
	for _, c := range []struct {
		theta, options string
		note           bool
	}{
		{"27.57", "hope", true}, // 27.57^(−4/8)·32/2π = 0.970
		{"27.57", "hope cut=k=4", false},
		{"27.57", "hope cut=k=5", false},
		{"27.57", "nope", false},
		{"29.5", "hope", false}, // 0.938
		{"25.9", "hope", false}, // 1.0008: kept
	} {
		m := model(t, "llama", `,"rope_parameters":{"rope_theta":`+c.theta+`,"rope_type":"default"}`)
		r, err := rewrite.Make(m, nil, options(t, c.options))
		if err != nil {
			t.Errorf("%s: %v", c.options, err)
			continue
		}
		if all := strings.Join(r.Notes, "\n"); strings.Contains(all, says) != c.note || !c.note && strings.Contains(all, "times over") {
			t.Errorf("θ %s, %s: notes %q", c.theta, c.options, all)
		}
		if again, err := rewrite.Make(m, nil, options(t, "hope cut=k=5")); c.note && (err != nil || slices.Contains(again.Dropped, 4)) {
			t.Errorf("the cut that was named: %v", err)
		}
		o := options(t, c.options)
		o.Extend = 2
		if r, err := rewrite.Make(m, nil, o); c.note && (err != nil || strings.Contains(strings.Join(r.Notes, "\n"), "times over")) {
			t.Errorf("for a longer context: notes %q, %v", r.Notes, err)
		}
	}
}

// TestBundledCheckpoints rewrites every bundled configuration in every way; each
// either reads back (Make checks) or is refused.
func TestBundledCheckpoints(t *testing.T) {
	for _, name := range []string{"llama-gqa", "llama-tied-bf16", "llama-sharded-f16", "llama3-scaled", "mistral", "qwen2", "qwen3", "phi3"} {
		path := filepath.Join("..", "..", "testdata", "golden", name, "config.json")
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		done := 0
		for _, to := range posenctest.Spectral() {
			for _, spelling := range rewrite.Spellings() {
				for _, layout := range rewrite.Layouts() {
					_, err := rewrite.Make(parse(t, string(text)), nil, options(t, fmt.Sprintf("%s spelling=%s layout=%s", to, spelling, layout)))
					if err == nil {
						done++
					} else if !errors.Is(err, posenc.ErrUnsupported) {
						t.Errorf("%s: %s %s %s: %v", path, to, spelling, layout, err)
					}
				}
			}
		}
		if done < 20 {
			t.Errorf("%s: only %d rewrites can be done", path, done)
		}
	}
}
