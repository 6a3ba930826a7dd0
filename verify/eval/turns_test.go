package eval_test

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/pecvt/pecvt/verify/eval"
	"github.com/pecvt/pecvt/verify/ort/orttest"
)

// Models that run one after the other have the figures of lock-step to the last bit, with
// the source's logits in a file or, where none can be written, with the source beside
// each; nothing is left behind.
func TestInTurns(t *testing.T) {
	scaled, slow := variant(t, map[string]any{"rope_theta": 20000.0}), variant(t, map[string]any{"rope_theta": 5000.0})
	temp := t.TempDir()
	for name, c := range map[string]eval.Config{
		"with a source": {Models: []string{scaled, slow}, Against: stories, Lengths: []int{256, 64}, Sequences: 2, Copy: 2, Options: eval.Options{TempDir: temp}},
		"no room":       {Models: []string{scaled}, Against: stories, Lengths: []int{64}, Sequences: 2, Options: eval.Options{Runner: eval.RunnerRef, TempDir: filepath.Join(temp, "none")}},
		"alone":         {Models: []string{scaled, slow}, Lengths: []int{96}, Sequences: 2},
	} {
		t.Run(name, func(t *testing.T) {
			together := quick(t, c)
			eval.SetLockstepBytes(t, 0)
			last := 0
			c.Progress = func(p eval.Progress) {
				if p.Done <= last || p.Done > p.Total {
					t.Errorf("%d of %d tokens after %d", p.Done, p.Total, last)
				}
				last = p.Done
			}
			turns := quick(t, c)
			turns.Seconds = together.Seconds
			a, errA := json.Marshal(together)
			b, errB := json.Marshal(turns)
			if errA != nil || errB != nil || string(a) != string(b) {
				t.Errorf("in turns %s\nin lock-step %s", b, a)
			}
		})
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("%v is left behind (%v)", left, err)
	}
}

// Graphs that are made for an evaluation write their cache in place where the model has
// that form, hold sequences beyond the trained length by every rope type, and give the
// reference's figures, whatever the pieces.
func TestFar(t *testing.T) {
	orttest.Require(t)
	const model, positions = "../../testdata/golden/llama-gqa", 200
	rng := rand.New(rand.NewPCG(1, 2))
	ids := make([][]int64, 2)
	for s := range ids {
		for range positions {
			ids[s] = append(ids[s], rng.Int64N(128))
		}
	}
	eight := []float64{1, 1.1, 1.3, 1.6, 2, 3, 4, 8}
	for name, rope := range map[string]map[string]any{
		"default":  {},
		"linear":   {"factor": 2.0},
		"dynamic":  {"factor": 2.0},
		"yarn":     {"factor": 2.0, "original_max_position_embeddings": 32},
		"llama3":   {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 32},
		"longrope": {"short_factor": []float64{1, 1, 1, 1, 1, 1, 1, 1}, "long_factor": eight, "factor": 2.0, "original_max_position_embeddings": 32},
	} {
		t.Run(name, func(t *testing.T) {
			parameters := map[string]any{"rope_theta": 300.0, "rope_type": name}
			maps.Copy(parameters, rope)
			dir := variantOf(t, model, map[string]any{"rope_parameters": parameters})
			score := func(o eval.Options) *eval.Result {
				m := open(t, dir, o)
				r, err := m.Score(t.Context(), ids, eval.ScoreOptions{})
				if err != nil {
					t.Fatal(err)
				}
				if o.Runner == eval.RunnerORT && !m.InPlace() {
					t.Error("the graph does not write its cache in place")
				}
				return r
			}
			want := score(eval.Options{Runner: eval.RunnerRef})
			if !want.Beyond {
				t.Errorf("%d positions are not beyond %d", positions, want.TrainedLength)
			}
			for _, chunk := range []int{0, 7} {
				got := score(eval.Options{Runner: eval.RunnerORT, Chunk: chunk})
				for b, x := range got.Buckets {
					close64(t, "perplexity", x.PPL, float64(want.Buckets[b].PPL), 1e-5*float64(x.PPL))
				}
			}
		})
	}
}
