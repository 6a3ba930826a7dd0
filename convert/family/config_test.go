package family_test

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
)

const gqa = "../../testdata/golden/llama-gqa"

// edited is golden llama-gqa's configuration with keys replaced; a nil value
// removes one. Values are JSON.
func edited(t *testing.T, dir string, edits map[string]string) *family.Config {
	t.Helper()
	c, err := family.LoadConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range edits {
		if v == "" {
			c.Delete(k)
			continue
		}
		c.Set(k, json.RawMessage(v))
	}
	return c
}

// Each bad configuration ends in one error that names the file and the key.
func TestBadConfig(t *testing.T) {
	rope := func(v string) map[string]string { return map[string]string{"rope_parameters": v} }
	for name, c := range map[string]struct {
		edits       map[string]string
		want        []string
		unsupported bool
	}{
		"no model_type":      {map[string]string{"model_type": ""}, []string{`key "model_type" is missing`}, false},
		"model_type number":  {map[string]string{"model_type": "7"}, []string{`key "model_type" is 7: expected a string`}, false},
		"unknown model_type": {map[string]string{"model_type": `"lama"`}, []string{`model_type "lama" is unknown`, `did you mean "llama"?`, "pecvt families lists them"}, true},
		"missing size":       {map[string]string{"hidden_size": ""}, []string{`key "hidden_size" is missing`}, false},
		"null size":          {map[string]string{"vocab_size": "null"}, []string{`key "vocab_size" is null`}, false},
		"string size":        {map[string]string{"hidden_size": `"64"`}, []string{`key "hidden_size" is "64": expected a number`}, false},
		"fraction":           {map[string]string{"num_hidden_layers": "2.5"}, []string{`key "num_hidden_layers" is 2.5: expected an integer`}, false},
		"zero":               {map[string]string{"num_attention_heads": "0"}, []string{`key "num_attention_heads" is 0: expected a positive number`}, false},
		"negative":           {map[string]string{"intermediate_size": "-96"}, []string{`key "intermediate_size" is -96: expected a positive number`}, false},
		"huge":               {map[string]string{"vocab_size": "1e15"}, []string{`key "vocab_size" is 1000000000000000`}, false},
		"many layers":        {map[string]string{"num_hidden_layers": "1000000"}, []string{`"num_hidden_layers" is 1000000`}, false},
		"wide heads":         {map[string]string{"head_dim": "2147483646"}, []string{"2 layers of 4 heads of head size 2147483646"}, false},
		"odd head":           {map[string]string{"head_dim": "15"}, []string{"head size 15", `"head_dim"`, "odd"}, false},
		"odd derived head":   {map[string]string{"head_dim": "", "hidden_size": "60"}, []string{"head size 15 (hidden_size 60 over 4 heads) is odd"}, false},
		"indivisible hidden": {map[string]string{"head_dim": "", "hidden_size": "66"}, []string{"hidden_size 66 does not divide by 4 attention heads"}, false},
		"heads over kv":      {map[string]string{"num_key_value_heads": "3"}, []string{"4 attention heads cannot share 3 key/value heads evenly"}, false},
		"eps missing":        {map[string]string{"rms_norm_eps": ""}, []string{`key "rms_norm_eps" is missing`}, false},
		"eps zero":           {map[string]string{"rms_norm_eps": "0"}, []string{`key "rms_norm_eps" is 0: expected a positive number`}, false},
		"tied string":        {map[string]string{"tie_word_embeddings": `"yes"`}, []string{`key "tie_word_embeddings" is "yes": expected true or false`}, false},
		"activation":         {map[string]string{"hidden_act": `"elu"`}, []string{`hidden_act "elu" is unknown`}, true},
		"activation missing": {map[string]string{"hidden_act": ""}, []string{`key "hidden_act" is missing`}, false},
		"rope list":          {rope(`[1]`), []string{`key "rope_parameters": not a JSON object`}, false},
		"rope type":          {rope(`{"rope_type":"yarm","rope_theta":1e4}`), []string{`rope_parameters: rope type "yarm" is unknown`, `did you mean "yarn"?`}, true},
		"rope types":         {rope(`{"rope_type":"yarn","type":"linear","factor":2}`), []string{`"rope_type" (yarn) and "type" (linear) disagree`, "remove the one that is not meant"}, true},
		"rope key":           {rope(`{"rope_type":"default","rope_theta":1e4,"factor":8}`), []string{`rope type "default": keys it does not read: factor`}, true},
		"rope keys":          {rope(`{"rope_type":"linear","factor":8,"ntk":1,"mrope_section":[1],"ntk2":2}`), []string{"keys it does not read: ntk (1), ntk2 (2)"}, true},
		"rope key missing":   {rope(`{"rope_type":"llama3","factor":8,"low_freq_factor":1}`), []string{`rope type "llama3": key "high_freq_factor" is missing`}, false},
		"rope factor string": {rope(`{"rope_type":"linear","factor":"8"}`), []string{`rope_parameters: key "factor" is "8": expected a number`}, false},
		"rope theta":         {rope(`{"rope_type":"default","rope_theta":-1}`), []string{"rope_theta -1: expected a positive number"}, false},
		"rope length":        {rope(`{"rope_type":"yarn","factor":4,"original_max_position_embeddings":0}`), []string{"original_max_position_embeddings is 0"}, false},
		"two dictionaries":   {map[string]string{"rope_scaling": `{"rope_type":"linear","factor":2}`}, []string{`"rope_parameters" and "rope_scaling" disagree`}, false},
		"two bases":          {map[string]string{"rope_theta": "500", "rope_scaling": `{"rope_type":"linear","factor":2}`, "rope_parameters": `{"rope_type":"linear","factor":2,"rope_theta":300}`}, []string{`"rope_parameters" and "rope_scaling" disagree`}, false},
		"a base in one only": {map[string]string{"rope_scaling": `{"rope_type":"linear","factor":2}`, "rope_parameters": `{"rope_type":"linear","factor":2,"rope_theta":300}`}, []string{`"rope_parameters" and "rope_scaling" disagree`}, false},
		"partial":            {rope(`{"rope_type":"default","rope_theta":1e4,"partial_rotary_factor":0.5}`), []string{"partial_rotary_factor 0.5", "loaders of family llama disagree"}, true},
		"nested":             {rope(`{"full_attention":{"rope_type":"default"}}`), []string{"keys it does not read: full_attention"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := families.FromConfig(edited(t, gqa, c.edits))
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range append(c.want, "config.json: ") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q: want %q in it", err, want)
				}
			}
			if errors.Is(err, posenc.ErrUnsupported) != c.unsupported {
				t.Errorf("error %q: unsupported %v, want %v", err, !c.unsupported, c.unsupported)
			}
		})
	}
}

