package verify_test

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/verify"
)

// goldenCases are the bundled models with logits that other programs computed.
var goldenCases = []struct {
	model, golden, to, scale string
	// layers is the number of hidden states in the golden file less one; -1 for
	// none.
	layers int
	// partial: the layout that permutes weights is tried too.
	partial bool
	// refused are the forms (layout/attention) that cannot express it: they
	// must say so.
	refused string
	// beta is that of a factor of queries, beside an extension to four times the length.
	beta float64
}{
	{model: "golden/llama-gqa", golden: "golden/rope", to: "rope", layers: 2},
	{model: "golden/llama-gqa", golden: "golden/hope", to: "hope", layers: 2, partial: true, refused: "partial/ort"},
	{model: "golden/llama-gqa", golden: "golden/hope-scaled", to: "hope", beta: 0.3, layers: 2},
	{model: "golden/llama-gqa", golden: "golden/hope-ab1", to: "hope-ab1", layers: 2, partial: true, refused: "partial/ort"},
	{model: "golden/llama-gqa", golden: "golden/hope-ab2", to: "hope-ab2", layers: 2, partial: true, refused: "partial/ort"},
	{model: "golden/llama-gqa", golden: "golden/hope-ab3", to: "hope-ab3", layers: 2, partial: true, refused: "partial/standard partial/ort"},
	{model: "golden/llama-gqa", golden: "golden/p-rope", to: "p-rope", layers: 2, partial: true, refused: "partial/ort"},
	{model: "golden/llama-gqa", golden: "golden/nope", to: "nope", layers: 2},
	{model: "golden/llama-gqa", golden: "golden/rope-pi4", to: "pi", scale: "pi:4", layers: 2},
	{model: "golden/llama-gqa", golden: "golden/rope-yarn4", to: "yarn", scale: "yarn:4", layers: 2},
	{model: "golden/llama-gqa", golden: "golden/hope-pi4", to: "hope", scale: "pi:4", layers: 2, partial: true, refused: "partial/ort"},
	{model: "golden/llama-gqa", golden: "golden/hope-yarn4", to: "hope", scale: "yarn:4", layers: 2, partial: true, refused: "partial/standard partial/ort"},
	{model: "golden/llama-tied-bf16", golden: "golden", to: "rope", layers: 2},
	{model: "golden/llama-sharded-f16", golden: "golden", to: "rope", layers: 2},
	{model: "golden/llama3-scaled", golden: "golden", to: "rope", layers: 2},
	{model: "golden/mistral", golden: "golden", to: "rope", layers: 2},
	{model: "golden/qwen2", golden: "golden", to: "rope", layers: 2},
	{model: "golden/qwen3", golden: "golden", to: "rope", layers: 2},
	{model: "golden/olmo2", golden: "golden", to: "rope", layers: 2},
	{model: "golden/phi3", golden: "golden", to: "rope", layers: 2, refused: "native/ort"},
	{model: "models/stories260K", golden: "golden/rope", to: "rope", layers: -1, refused: "native/ort"},
	{model: "models/stories260K", golden: "golden/hope", to: "hope", layers: -1, partial: true, refused: "native/ort partial/ort"},
	{model: "models/stories260K", golden: "golden/hope-ab1", to: "hope-ab1", layers: -1, refused: "native/ort"},
	{model: "models/stories260K", golden: "golden/hope-ab2", to: "hope-ab2", layers: -1, refused: "native/ort"},
}

// TestGolden converts, emits and verifies every bundled model in every form,
// and asks for every check by name: one that was not made is a failure.
func TestGolden(t *testing.T) {
	present := runtimePresent(t)
	cases := goldenCases
	if testing.Short() { // one of each kind: under the race detector all take minutes
		cases = nil
		for _, g := range goldenCases {
			switch g.model + " " + g.to {
			case "golden/llama-gqa hope", "golden/llama-sharded-f16 rope", "golden/mistral rope", "golden/phi3 rope":
				cases = append(cases, g)
			}
		}
	}
	for _, g := range cases {
		layouts := []string{"native"}
		if g.partial {
			layouts = append(layouts, "partial")
		}
		for _, layout := range layouts {
			for _, attention := range []string{onnxops.AttentionStandard, onnxops.AttentionORT} {
				c := conversion{model: g.model, to: g.to, scale: g.scale, layout: layout, attention: attention}.scaled(g.beta)
				golden := filepath.Join(fixtures, g.model, g.golden+".safetensors")
				t.Run(fmt.Sprintf("%s/%s/%s/%s", filepath.Base(g.model), filepath.Base(g.golden), layout, attention), func(t *testing.T) {
					t.Parallel()
					dir, err := c.try(t)
					if strings.Contains(g.refused, layout+"/"+attention) {
						if !errors.Is(err, posenc.ErrUnsupported) {
							t.Errorf("error %v: want a refusal", err)
						}
						return
					}
					if err != nil {
						t.Fatal(err)
					}
					wantComplete(t, verified(t, dir, verify.Options{Golden: golden}), attention, g.layers, present)
				})
			}
		}
	}
}

