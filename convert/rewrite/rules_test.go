package rewrite_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/rewrite"
	"github.com/pecvt/pecvt/posenc"
)

const bloomText = `{"model_type":"bloom","vocab_size":128,"hidden_size":64,"n_layer":2,"n_head":4}`

// TestTableIsWhole: every pair has one relation with a reason, and refusals say
// what can be done or that nothing can.
func TestTableIsWhole(t *testing.T) {
	seen := map[[2]string]bool{}
	for _, r := range rewrite.Table() {
		key := [2]string{r.From, r.To}
		if seen[key] || r.Reason == "" || strings.Contains(r.Reason, "\n") {
			t.Errorf("%s to %s: twice, or without a line of reason: %q", r.From, r.To, r.Reason)
		}
		seen[key] = true
		if (r.When == "") != (r.Otherwise == "") {
			t.Errorf("%s to %s: when %q, otherwise %q: both or none", r.From, r.To, r.When, r.Otherwise)
		}
	}
	if want := 10 * len(posenc.Encodings()); len(seen) != want {
		t.Errorf("%d relations, want %d", len(seen), want)
	}
}

func TestRefusedAcrossKinds(t *testing.T) {
	for _, c := range []struct{ source, to, want string }{
		{bloomText, "hope", "Options.To grape-a, grape-ap, fox or kerple keep it exactly"},
		{bloomText, "rope", "no rotation of q and k gives it"},
		{bloomText, "hybrid", "no rotation to put a bias beside"},
		{"llama", "alibi", "Options.To hybrid puts one beside it"},
		{bloomText, "hybrid:kerple:log", "no rotation to put a bias beside"},
		{"llama", "kerple:log", "Options.To hybrid puts one beside it"},
		{"llama", "fox", "Options.To hybrid puts one beside it"},
	} {
		m := model(t, "llama", newer)
		if c.source != "llama" {
			m = parse(t, c.source)
		}
		_, err := rewrite.Make(m, nil, rewrite.Options{To: c.to})
		if !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("Options.To %s: error %v, want %q", c.to, err, c.want)
		}
	}
}

// Families whose loaders take the base from elsewhere, or not the rope type that the
// partial layout needs, refuse it and name the layout that can.
func TestPartialRefused(t *testing.T) {
	const sizes = `"vocab_size":96,"hidden_size":48,"num_hidden_layers":2,"num_attention_heads":6,"num_key_value_heads":3,"max_position_embeddings":24,` +
		`"intermediate_size":24,"rope_parameters":{"rope_type":"default","rope_theta":500.0}`
	cut, err := posenc.ParseCut("k=2")
	if err != nil {
		t.Fatal(err)
	}
	for of, more := range map[string]string{"granite_swa": `,"layer_rope_theta":[500.0,0]`, "phimoe": `,"num_experts_per_tok":2,"num_local_experts":4`} {
		m := parse(t, `{"model_type":"`+of+`",`+sizes+more+`}`)
		for layout, want := range map[string]string{rewrite.Partial: "layout partial: ", rewrite.Native: ""} {
			_, err := rewrite.Make(m, nil, rewrite.Options{To: "hope", Layout: layout, Cut: cut})
			if want == "" && err != nil || want != "" && (!errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "Options.Layout native can")) {
				t.Errorf("%s, layout %s: error %v, want %q", of, layout, err, want)
			}
		}
	}
}

func TestBadOptionsOfBiases(t *testing.T) {
	for _, c := range []struct {
		o    rewrite.Options
		want string
	}{
		{rewrite.Options{To: "hybrid", Slope: "-1"}, `Options.Slope "-1": expected 0`},
		{rewrite.Options{To: "hybrid", Slope: "NaN"}, `Options.Slope "NaN"`},
		{rewrite.Options{To: "hybrid", Slope: "steep"}, "alibi (a slope per head)"},
		{rewrite.Options{To: "hybrid", Slope: "1e40"}, `Options.Slope "1e40": expected 0 (no bias yet), alibi (a slope per head) or a positive number of at most 1000 score units`},
		{rewrite.Options{To: "hybrid", Slope: "1000.5"}, "at most 1000 score units"},
		{rewrite.Options{To: "hybrid", Slope: "0x1p-3"}, `Options.Slope "0x1p-3"`},
		{rewrite.Options{To: "hybrid", Slope: "0x_1p-3"}, `Options.Slope "0x_1p-3"`},
		{rewrite.Options{To: "hybrid", Slope: "Inf"}, `Options.Slope "Inf"`},
		{rewrite.Options{To: "fox", TrainLength: 64}, "Options.TrainLength 64: Options.To fox depends on no trained length"},
		{rewrite.Options{To: "hybrid", TrainLength: 64}, "Options.TrainLength 64: Options.To hybrid depends on no trained length"},
		{rewrite.Options{To: "grape-m", TrainLength: 64}, "Options.TrainLength 64: Options.To grape-m depends on no trained length"},
		{rewrite.Options{To: "grape-m", Slope: "0"}, "Options.Slope 0: Options.To grape-m starts with no slope of choice"},
		{rewrite.Options{To: "hybrid:fix"}, `did you mean "fox"? (valid: alibi, fox, grape-a:key, grape-a:query, grape-a:querykey, grape-ap, kerple:log, kerple:power)`},
		{rewrite.Options{To: "hybrid:kerple:log", Slope: "0.5"}, "Options.Slope 0.5: a logarithm has no slope; Options.To hybrid:kerple:power has one"},
		{rewrite.Options{To: "kerple:lag"}, `did you mean "log"? (valid: log, power)`},
		{rewrite.Options{To: "kerple", TrainLength: 64}, "Options.TrainLength 64: Options.To kerple depends on no trained length"},
		{rewrite.Options{To: "grape-m", Layout: rewrite.Partial}, "Options.Layout partial: Options.To grape-m moves no rows"},
		{rewrite.Options{To: "grape-a", Spelling: "longrope"}, "Options.Spelling longrope: no rope type says Options.To grape-a"},
		{rewrite.Options{To: "grape-m", Scale: posenc.Scale{Kind: "pi", Factor: 2}}, "Options.To grape-m takes no scaling"},
	} {
		_, err := rewrite.Make(model(t, "llama", newer), nil, c.o)
		if !errors.Is(err, rewrite.ErrOptions) || !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%+v: error %v, want %q", c.o, err, c.want)
		}
	}
}