func TestBadConfigFile(t *testing.T) {
	dir := t.TempDir()
	if _, err := family.LoadConfig(dir); err == nil || !strings.Contains(err.Error(), "no config.json beside the checkpoint") {
		t.Errorf("no file: %v", err)
	}
	for text, want := range map[string]string{
		"":                    "not a JSON object",
		"[]":                  "not a JSON object",
		`{"a":1`:              "bad JSON",
		`{"a":1}{}`:           "something follows the object",
		`{"a":1,"b":2,"a":3}`: `key "a" occurs twice`,
		`{"a":}`:              `bad JSON`,
	} {
		if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := family.LoadConfig(dir); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "config.json: ") {
			t.Errorf("%s: error %v, want %q in it", text, err, want)
		}
	}
}

// The two generations of transformers spell one encoding in four ways.
func TestSpellingsOfOneEncoding(t *testing.T) {
	none := map[string]string{"rope_parameters": ""}
	with := func(kv ...string) map[string]string {
		m := map[string]string{}
		for k, v := range none {
			m[k] = v
		}
		for i := 0; i < len(kv); i += 2 {
			m[kv[i]] = kv[i+1]
		}
		return m
	}
	const inner = `"factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0`
	for name, edits := range map[string]map[string]string{
		"5":                     with("rope_parameters", `{"rope_type":"llama3","rope_theta":500.0,"original_max_position_embeddings":16,`+inner+`}`),
		"5, outer length":       with("rope_parameters", `{"rope_type":"llama3","rope_theta":500.0,`+inner+`}`, "original_max_position_embeddings", "16"),
		"4":                     with("rope_theta", "500.0", "rope_scaling", `{"rope_type":"llama3","original_max_position_embeddings":16,`+inner+`}`),
		"4, older":              with("rope_theta", "500", "rope_scaling", `{"type":"llama3","original_max_position_embeddings":16,`+inner+`}`),
		"4, both types":         with("rope_theta", "500", "rope_scaling", `{"type":"llama3","rope_type":"llama3","original_max_position_embeddings":16,`+inner+`}`),
		"both, equal":           with("rope_theta", "500", "rope_scaling", `{"rope_type":"llama3","original_max_position_embeddings":16,`+inner+`}`, "rope_parameters", `{"rope_type":"llama3","original_max_position_embeddings":16,`+inner+`}`),
		"both, as pecvt writes": with("rope_theta", "500", "rope_scaling", `{"rope_type":"llama3","type":"llama3","original_max_position_embeddings":16,`+inner+`}`, "rope_parameters", `{"rope_type":"llama3","rope_theta":500.0,"original_max_position_embeddings":16.0,`+inner+`}`),
		"5, null scaling":       with("rope_parameters", `{"rope_type":"llama3","rope_theta":500.0,"original_max_position_embeddings":16,`+inner+`}`, "rope_scaling", "null"),
		"5, unused nulls":       with("rope_parameters", `{"rope_type":"llama3","rope_theta":500.0,"original_max_position_embeddings":16,"beta_fast":null,`+inner+`}`),
		"5, integers":           with("rope_parameters", `{"rope_type":"llama3","rope_theta":500,"original_max_position_embeddings":16,"factor":8,"low_freq_factor":1,"high_freq_factor":4}`),
		"5, integral real":      with("rope_parameters", `{"rope_type":"llama3","rope_theta":5e2,"original_max_position_embeddings":16.0,`+inner+`}`),
	} {
		t.Run(name, func(t *testing.T) {
			m, err := families.FromConfig(edited(t, "../../testdata/golden/llama3-scaled", edits))
			if err != nil {
				t.Fatal(err)
			}
			want := posenc.RopeParams{Type: "llama3", Theta: 500, HeadDim: 16, Partial: 1, Factor: 8, TrainedLength: 16, MaxPositions: 128,
				LowFreqFactor: 1, HighFreqFactor: 4}
			s, err := want.Spectrum(16)
			if err != nil {
				t.Fatal(err)
			}
			for i, b := range m.Blocks {
				for p, f := range b.Attn().Rotary.InvFreq {
					if f != s.InvFreq[p] {
						t.Errorf("layer %d, plane %d: %v, want %v", i, p, f, s.InvFreq[p])
					}
				}
			}
			if m.TrainedLength != 16 || !strings.HasSuffix(m.TrainedLengthFrom, "original_max_position_embeddings") {
				t.Errorf("trained length %d from %s", m.TrainedLength, m.TrainedLengthFrom)
			}
		})
	}
}

