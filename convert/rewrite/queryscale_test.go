package rewrite_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/loaders"
	"github.com/pecvt/pecvt/convert/rewrite"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
)

// reread is the model that a rewrite's configuration says.
func reread(t *testing.T, r *rewrite.Rewrite) *family.Model {
	t.Helper()
	text, err := r.Config.Indented()
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, string(text))
}

// scales lists the factors of the layers, nil where there is none.
func scales(m *family.Model) (list []family.QueryScale) {
	for _, a := range m.Attentions() {
		if a.QueryScale == nil {
			list = append(list, family.QueryScale{})
		} else {
			list = append(list, *a.QueryScale)
		}
	}
	return list
}

const ministralRope = `,"sliding_window":null,"rope_parameters":{"rope_type":"default","rope_theta":300.0,"original_max_position_embeddings":16,"llama_4_scaling_beta":`

// TestQueryScale: the factor stands in the block around what the configuration is without
// it, or in the family's own keys; it is of layers that turn and see every token before.
func TestQueryScale(t *testing.T) {
	all := family.QueryScale{Beta: .1, Length: 32}
	none := family.QueryScale{}
	for _, c := range []struct {
		name, modelType, rest string
		options               rewrite.Options
		want                  []family.QueryScale
		stock                 bool
	}{
		{"hope", "llama", `,"rope_theta":300.0`, rewrite.Options{To: "hope", Extend: 4}, []family.QueryScale{all, all}, false},
		{"beside a scaling", "llama", `,"rope_theta":300.0`, rewrite.Options{To: "yarn", Scale: posenc.Scale{Kind: "yarn", Factor: 4}}, []family.QueryScale{all, all}, false},
		{"another length", "llama", `,"rope_theta":300.0`, rewrite.Options{To: "nope", Extend: 2, TrainLength: 20}, []family.QueryScale{{Beta: .1, Length: 20}, {Beta: .1, Length: 20}}, false},
		{"windows", "cwm", `,"sliding_window":8,"rope_parameters":{"rope_type":"default","rope_theta":300.0},"layer_types":["full_attention","sliding_attention"]`, rewrite.Options{To: "hope", Extend: 4}, []family.QueryScale{all, none}, false},
		{"full layers", "cwm", `,"sliding_window":8,"rope_parameters":{"rope_type":"default","rope_theta":300.0},"layer_types":["sliding_attention","full_attention"]`, rewrite.Options{To: "hope", Extend: 4, Layers: rewrite.FullLayers}, []family.QueryScale{none, all}, false},
		{"layers that do not turn", "smollm3", `,"rope_parameters":{"rope_type":"default","rope_theta":300.0},"no_rope_layers":[1,0]`, rewrite.Options{To: "hope", Extend: 4}, []family.QueryScale{all, none}, false},
		{"own keys", "ministral3", ministralRope + `0}`, rewrite.Options{To: "hope", Extend: 4}, []family.QueryScale{all, all}, true},
		{"own keys, asked spelling", "ministral3", ministralRope + `0}`, rewrite.Options{To: "hope", Extend: 4, Spelling: "longrope"}, []family.QueryScale{all, all}, true},
	} {
		m := model(t, c.modelType, c.rest)
		c.options.QueryScale = .1
		r, err := rewrite.Make(m, nil, c.options)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		got := reread(t, r)
		if s := scales(got); !slices.Equal(s, c.want) || r.Kind != rewrite.Lossy || r.QueryScale == nil || !strings.Contains(r.Reason, "multiplied by 1 + 0.1 ln(1 + ⌊t/") {
			t.Errorf("%s: %v, %s: %s", c.name, s, r.Kind, r.Reason)
		}
		c.options.QueryScale = 0
		plain, err := rewrite.Make(m, nil, c.options)
		if err != nil {
			t.Fatal(err)
		}
		if stock := r.Spelling != family.BlockKey; stock != c.stock || got.MaxPositions != plain.MaxPositions {
			t.Errorf("%s: spelling %s, %d positions, without the factor %s and %d", c.name, r.Spelling, got.MaxPositions, plain.Spelling, plain.MaxPositions)
		}
		if c.stock {
			continue
		}
		block, err := r.Config.Object(family.BlockKey)
		if err != nil {
			t.Fatal(err)
		}
		if source := block.Raw("source"); plain.Spelling != family.BlockKey && string(source) != config(t, plain) {
			t.Errorf("%s: the block's source is %s: without the factor config.json is %s", c.name, source, config(t, plain))
		}
		if r.Readers == nil || loaders.Missing(r.Readers, []string{"transformers5"}) == nil {
			t.Errorf("%s: readers %v", c.name, r.Readers)
		}
	}
}

