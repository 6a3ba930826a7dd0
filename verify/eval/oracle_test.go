package eval_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/pecvt/pecvt/verify/eval"
	"github.com/pecvt/pecvt/verify/ort/orttest"
	"github.com/pecvt/pecvt/verify/run"
)

const (
	stories  = "../../testdata/models/stories260K"
	storyIDs = stories + "/sampled.safetensors"
)

// oracle is what stock transformers measured (testdata/tools/eval_transformers.py).
type oracle struct {
	Variant   string         `json:"variant"`
	Config    map[string]any `json:"config"`
	Length    int            `json:"length"`
	Sequences int            `json:"sequences"`
	PPL       float64        `json:"ppl"`
	Stock     float64        `json:"ppl_stock"`
	Last      int            `json:"last"`
	PPLLast   float64        `json:"ppl_last"`
	KL        float64        `json:"kl"`
	KLLast    float64        `json:"kl_last"`
	Top1      float64        `json:"top1"`
}

func oracles(t *testing.T) []oracle {
	t.Helper()
	raw, err := os.ReadFile(stories + "/golden/eval.json")
	if err != nil {
		t.Fatal(err)
	}
	var f struct{ Results []oracle }
	if err := json.Unmarshal(raw, &f); err != nil {
		t.Fatal(err)
	}
	if len(f.Results) != 6 {
		t.Fatalf("%d results, want 6", len(f.Results))
	}
	return f.Results
}

// variant copies stories260K with changed keys of its configuration.
func variant(t *testing.T, changed map[string]any) string {
	t.Helper()
	if changed == nil {
		return stories
	}
	return variantOf(t, stories, changed)
}

func variantOf(t *testing.T, model string, changed map[string]any) string {
	t.Helper()
	dir := t.TempDir()
	raw, err := os.ReadFile(model + "/config.json")
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	if err := json.Unmarshal(raw, &config); err != nil {
		t.Fatal(err)
	}
	for k, v := range changed {
		config[k] = v
	}
	if raw, err = json.Marshal(config); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "config.json"), raw)
	if raw, err = os.ReadFile(model + "/model.safetensors"); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "model.safetensors"), raw)
	return dir
}

func write(t *testing.T, path string, raw []byte) {
	t.Helper()
	if err := os.WriteFile(path, raw, 0o644); err != nil {
		t.Fatal(err)
	}
}

// cut makes sequences of n tokens of the bundled ids.
func cut(t *testing.T, n int) [][]int64 {
	t.Helper()
	rows, err := run.ReadIDs(storyIDs, 512)
	if err != nil {
		t.Fatal(err)
	}
	var out [][]int64
	for _, row := range rows {
		for from := 0; from+n <= len(row); from += n {
			out = append(out, row[from:from+n])
		}
	}
	return out
}

func open(t testing.TB, dir string, o eval.Options) *eval.Model {
	t.Helper()
	m, err := eval.Open(t.Context(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func close64(t *testing.T, what string, got eval.Number, want, tolerance float64) {
	t.Helper()
	if d := math.Abs(float64(got) - want); !(d <= tolerance) {
		t.Errorf("%s is %v, want %v: off by %.2g, at most %.2g", what, float64(got), want, d, tolerance)
	}
}

// TestOracle: perplexities of stock transformers to 1e-5, KL and agreement to
// float32's rounding, with either runner and whatever the pieces.
func TestOracle(t *testing.T) {
	for _, o := range []eval.Options{{Runner: eval.RunnerRef}, {Runner: eval.RunnerORT}, {Runner: eval.RunnerORT, Chunk: 37}} {
		t.Run(o.Runner, func(t *testing.T) {
			if o.Runner == eval.RunnerORT {
				orttest.Require(t)
			}
			source := open(t, stories, o)
			for _, want := range oracles(t) {
				if o.Runner == eval.RunnerRef && (want.Length > 128 || want.Variant == "linear") {
					continue // it takes its time
				}
				m, against := source, (*eval.Model)(nil)
				if want.Config != nil {
					m, against = open(t, variant(t, want.Config), o), source
				}
				ids := cut(t, want.Length)
				if len(ids) != want.Sequences {
					t.Fatalf("%d sequences, want %d", len(ids), want.Sequences)
				}
				r, err := m.Score(t.Context(), ids, eval.ScoreOptions{Source: against})
				if err != nil {
					t.Fatal(err)
				}
				close64(t, "ppl", r.PPL, want.PPL, 1e-5*want.PPL)
				close64(t, "ppl", r.PPL, want.Stock, 1e-5*want.PPL)
				close64(t, "ppl of the last", r.PPLLast, want.PPLLast, 1e-5*want.PPLLast)
				if r.Last != want.Last || r.Sequences != want.Sequences || r.Tokens != want.Sequences*(want.Length-1) {
					t.Errorf("last %d, sequences %d, tokens %d", r.Last, r.Sequences, r.Tokens)
				}
				if against == nil {
					if !math.IsNaN(float64(r.KL)) || !math.IsNaN(float64(r.Top1)) {
						t.Errorf("KL %v and top-1 %v without a source", r.KL, r.Top1)
					}
					continue
				}
				close64(t, "KL", r.KL, want.KL, 1e-5*want.KL)
				close64(t, "KL of the last", r.KLLast, want.KLLast, 1e-5*want.KLLast)
				close64(t, "top-1", r.Top1, want.Top1, 1.01/float64(r.Tokens)) // one near tie
			}
		})
	}
}