// TestSlopesMustBeNumbers: a slope that is none is damage, and not something
// another rewrite could do.
func TestSlopesMustBeNumbers(t *testing.T) {
	for _, c := range []struct {
		slope       float64
		want        string
		unsupported bool
	}{
		{math.NaN(), "layer 1, head 2: slope NaN: expected a finite number: the weights are damaged", false},
		{math.Inf(1), "layer 1, head 2: slope +Inf: expected a finite number", false},
		{-1, "layer 1, head 2: slope -1: expected none below 0", true},
	} {
		m := parse(t, bloomText)
		a := m.Blocks[1].Attn()
		a.Bias.Slopes = slices.Clone(a.Bias.Slopes)
		a.Bias.Slopes[2] = c.slope
		_, err := rewrite.Make(m, nil, rewrite.Options{To: "fox"})
		if err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, posenc.ErrUnsupported) != c.unsupported {
			t.Errorf("slope %v: error %v, want %q", c.slope, err, c.want)
		}
	}
}

// TestRatesOfGrapeM: what a block would not be read with is not written.
func TestRatesOfGrapeM(t *testing.T) {
	for _, to := range []string{"grape-m", "grape-m:basis", "hybrid"} {
		_, err := rewrite.Make(model(t, "llama", `,"rope_theta":1e-8`), nil, rewrite.Options{To: to})
		if !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(fmt.Sprint(err), "layer 0, plane 3: turns by 1000 ") {
			t.Errorf("%s: error %v", to, err)
		}
	}
}

// TestLengthsThatGrapeMHasNot: a spectrum that follows the length is no GRAPE-M; what is
// advised makes it one.
func TestLengthsThatGrapeMHasNot(t *testing.T) {
	longrope := func(short string) string {
		return `,"rope_theta":300.0,"rope_scaling":{"rope_type":"longrope","factor":2.0,"original_max_position_embeddings":16,"short_factor":` + short + `,"long_factor":[1,1.5,2,2,2,2,2,2]}`
	}
	for keys, want := range map[string]string{
		`,"rope_theta":300.0,"rope_scaling":{"rope_type":"dynamic","factor":2.0}`: "rope type dynamic changes the frequencies with the length, and GRAPE-M has one spectrum for every length: not supported; declare in config.json",
		longrope("[1,1,1,1,1,1,1,1]"):   "rope type longrope changes the frequencies with the length, and GRAPE-M has one spectrum for every length: not supported; write the list that is meant into both short_factor and long_factor",
		longrope("[1,1.5,2,2,2,2,2,2]"): "",
	} {
		_, err := rewrite.Make(model(t, "llama", keys), nil, rewrite.Options{To: "grape-m"})
		if want == "" && err != nil || want != "" && (!errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(fmt.Sprint(err), want)) {
			t.Errorf("%s: error %v, want %q", keys, err, want)
		}
	}
}

// TestSlopesAreWritten: the numbers of each bias for Bloom's four heads, slopes
// 2^-2, 2^-4, 2^-6, 2^-8.
func TestSlopesAreWritten(t *testing.T) {
	for _, c := range []struct {
		to, tensor string
		want       [4]float64
	}{
		{"grape-a", "omega", [4]float64{0.36067376022224085, 0.09016844005556021, 0.022542110013890053, 0.0056355275034725134}},          // β/ln 2
		{"grape-a:querykey", "omega", [4]float64{0.18033688011112043, 0.04508422002778011, 0.011271055006945027, 0.0028177637517362566}}, // β/(2 ln 2)
		{"grape-ap", "beta", [4]float64{0.36067376022224085, 0.09016844005556021, 0.022542110013890053, 0.0056355275034725134}},
		{"fox", "gate.bias", [4]float64{1.258691549446032, 2.7411759671209768, 4.151060410854326, 5.543223683696766}}, // −log(e^β − 1)
		{"kerple", "r1", [4]float64{0.25, 0.0625, 0.015625, 0.00390625}},
		{"kerple", "r2", [4]float64{1, 1, 1, 1}},
		{"kerple:log", "r1", [4]float64{1024, 1024, 1024, 1024}},
	} {
		r, err := rewrite.Make(parse(t, bloomText), nil, rewrite.Options{To: c.to})
		if err != nil {
			t.Fatal(err)
		}
		for layer := range 2 {
			name := fmt.Sprintf("pecvt.layers.%d.bias.%s", layer, c.tensor)
			found := false
			for _, added := range r.Added {
				if added.Name != name {
					continue
				}
				found = true
				for h, want := range c.want {
					if d := added.Values[h] - want; !(d < 1e-14 && d > -1e-14) {
						t.Errorf("%s: %s[%d] is %v, want %v", c.to, name, h, added.Values[h], want)
					}
				}
			}
			if !found {
				t.Errorf("%s: no tensor %s", c.to, name)
			}
		}
	}
}