// config is a rewrite's config.json in one line.
func config(t *testing.T, r *rewrite.Rewrite) string {
	t.Helper()
	text, err := r.Config.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestQueryScaleRefused: what the factor cannot be of, and how else it cannot be said.
func TestQueryScaleRefused(t *testing.T) {
	const llama = `,"rope_theta":300.0`
	for _, c := range []struct {
		name, modelType, rest string
		options               rewrite.Options
		err                   error
		says                  string
	}{
		{"negative", "llama", llama, rewrite.Options{To: "hope", Extend: 4, QueryScale: -.1}, rewrite.ErrOptions, "above 0 and at most 1"},
		{"large", "llama", llama, rewrite.Options{To: "hope", Extend: 4, QueryScale: 1.1}, rewrite.ErrOptions, "above 0 and at most 1"},
		{"nothing beyond the length", "llama", llama, rewrite.Options{To: "hope", QueryScale: .1}, rewrite.ErrOptions, "no position beyond it: add Options.Extend or Options.Scale"},
		{"no length", "llama", llama, rewrite.Options{To: "grape-m", QueryScale: .1}, rewrite.ErrOptions, "depends on no trained length"},
		{"sliding layers", "cwm", `,"sliding_window":8,"rope_parameters":{"rope_type":"default","rope_theta":300.0}`, rewrite.Options{To: "hope", Extend: 4, QueryScale: .1, Layers: rewrite.SlidingLayers}, rewrite.ErrOptions, "see every token before"},
		{"partial", "llama", llama, rewrite.Options{To: "hope", Extend: 4, QueryScale: .1, Layout: rewrite.Partial}, posenc.ErrUnsupported, "layout partial, spelling auto"},
		{"asked spelling", "llama", llama, rewrite.Options{To: "hope", Extend: 4, QueryScale: .1, Spelling: "longrope"}, posenc.ErrUnsupported, "spelling longrope"},
		{"a spelling that cannot say the planes", "llama", llama, rewrite.Options{To: "hope", Extend: 4, QueryScale: .1, Spelling: "default"}, posenc.ErrUnsupported, "leave layout and spelling"},
		{"window everywhere", "mistral", llama + `,"sliding_window":8`, rewrite.Options{To: "hope", Extend: 4, QueryScale: .1}, posenc.ErrUnsupported, "no layer turns and sees every token before"},
		{"scaled already", "ministral3", ministralRope + `0.1}`, rewrite.Options{To: "hope", Extend: 4, QueryScale: .1, TrainLength: 16}, posenc.ErrUnsupported, "layer 0: queries are multiplied by 1 + 0.1 ln(1 + ⌊t/16⌋) at position t already"},
	} {
		_, err := rewrite.Make(model(t, c.modelType, c.rest), nil, c.options)
		if !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.name, err, c.says)
		}
		if c.err == rewrite.ErrOptions && !slices.Contains(hint.Of(err), hint.QueryScale) {
			t.Errorf("%s: the error names %v", c.name, hint.Of(err))
		}
	}
}

