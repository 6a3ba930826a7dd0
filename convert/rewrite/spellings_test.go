package rewrite_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/rewrite"
)

const (
	newer = `,"rope_parameters":{"rope_theta":300.0,"rope_type":"default"}`
	older = `,"rope_theta":300.0,"rope_scaling":null`
)

// dropped5 holds longrope's factors for a tail of five dropped planes of eight.
const dropped5 = `[1.0,1.0,1.0,1e+30,1e+30,1e+30,1e+30,1e+30]`

// doubled5 is dropped5 of a source that is slower by 2.
const doubled5 = `[2.0,2.0,2.0,1e+30,1e+30,1e+30,1e+30,1e+30]`

// dropped3 drops the fourth plane alone.
const dropped3 = `[1.0,1.0,1.0,1e+30,1.0,1.0,1.0,1.0]`

// TestSpellings pins what config.json says, in the style of its source. The
// spellings were run in stock transformers (testdata/check_transformers.py).
func TestSpellings(t *testing.T) {
	pinned := map[string]bool{}
	defer func() { wantSpectral(t, pinned, "configuration") }()
	for _, c := range []struct {
		family, rope, options string
		spelling              string
		want                  string // rope_parameters; rope_scaling says the same
		outer                 string // rope_theta, partial_rotary_factor, original_…, max_position_embeddings
	}{
		{"llama", newer, "hope", "llama3", `{"rope_theta":300.0,"rope_type":"llama3",` + step("0.4283904", "0.4284332") + `}`, "300.0 - - 32"},
		{"llama", older, "hope", "llama3", `{"rope_theta":300.0,"rope_type":"llama3",` + step("0.4283904", "0.4284332") + `}`, "300.0 - - 32"},
		{"llama", `,"rope_theta":300`, "hope", "llama3", `{"rope_theta":300.0,"rope_type":"llama3",` + step("0.4283904", "0.4284332") + `}`, "300 - - 32"},
		{"llama", newer, "hope spelling=proportional", "proportional", `{"rope_theta":300.0,"rope_type":"proportional","partial_rotary_factor":0.375}`, "300.0 0.375 - 32"},
		{"llama", newer, "hope spelling=longrope", "longrope", `{"rope_theta":300.0,"rope_type":"longrope","factor":1.0,"attention_factor":1.0,"original_max_position_embeddings":32,"short_factor":` + dropped5 + `,"long_factor":` + dropped5 + `}`, "300.0 - - 32"},
		{"llama", newer, "hope L=16", "llama3", `{"rope_theta":300.0,"rope_type":"llama3",` + step("0.8739365", "0.8740239") + `}`, "300.0 - - 32"},
		{"llama", newer, "hope cut=k=7", "llama3", `{"rope_theta":300.0,"rope_type":"llama3",` + step("0.02473313", "0.0247356") + `}`, "300.0 - - 32"},
		{"llama", newer, "p-rope", "llama3", `{"rope_theta":300.0,"rope_type":"llama3",` + step("0.05045675", "0.0504618") + `}`, "300.0 - - 32"},
		{"llama", newer, "hope-ab1", "longrope", `{"rope_theta":300.0,"rope_type":"longrope","factor":1.0,"attention_factor":1.0,"original_max_position_embeddings":32,"short_factor":` + dropped3 + `,"long_factor":` + dropped3 + `}`, "300.0 - - 32"},
		{"llama", newer, "hope-ab2", "llama3", `{"rope_theta":300.0,"rope_type":"llama3",` + step("0.2099905", "0.2100115") + `}`, "300.0 - - 32"},
		{"llama", newer, "hope-ab3", "llama3", `{"rope_theta":300.0,"rope_type":"llama3",` + step("0.4283904", "0.4284332") + `}`, "300.0 - - 32"},
		{"llama", newer, "nope", "llama3", `{"rope_theta":300.0,"rope_type":"llama3",` + step("5.092958", "5.093467") + `}`, "300.0 - - 32"},
		{"llama", newer, "hope scale=pi:4", "proportional", `{"rope_theta":300.0,"rope_type":"proportional","partial_rotary_factor":0.375,"factor":4.0}`, "300.0 0.375 - 128"},
		{"llama", newer, "pi scale=pi:3", "linear", `{"rope_theta":300.0,"rope_type":"linear","factor":3.0,"original_max_position_embeddings":32}`, "300.0 - - 96"},
		{"llama", older, "pi scale=pi:1.5", "linear", `{"rope_theta":300.0,"rope_type":"linear","factor":1.5,"original_max_position_embeddings":32}`, "300.0 - - 48"},
		{"llama", newer, "yarn scale=yarn:4", "yarn", `{"rope_theta":300.0,"rope_type":"yarn","factor":4.0,"original_max_position_embeddings":32}`, "300.0 - - 128"},
		// what does not change stays as it is spelled
		{"llama", newer, "rope", "default", `{"rope_theta":300.0,"rope_type":"default"}`, "- - - 32"},
		{"llama", newer, "hope cut=k=8", "default", `{"rope_theta":300.0,"rope_type":"default"}`, "- - - 32"},
		{"llama", newer, "rope spelling=linear", "linear", `{"rope_theta":300.0,"rope_type":"linear","factor":1.0}`, "300.0 - - 32"},
		{"llama", `,"rope_theta":300.0,"rope_scaling":{"type":"linear","factor":2}`, "hope", "longrope", `{"rope_theta":300.0,"factor":1.0,"rope_type":"longrope","attention_factor":1.0,"original_max_position_embeddings":32,"short_factor":` + doubled5 + `,"long_factor":` + doubled5 + `}`, "300.0 - - 32"},
		{"llama", `,"rope_parameters":{"rope_type":"proportional","rope_theta":300.0,"partial_rotary_factor":0.375}`, "rope spelling=longrope", "longrope", `{"rope_type":"longrope","rope_theta":300.0,"factor":1.0,"attention_factor":1.0,"original_max_position_embeddings":32,"short_factor":` + dropped5 + `,"long_factor":` + dropped5 + `}`, "300.0 - - 32"},
		// both keys stay alike
		{"llama", `,"rope_parameters":{"rope_type":"default","rope_theta":300},"rope_scaling":{"rope_type":"default","rope_theta":300}`, "hope", "llama3", `{"rope_theta":300.0,"rope_type":"llama3",` + step("0.4283904", "0.4284332") + `}`, "300.0 - - 32"},
		// phi3 knows default and longrope; its trained length has a key of its own
		{"phi3", `,"original_max_position_embeddings":4096,"rope_parameters":{"rope_theta":10.0,"rope_type":"default","partial_rotary_factor":0.5}`, "hope cut=k=2", "longrope", `{"rope_theta":10.0,"rope_type":"longrope","partial_rotary_factor":0.5,"factor":1.0,"attention_factor":1.0,"original_max_position_embeddings":32,"short_factor":[1.0,1.0,1e+30,1e+30],"long_factor":[1.0,1.0,1e+30,1e+30]}`, "10.0 0.5 32 32"},
		// two tables stay two tables
		{"phi3", `,"original_max_position_embeddings":16,"rope_theta":300.0,"rope_scaling":{"type":"longrope","short_factor":[1,1,1,1,1,1,1,1],"long_factor":[2,2,2,2,2,2,2,2]}`, "hope", "longrope", `{"rope_theta":300.0,"short_factor":[1.0,1.0,1e+30,1e+30,1e+30,1e+30,1e+30,1e+30],"long_factor":[2.0,2.0,1e+30,1e+30,1e+30,1e+30,1e+30,1e+30],"rope_type":"longrope","factor":2.0,"attention_factor":1.118033988749895,"original_max_position_embeddings":16}`, "300.0 - 16 32"},
		// partial layout
		{"llama", newer, "hope layout=partial", "default", `{"rope_theta":8.490249844618392,"rope_type":"default","partial_rotary_factor":0.375}`, "8.490249844618392 0.375 32 32"},
		{"llama", older, "hope layout=partial", "default", ``, "8.490249844618392 0.375 32 32"},
		{"mistral", newer, "hope layout=partial scale=pi:4", "longrope", `{"rope_theta":8.490249844618392,"rope_type":"longrope","partial_rotary_factor":0.375,"factor":4.0,"attention_factor":1.0,"original_max_position_embeddings":32,"short_factor":[4.0,4.0,4.0],"long_factor":[4.0,4.0,4.0]}`, "8.490249844618392 0.375 32 128"},
		{"qwen2", newer, "hope layout=partial", "linear", `{"rope_theta":8.490249844618392,"rope_type":"linear","partial_rotary_factor":0.375,"factor":1.0}`, "8.490249844618392 0.375 - 32"},
		{"qwen3", older, "hope layout=partial scale=pi:4", "linear", `{"rope_theta":8.490249844618392,"rope_type":"linear","partial_rotary_factor":0.375,"factor":4.0,"original_max_position_embeddings":32}`, "8.490249844618392 0.375 - 128"},
	} {
		pinned[options(t, c.options).To] = true
		t.Run(c.family+" "+c.options, func(t *testing.T) {
			m := model(t, c.family, c.rope)
			r, err := rewrite.Make(m, nil, options(t, c.options))
			if err != nil {
				t.Fatal(err)
			}
			if r.Spelling != c.spelling {
				t.Errorf("spelling %s, want %s", r.Spelling, c.spelling)
			}
			for key, want := range map[string]map[string]any{"rope_parameters": wantDict(t, c.want), "rope_scaling": wantScaling(t, c.want, c.outer)} {
				if diff := cmp.Diff(want, wantDict(t, compact(t, r.Config, key))); diff != "" {
					t.Errorf("%s (-want +got):\n%s", key, diff)
				}
			}
			var outer []string
			for _, key := range []string{"rope_theta", "partial_rotary_factor", "original_max_position_embeddings", "max_position_embeddings"} {
				value := "-"
				if r.Config.Has(key) {
					value = string(r.Config.Raw(key))
				}
				outer = append(outer, value)
			}
			if diff := cmp.Diff(c.outer, strings.Join(outer, " ")); diff != "" {
				t.Errorf("top level (-want +got):\n%s", diff)
			}
		})
	}
}