// TestHopeOfFamilies: families whose goldens are of the plain checkpoint agree
// with themselves once converted, in both layouts.
func TestHopeOfFamilies(t *testing.T) {
	present := runtimePresent(t)
	names := []string{"llama-tied-bf16", "llama-sharded-f16", "mistral", "qwen2", "qwen3", "olmo2"}
	if testing.Short() {
		names = names[4:]
	}
	for _, name := range names {
		for _, layout := range []string{"native", "partial"} {
			t.Run(name+"/"+layout, func(t *testing.T) {
				t.Parallel()
				c := conversion{model: "golden/" + name, to: "hope", layout: layout}
				wantComplete(t, verified(t, c.write(t), verify.Options{}), onnxops.AttentionStandard, noGolden, present)
			})
		}
	}
}

// TestWeightPlaces: the same verdict wherever the weights lie.
func TestWeightPlaces(t *testing.T) {
	present := runtimePresent(t)
	for _, weights := range []string{onnxops.PlaceEmbed, onnxops.PlaceExternalCopy} {
		for _, model := range []string{"golden/llama-tied-bf16", "golden/llama-sharded-f16", "golden/phi3"} {
			t.Run(weights+"/"+filepath.Base(model), func(t *testing.T) {
				t.Parallel()
				c := conversion{model: model, to: "rope", placement: weights}
				wantComplete(t, verified(t, c.write(t), verify.Options{}), onnxops.AttentionStandard, noGolden, present)
			})
		}
	}
}

const noGolden = -2