// TestQueryScaleStays: whatever becomes of a result with the factor, it has it, or is
// refused.
func TestQueryScaleStays(t *testing.T) {
	first, err := rewrite.Make(model(t, "llama", `,"rope_theta":300.0`), nil, rewrite.Options{To: "hope", Extend: 4, QueryScale: .2})
	if err != nil {
		t.Fatal(err)
	}
	m := reread(t, first)
	for _, to := range []string{"rope", "hope", "nope", "hope scale=yarn:2", "grape-m", "grape-m:basis", "hybrid:alibi", "hope layers=all"} {
		o := options(t, to)
		if o.Scale.Kind != "" {
			o.TrainLength = 32
		}
		r, err := rewrite.Make(m, nil, o)
		if err != nil {
			t.Errorf("%s: %v", to, err)
			continue
		}
		if got, want := scales(reread(t, r)), scales(m); !slices.Equal(got, want) || want[0] != (family.QueryScale{Beta: .2, Length: 32}) {
			t.Errorf("%s: queries are scaled by %v, before by %v", to, got, want)
		}
		if r.QueryScale != nil {
			t.Errorf("%s: says that the factor is new", to)
		}
	}
	for _, c := range []struct{ to, says string }{{"hope spelling=longrope", "queries scaled by position in layout native, spelling longrope"}, {"hope cut=k=3 layout=partial", "queries scaled by position in layout partial"}} {
		if _, err := rewrite.Make(m, nil, options(t, c.to)); !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.to, err)
		}
	}
	if _, err := rewrite.Make(m, nil, rewrite.Options{To: "hope", Scale: posenc.Scale{Kind: "pi", Factor: 2}, QueryScale: .2, TrainLength: 32}); !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), "beside a second factor") {
		t.Errorf("a second factor: %v", err)
	}
}

// TestQueryScaleUnit: rope types that name an original length say the one that queries are
// scaled by, whatever was trained, or are refused.
func TestQueryScaleUnit(t *testing.T) {
	m := model(t, "ministral3", `,"sliding_window":null,"rope_parameters":{"rope_type":"default","rope_theta":300.0,"original_max_position_embeddings":8,"llama_4_scaling_beta":0.1}`)
	for _, to := range []string{"rope", "hope", "nope"} {
		r, err := rewrite.Make(m, nil, options(t, to))
		if err != nil {
			t.Errorf("%s: %v", to, err)
			continue
		}
		if got, want := scales(reread(t, r)), scales(m); !slices.Equal(got, want) {
			t.Errorf("%s, rope type %s: queries are scaled by %v, before by %v", to, r.Spelling, got, want)
		}
	}
	// a factor in the block of a family that has keys for it: the rope keys take it
	own := model(t, "ministral3", ministralRope+`0}`)
	block := family.Extension{QueryScale: &family.QueryScale{Beta: .1, Length: 8}}.Config(own.Config.Object)
	text, err := block.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	boxed := parse(t, string(text))
	for _, to := range []string{"rope", "hope", "nope"} {
		r, err := rewrite.Make(boxed, nil, options(t, to))
		if err != nil {
			t.Errorf("from a block to %s: %v", to, err)
			continue
		}
		got := reread(t, r)
		if s, want := scales(got), scales(boxed); !slices.Equal(s, want) || want[0].Length != 8 || r.Spelling == family.BlockKey {
			t.Errorf("from a block to %s, rope type %s: queries are scaled by %v, before by %v", to, r.Spelling, s, want)
		}
		spectrum, err := got.Rope.Spectrum(got.TrainedLength)
		if err != nil || !slices.Equal(spectrum.InvFreq, r.After.InvFreq) {
			t.Errorf("from a block to %s: %v, want %v: %v", to, spectrum.InvFreq, r.After.InvFreq, err)
		}
	}
	if _, err := rewrite.Make(m, nil, options(t, "hope spelling=longrope")); !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), "its original_max_position_embeddings would be 32, and queries are scaled by 8 there") {
		t.Errorf("longrope: %v", err)
	}
}
