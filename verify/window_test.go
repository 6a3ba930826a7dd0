package verify_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/verify"
)

// windowed emits the mistral model with another window and length.
func windowed(t *testing.T, window, length int, attention string) string {
	t.Helper()
	c := conversion{model: "golden/mistral", to: "rope", maxLength: length, attention: attention}
	dir := c.write(t)
	replaceIn(t, filepath.Join(dir, "config.json"), `"sliding_window": 8`, fmt.Sprintf(`"sliding_window": %d`, window))
	unlisted(t, dir)
	if err := c.emit(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestWindow(t *testing.T) {
	present := runtimePresent(t)
	runners := []string{"interp"}
	if present {
		runners = append(runners, "ort-cpu")
	}
	config := func(dir string) string { return filepath.Join(dir, "config.json") }
	for _, attention := range []string{onnxops.AttentionStandard, onnxops.AttentionORT} {
		for _, tt := range []struct {
			name           string
			window, length int
			plant          func(t *testing.T, dir string)
			tokens         int
			made           verify.Verdict // of the check window; "" for none
			size           verify.Verdict // of the check window-size
			verdict        verify.Verdict
		}{
			{name: "short", window: 100, length: 600, tokens: 116, size: verify.Pass, verdict: verify.Pass},
			{name: "long", window: 700, length: 800, tokens: 48, made: verify.Pass, size: verify.Pass, verdict: verify.Pass},
			{name: "as long as the tables less one", window: 700, length: 701, tokens: 48, made: verify.Pass, size: verify.Pass, verdict: verify.Pass},
			{name: "longer than the tables", window: 700, length: 700, tokens: 48, size: verify.Pass, verdict: verify.Pass},
			{name: "long, changed", window: 700, length: 800, tokens: 48, made: verify.Fail, size: verify.Fail, verdict: verify.Fail,
				plant: func(t *testing.T, dir string) {
					replaceIn(t, config(dir), `"sliding_window": 700`, `"sliding_window": 701`)
				}},
			{name: "dropped", window: 700, length: 800, tokens: 48, size: verify.Fail, verdict: verify.Fail,
				plant: func(t *testing.T, dir string) {
					replaceIn(t, config(dir), `"sliding_window": 700`, `"sliding_window": null`)
				}},
			{name: "wrong in the graph", window: 700, length: 800, tokens: 48, made: verify.Fail, size: verify.Fail, verdict: verify.Fail,
				plant: graphFault(func(t *testing.T, g *graphOf) {
					if attention == onnxops.AttentionStandard {
						g.constant(t, "/const/window700", 699)
						return
					}
					for i := range 2 {
						attribute(t, g.node(t, fmt.Sprintf("/layers.%d/attn/GroupQueryAttention", i)), "local_window_size").I = 699
					}
				})},
		} {
			t.Run(attention+"/"+tt.name, func(t *testing.T) {
				t.Parallel()
				dir := windowed(t, tt.window, tt.length, attention)
				if tt.plant != nil {
					tt.plant(t, dir)
				}
				r := verified(t, dir, verify.Options{OptLevel: "all"})
				if r.Tokens != tt.tokens {
					t.Errorf("%d tokens, want %d", r.Tokens, tt.tokens)
				}
				for _, runner := range runners {
					if c, _ := find(r, "window", runner); c.Verdict != tt.made {
						t.Errorf("window of %s: %q (max rel %v), want %q: %s", runner, c.Verdict, c.MaxRel, tt.made, c.Detail)
					}
				}
				if c, _ := find(r, "window", "interp"); tt.made == verify.Fail && !strings.Contains(c.Blame, "window") {
					t.Errorf("blame %q", c.Blame)
				}
				if c, _ := find(r, "window-size", "interp"); c.Verdict != tt.size {
					t.Errorf("window-size: %q, want %q: %s", c.Verdict, tt.size, c.Detail)
				}
				if want := tt.verdict; r.Verdict != want && (present || want != verify.Pass) {
					t.Errorf("verdict %s, want %s", r.Verdict, want)
					for _, c := range r.Checks {
						t.Logf("%s of %s: %s %s", c.Name, c.Runner, c.Verdict, c.Detail)
					}
				}
			})
		}
	}
}

// TestWindowTooLarge: a window that no past of reasonable size fills is told.
func TestWindowTooLarge(t *testing.T) {
	runtimePresent(t)
	r := verified(t, windowed(t, 300000, 300020, onnxops.AttentionStandard), verify.Options{OptLevel: "all"})
	c, _ := find(r, "window", "interp")
	if c.Verdict != verify.Skipped || !strings.Contains(strings.Join(r.Warnings, "\n"), "window 300000 not exercised: a past of") {
		t.Errorf("window: %s %q, warnings %q", c.Verdict, c.Detail, r.Warnings)
	}
}

// TestErrorsAtTheEnd: an error past the tables is the runtime's, not the graph's.
func TestErrorsAtTheEnd(t *testing.T) {
	runtimePresent(t)
	dir := conversion{model: "golden/llama-gqa", to: "rope"}.write(t)
	graphFault(func(t *testing.T, g *graphOf) {
		for _, name := range []string{"/rotary/cos/Gather", "/rotary/sin/Gather"} {
			g.node(t, name).Input[1] = "position_ids"
		}
	})(t, dir)
	r := verified(t, dir, verify.Options{OptLevel: "all"})
	if c, _ := find(r, "table-end", "interp"); c.Verdict != verify.Fail || !strings.Contains(c.Detail, "is an error where every logit should be NaN") {
		t.Errorf("table-end: %s %q", c.Verdict, c.Detail)
	}
}

// TestLengthDependence: a graph that holds the spectrum of long sequences says
// what stock loaders do with short ones.
func TestLengthDependence(t *testing.T) {
	runtimePresent(t)
	for _, tt := range []struct {
		length int
		warns  bool
	}{{600, true}, {32, false}} {
		dir := conversion{model: "golden/llama-gqa", to: "rope"}.write(t)
		path := filepath.Join(dir, "config.json")
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Replace(string(data), `"rope_type": "default"`, `"rope_type": "dynamic", "factor": 4.0`, 1)
		if text == string(data) {
			t.Fatalf("no rope type in %s", data)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		unlisted(t, dir)
		if err := (conversion{to: "rope", maxLength: tt.length}).emit(dir); err != nil {
			t.Fatal(err)
		}
		r := verified(t, dir, verify.Options{OptLevel: "all"})
		if got := strings.Contains(strings.Join(r.Warnings, "\n"), "stock loaders use the unstretched ones up to 32 positions"); got != tt.warns || r.Verdict == verify.Fail {
			t.Errorf("max length %d: verdict %s, warnings %q", tt.length, r.Verdict, r.Warnings)
		}
	}
}