// Every rope dictionary of posenc's table of transformers' spectra reads into
// the same spectrum through a configuration.
func TestRopeTypesThroughAConfig(t *testing.T) {
	data, err := os.ReadFile("../../posenc/testdata/rope_types.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []struct {
			Name         string
			HeadDim      int             `json:"head_dim"`
			MaxPositions int             `json:"max_position_embeddings"`
			Length       int             `json:"length"`
			Rope         json.RawMessage `json:"rope_parameters"`
			InvFreq      []float64       `json:"inv_freq_64"`
			Gain         float64
		}
	}
	if err := json.Unmarshal(data, &file); err != nil || len(file.Cases) < 20 {
		t.Fatalf("%d cases: %v", len(file.Cases), err)
	}
	for _, c := range file.Cases {
		t.Run(c.Name, func(t *testing.T) {
			number := func(n int) string { b, _ := json.Marshal(n); return string(b) }
			dir := gqa
			if strings.HasSuffix(c.Name, ", partial") { // a family whose loaders read it with every type
				dir = "../../testdata/golden/stablelm"
			}
			m, err := families.FromConfig(edited(t, dir, map[string]string{"rope_parameters": string(c.Rope),
				"head_dim": number(c.HeadDim), "hidden_size": number(4 * c.HeadDim), "num_attention_heads": "4", "max_position_embeddings": number(c.MaxPositions)}))
			if err != nil {
				t.Fatal(err)
			}
			if m, err = m.AtLength(c.Length); err != nil {
				t.Fatal(err)
			}
			for _, b := range m.Blocks {
				r := b.Attn().Rotary
				if err := r.Check(); err != nil {
					t.Fatal(err)
				}
				if math.Abs(r.Gain-c.Gain) > 1e-15 {
					t.Errorf("attention factor %v, want %v", r.Gain, c.Gain)
				}
				if len(r.InvFreq) != len(c.InvFreq) {
					t.Fatalf("%d planes, want %d", len(r.InvFreq), len(c.InvFreq))
				}
				for p, f := range r.InvFreq {
					if math.Abs(f-c.InvFreq[p]) > 1e-13*c.InvFreq[p] {
						t.Errorf("plane %d: %v, want %v", p, f, c.InvFreq[p])
					}
				}
			}
		})
	}
}