// step holds llama3's keys for a cut of the golden model; the two factors are those
// of a second program: 16/√(λ_kept·λ_dropped), to seven digits.
func step(low, high string) string {
	return `"factor":1e+30,"low_freq_factor":` + low + `,"high_freq_factor":` + high + `,"original_max_position_embeddings":16`
}

func wantDict(t *testing.T, text string) map[string]any {
	t.Helper()
	if text == "" {
		return nil
	}
	var m map[string]any
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// wantScaling is what rope_scaling says beside rope_parameters: the same with
// the type under both names, without the base, and without a partial factor that the top level says.
func wantScaling(t *testing.T, text, outer string) map[string]any {
	t.Helper()
	m := wantDict(t, text)
	if m == nil || m["rope_type"] == "default" {
		return nil
	}
	delete(m, "rope_theta")
	m["type"] = m["rope_type"]
	if partial := strings.Fields(outer)[1]; m["rope_type"] != "proportional" && partial != "-" {
		delete(m, "partial_rotary_factor")
	}
	return m
}

func compact(t *testing.T, o *family.Object, key string) string {
	t.Helper()
	sub, err := o.Object(key)
	if err != nil {
		t.Fatal(err)
	}
	if sub == nil {
		return ""
	}
	text, err := sub.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer(" ", "", "\n", "").Replace(string(text))
}