// wantComplete requires exactly the checks that a graph's form allows, each
// with its verdict, and figures within the limits.
func wantComplete(t *testing.T, r *verify.Report, attention string, layers int, present bool) {
	t.Helper()
	want := map[[2]string]verify.Verdict{{"reference", "ref"}: verify.Info, {"weights", "ref"}: verify.Pass, {"files", "ref"}: verify.Pass, {"tables", "interp"}: verify.Pass}
	for _, name := range []string{"attributes", "metadata", "interface", "rotation"} {
		want[[2]string{name, "interp"}] = verify.Pass
	}
	// which standard graphs onnxruntime-genai can run, package onnxops' tests say
	if _, there := find(r, "genai", "interp"); there || attention == onnxops.AttentionORT {
		want[[2]string{"genai", "interp"}] = verify.Pass
	}
	shapes := []string{"chunked-prefill", "decode", "batch", "left-padding", "right-padding", "left-padding-decode", "right-padding-decode", "right-padding-chunk"}
	for _, name := range shapes {
		want[[2]string{name, "ref"}] = verify.Pass
	}
	runners := []string{"interp"}
	if present {
		runners = append(runners, "ort-cpu")
		want[[2]string{"placement", "ort-cpu"}] = verify.Pass
		for _, level := range []string{"disabled", "basic", "extended"} {
			for _, name := range []string{"prefill", "decode", "right-padding-decode", "placement"} {
				want[[2]string{name + " " + level, "ort-cpu"}] = verify.Pass
			}
		}
	} else {
		want[[2]string{"load", "ort-cpu"}] = verify.Unavailable
	}
	for _, runner := range runners {
		for _, name := range append(shapes, "prefill", "long-prefill", "far-positions", "positions", "table-end", "law-causal", "law-shift", "law-distance") {
			want[[2]string{name, runner}] = verify.Pass
			if attention == onnxops.AttentionORT && name == "law-shift" {
				delete(want, [2]string{name, runner}) // skipped, once
				continue
			}
			if attention == onnxops.AttentionORT && strings.HasPrefix(name, "left-padding") {
				want[[2]string{name, runner}] = verify.Skipped
			}
		}
	}
	if layers != noGolden {
		for _, runner := range append(runners, "ref") {
			want[[2]string{"golden", runner}] = verify.Pass
		}
		for i := range layers + 1 {
			want[[2]string{fmt.Sprintf("golden-hidden.%d", i), "ref"}] = verify.Pass
		}
	}
	for _, c := range r.Checks {
		if rightThenMore(c.Name) && c.Verdict == verify.Skipped && strings.Contains(c.Detail, "sliding window") {
			delete(want, [2]string{c.Name, "ref"})
			for _, level := range []string{"", " disabled", " basic", " extended"} {
				delete(want, [2]string{c.Name + level, c.Runner})
			}
		}
	}
	if c, there := find(r, "law-shift", "interp"); there && attention != onnxops.AttentionORT && c.Verdict == verify.Skipped && strings.Contains(c.Detail, "scaled by their own position") {
		for _, runner := range runners { // skipped, once
			delete(want, [2]string{"law-shift", runner})
		}
		want[[2]string{"law-shift", "interp"}] = verify.Skipped
	}
	for _, c := range r.Checks {
		key := [2]string{c.Name, c.Runner}
		if rightThenMore(c.Name) && c.Verdict == verify.Skipped {
			continue // a window
		}
		if c.Level != "" && c.Level != "all" {
			key[0] += " " + c.Level
		}
		if strings.HasPrefix(c.Name, "law-") && c.Verdict == verify.Skipped && c.Detail != "" && (c.Name == "law-blind" || c.Name == "law-gates" || attention == onnxops.AttentionORT) ||
			c.Name == "law-blind" && c.Verdict == verify.Pass {
			continue // TestLaws
		}
		if c.Runner == "ort-cuda" {
			continue // where there is none, that is said; where there is, it has tests of its own
		}
		if c.Name == "long-past" && (c.Verdict == verify.Pass || c.Verdict == verify.Skipped && c.Detail != "") {
			continue // tables longer than the prompt (TestLongPast)
		}
		if c.Name == "window-size" && c.Verdict == verify.Pass {
			continue // a model with windows (TestWindow)
		}
		verdict, expected := want[key]
		delete(want, key)
		if !expected || c.Verdict != verdict {
			t.Errorf("%s of %s: %s, want %q: %s %s", c.Name, c.Runner, c.Verdict, verdict, c.Detail, c.Blame)
			continue
		}
		if c.Verdict == verify.Skipped && c.Detail == "" {
			t.Errorf("%s of %s is skipped without a reason", c.Name, c.Runner)
		}
		if c.Verdict != verify.Pass || c.Limit == 0 {
			continue
		}
		if !(c.MaxRel <= min(c.Limit, 2e-5)) || c.Positions == 0 || c.Limit > 1e-4 || c.OfLogits() && !(c.Top1 >= 0.99 && c.KL < 1e-6 && c.Cosine > 0.999999) {
			t.Errorf("%s of %s passes with max rel %v (limit %v), KL %v, top-1 %v, cosine %v over %d positions", c.Name, c.Runner, c.MaxRel, c.Limit, c.KL, c.Top1, c.Cosine, c.Positions)
		}
	}
	for key, verdict := range want {
		t.Errorf("%s of %s was not made: want %s", key[0], key[1], verdict)
	}
	overall := verify.Pass
	if !present {
		overall = verify.Incomplete
	}
	if r.Verdict != overall {
		t.Errorf("verdict %s, want %s", r.Verdict, overall)
	}
}

// rightThenMore tells whether a check pads on the right before more tokens, which
// windows do not take.
func rightThenMore(name string) bool {
	return name == "right-padding-decode" || name == "right-padding-chunk"
}

// TestNegativeTokens: an option out of range is an error that names it.
func TestNegativeTokens(t *testing.T) {
	for field, o := range map[string]verify.Options{"Options.Tokens -1": {Tokens: -1}, "Options.DriftTokens -2": {DriftTokens: -2}} {
		if _, err := verify.Verify(t.Context(), t.TempDir(), o); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("error %v: want %s named", err, field)
		}
	}
}

// TestShortPrompts: prompts whose shortest row of a batch has fewer tokens than
// steps are judged as longer ones are: GroupQueryAttention takes no step that is
// padding in one row.
func TestShortPrompts(t *testing.T) {
	runtimePresent(t)
	for _, attention := range []string{"standard", "ort"} {
		dir := conversion{model: "golden/llama-gqa", to: "rope", attention: attention}.write(t)
		for _, n := range []int{2, 5, 16} {
			t.Run(fmt.Sprintf("%s/%d", attention, n), func(t *testing.T) {
				r := verified(t, dir, verify.Options{Tokens: n, OptLevel: "all"})
				for _, name := range []string{"right-padding-decode", "right-padding-chunk"} {
					if c, made := find(r, name, "interp"); !made || c.Verdict != verify.Pass {
						t.Errorf("%s: %s %s", name, c.Verdict, c.Detail)
					}
				}
				sound(t, r)
			})
		}
	}
}