// Sliding windows, as transformers 5.23 gives them to each layer.
func TestWindows(t *testing.T) {
	const absent = ""
	for name, c := range map[string]struct {
		dir   string
		edits map[string]string
		want  []int
		fails string
	}{
		"llama has none":         {"llama-gqa", map[string]string{"sliding_window": "8"}, []int{0, 0}, ""},
		"mistral":                {"mistral", nil, []int{8, 8}, ""},
		"mistral, null":          {"mistral", map[string]string{"sliding_window": "null"}, []int{0, 0}, ""},
		"mistral, absent":        {"mistral", map[string]string{"sliding_window": absent}, []int{4096, 4096}, ""},
		"mistral, zero":          {"mistral", map[string]string{"sliding_window": "0"}, nil, `"sliding_window" is 0`},
		"mistral, mixed layers":  {"mistral", map[string]string{"layer_types": `["sliding_attention","full_attention"]`}, nil, `layer_types[1] is "full_attention"`},
		"mistral, named layers":  {"mistral", map[string]string{"layer_types": `["sliding_attention","sliding_attention"]`}, []int{8, 8}, ""},
		"qwen2, off":             {"qwen2", map[string]string{"sliding_window": "8"}, []int{0, 0}, ""},
		"qwen2, on":              {"qwen2", map[string]string{"sliding_window": "8", "use_sliding_window": "true", "layer_types": `["full_attention","sliding_attention"]`}, []int{0, 8}, ""},
		"qwen2, from layer 1":    {"qwen2", map[string]string{"sliding_window": "8", "use_sliding_window": "true", "layer_types": absent, "max_window_layers": "1"}, []int{0, 8}, ""},
		"qwen2, from layer 0":    {"qwen2", map[string]string{"sliding_window": "8", "use_sliding_window": "true", "layer_types": absent, "max_window_layers": "0"}, []int{8, 8}, ""},
		"qwen2, default from 28": {"qwen2", map[string]string{"sliding_window": "8", "use_sliding_window": "true", "layer_types": absent, "max_window_layers": absent}, []int{0, 0}, ""},
		"qwen2, default size":    {"qwen2", map[string]string{"sliding_window": absent, "use_sliding_window": "true", "layer_types": absent, "max_window_layers": "0"}, []int{4096, 4096}, ""},
		"qwen2, off, by type":    {"qwen2", map[string]string{"sliding_window": "8", "use_sliding_window": "false", "layer_types": `["full_attention","sliding_attention"]`}, nil, `layer_types[1] is "sliding_attention", yet use_sliding_window is not true`},
		"smollm3, off, by type":  {"smollm3", map[string]string{"sliding_window": "8", "use_sliding_window": "false", "layer_types": `["sliding_attention","full_attention","full_attention","sliding_attention"]`}, []int{8, 0, 0, 8}, ""},
		"smollm3, off, no size":  {"smollm3", map[string]string{"sliding_window": "null", "use_sliding_window": "false", "layer_types": `["sliding_attention","full_attention","full_attention","sliding_attention"]`}, nil, "sliding_window is none"},
		"tied, null":             {"qwen2", map[string]string{"tie_word_embeddings": "null"}, nil, `key "tie_word_embeddings" is null`},
		"heads, null":            {"bloom", map[string]string{"num_attention_heads": "null"}, nil, `key "num_attention_heads" is null`},
		"qwen2, too few layers":  {"qwen2", map[string]string{"sliding_window": "8", "use_sliding_window": "true", "layer_types": `["full_attention"]`}, nil, "layer_types lists 1 layers: expected 2"},
		"qwen3, unknown kind":    {"qwen3", map[string]string{"sliding_window": "8", "use_sliding_window": "true", "layer_types": `["full_attention","linear_attention"]`}, nil, `layer_types[1] is "linear_attention"`},
		"phi3, absent":           {"phi3", map[string]string{"sliding_window": absent}, []int{0, 0}, ""},
		"phi3":                   {"phi3", map[string]string{"sliding_window": "8"}, []int{8, 8}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := families.FromConfig(edited(t, "../../testdata/golden/"+c.dir, c.edits))
			if c.fails != "" {
				if err == nil || !strings.Contains(err.Error(), c.fails) {
					t.Fatalf("error %v, want %q in it", err, c.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for i, b := range m.Blocks {
				if b.Attn().Window != c.want[i] {
					t.Errorf("layer %d has window %d, want %d", i, b.Attn().Window, c.want[i])
				}
			}
		})
	}
}

func TestPhi3(t *testing.T) {
	const dir = "../../testdata/golden/phi3"
	m, err := families.FromConfig(edited(t, dir, nil))
	if err != nil {
		t.Fatal(err)
	}
	a := m.Blocks[1].Attn()
	if a.Rotary.Dim != 8 || a.QKDim != 16 || m.TrainedLength != 32 {
		t.Errorf("rotary dimension %d of %d, trained length %d; want 8 of 16, 32", a.Rotary.Dim, a.QKDim, m.TrainedLength)
	}
	if r := a.V.Weight.Rows; len(r) != 1 || r[0] != (family.Range{Begin: 96, End: 128}) {
		t.Errorf("v is rows %v of the fused matrix, want 96 to 128", r)
	}
	if r := m.Blocks[0].MLP().Up.Weight.Rows; len(r) != 1 || r[0] != (family.Range{Begin: 96, End: 192}) {
		t.Errorf("up is rows %v of the fused matrix, want 96 to 192", r)
	}
	long := `{"type":"su","short_factor":[1,1,1,1],"long_factor":[2,2,2,2]}`
	edits := map[string]string{"rope_parameters": "", "rope_scaling": long, "rope_theta": "10000.0", "partial_rotary_factor": "0.5", "original_max_position_embeddings": "", "max_position_embeddings": "131072"}
	if m, err = families.FromConfig(edited(t, dir, edits)); err != nil {
		t.Fatal(err)
	}
	if m.Rope.Type != "longrope" || m.TrainedLength != 4096 { // Phi3Config's default
		t.Errorf("rope type %s, trained length %d; want longrope, 4096", m.Rope.Type, m.TrainedLength)
	}
	if want := math.Sqrt(1 + math.Log(32)/math.Log(4096)); math.Abs(m.Blocks[0].Attn().Rotary.Gain-want) > 1e-15 {
		t.Errorf("attention factor %v, want %v", m.Blocks[0].Attn().Rotary.Gain, want)
	}
	edits["rope_scaling"] = `{"type":"linear","factor":2}`
	if _, err = families.FromConfig(edited(t, dir, edits)); err == nil || !strings.Contains(err.Error(), "loaders of family phi3 take default and longrope alone") {
		t.Errorf("linear scaling in phi3: %v", err)
	}
}

func TestWarnings(t *testing.T) {
	for name, c := range map[string]struct {
		edits map[string]string
		want  string
	}{
		"dtype":       {map[string]string{"torch_dtype": `"bfloat16"`}, "dtype (float32) and torch_dtype (bfloat16) disagree"},
		"theta":       {map[string]string{"rope_theta": "7"}, "rope_theta is 7 at the top level and rope_theta 300 in rope_parameters: 300 is used"},
		"no theta":    {map[string]string{"rope_parameters": ""}, "rope_theta is not declared; the family's default 10000 is used"},
		"yarn factor": {map[string]string{"rope_parameters": `{"rope_type":"yarn","rope_theta":300,"factor":4,"original_max_position_embeddings":16}`}, "yarn's factor is 4, but max_position_embeddings / rope_parameters.original_max_position_embeddings is 2"},
		"long L":      {map[string]string{"rope_parameters": `{"rope_type":"yarn","rope_theta":300,"factor":0.5,"original_max_position_embeddings":64}`}, "the trained length 64 (rope_parameters.original_max_position_embeddings) exceeds max_position_embeddings 32"},
		"linear":      {map[string]string{"rope_parameters": `{"rope_type":"linear","rope_theta":300,"factor":2}`}, "linear scaling by 2 declares no original_max_position_embeddings"},
	} {
		m, err := families.FromConfig(edited(t, gqa, c.edits))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if all := strings.Join(m.Warnings, "\n"); !strings.Contains(all, c.want) {
			t.Errorf("%s: warnings %q, want %q", name, all, c.want)
		}
	}
	if m, err := families.FromConfig(edited(t, gqa, nil)); err != nil || m.Warnings != nil {
		t.Errorf("a sound configuration: warnings %q, error %v", m.Warnings, err)
	}
}