// TestOneToken: what a prompt of one token cannot show leaves the report
// incomplete and says why.
func TestOneToken(t *testing.T) {
	runtimePresent(t)
	r := verified(t, hopeLlama.write(t), verify.Options{Tokens: 1})
	if r.Verdict != verify.Incomplete || r.Tokens != 1 {
		t.Errorf("verdict %s of %d tokens", r.Verdict, r.Tokens)
	}
	for _, runner := range []string{"ref", "interp"} {
		for _, name := range []string{"chunked-prefill", "decode", "batch", "left-padding", "right-padding-decode", "right-padding-chunk"} {
			if c, made := find(r, name, runner); !made || c.Verdict != verify.Incomplete || !strings.Contains(c.Detail, "a prompt of one token") {
				t.Errorf("%s of %s: %s %q", name, runner, c.Verdict, c.Detail)
			}
		}
	}
	if c, _ := find(r, "prefill", "interp"); c.Verdict != verify.Pass {
		t.Errorf("prefill: %s %s", c.Verdict, c.Detail)
	}
	var text strings.Builder
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), "INCOMPLETE  decode, ref, interp") {
		t.Errorf("runners of one kind do not share a line:\n%s", text.String())
	}
}

// TestDriftIsNotJudged: a model far from its source passes, and the distance
// is told by position; one of another vocabulary is no source.
func TestDriftIsNotJudged(t *testing.T) {
	dir := conversion{model: "golden/llama-gqa", to: "nope"}.write(t)
	r := verified(t, dir, verify.Options{Against: filepath.Join(fixtures, "golden/llama-gqa"), Tokens: 40, OptLevel: "all"})
	if r.Verdict == verify.Fail || r.Drift == nil {
		t.Fatalf("verdict %s, drift %v", r.Verdict, r.Drift)
	}
	var starts []int
	for _, p := range r.Drift.Positions {
		starts = append(starts, p.From)
	}
	if !slices.Equal(starts, []int{0, 16, 32}) || r.Drift.Positions[2].To != 39 {
		t.Errorf("positions %v", r.Drift.Positions)
	}
	if !(r.Drift.KL > 1e-3) || !(r.Drift.MaxAbs > 0.1) || r.Drift.Top1 == 1 {
		t.Errorf("drift of a model without positions: KL %v, top-1 %v, max abs %v", r.Drift.KL, r.Drift.Top1, r.Drift.MaxAbs)
	}
	same := conversion{model: "golden/llama-gqa", to: "rope"}.write(t)
	if r := verified(t, same, verify.Options{Against: filepath.Join(fixtures, "golden/llama-gqa"), OptLevel: "all"}); r.Drift.KL != 0 || r.Drift.MaxAbs != 0 || r.Drift.Top1 != 1 {
		t.Errorf("drift of a model from itself: %+v", r.Drift)
	}
	if _, err := verify.Verify(t.Context(), same, verify.Options{Against: filepath.Join(fixtures, "models/stories260K")}); err == nil || !strings.Contains(err.Error(), "vocabulary") {
		t.Errorf("another vocabulary: %v", err)
	}
}

// TestFaultyGolden: given answers that are off are told apart from a graph that
// is.
func TestFaultyGolden(t *testing.T) {
	present := runtimePresent(t)
	dir := hopeLlama.write(t)
	for tensor, check := range map[string]string{"logits": "golden", "hidden.1": "golden-hidden.1"} {
		t.Run(tensor, func(t *testing.T) {
			r := verified(t, dir, verify.Options{Golden: faultyGolden(t, tensor), OptLevel: "all"})
			runners := []string{"ref"}
			if check == "golden" {
				runners = append(runners, "interp")
				if present {
					runners = append(runners, "ort-cpu")
				}
			}
			for _, runner := range runners {
				c, _ := find(r, check, runner)
				if c.Verdict != verify.Fail || math.Abs(float64(c.MaxAbs)-0.01) > 1e-4 || !strings.Contains(c.Blame, "the given file") {
					t.Errorf("%s of %s: %s, max abs %v, blame %q", check, runner, c.Verdict, c.MaxAbs, c.Blame)
				}
			}
			for _, c := range r.Checks {
				if c.Verdict == verify.Fail && c.Name != check {
					t.Errorf("%s of %s fails too: %s", c.Name, c.Runner, c.Detail)
				}
			}
			if r.Verdict != verify.Fail {
				t.Errorf("verdict %s", r.Verdict)
			}
		})
	}
}
