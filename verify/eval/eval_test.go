package eval_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/verify/eval"
	"github.com/pecvt/pecvt/verify/eval/tokens"
	"github.com/pecvt/pecvt/verify/ort/orttest"
)

// quick evaluates stories260K in ONNX Runtime.
func quick(t *testing.T, c eval.Config) *eval.Report {
	t.Helper()
	orttest.Require(t)
	if c.IDs == "" && c.Texts == nil {
		c.IDs = storyIDs
	}
	r, err := eval.Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestRun: results in order, the source first, and the same figures whether
// models run in lock-step or alone.
func TestRun(t *testing.T) {
	scaled := variant(t, map[string]any{"rope_theta": 20000.0})
	last := 0
	r := quick(t, eval.Config{Models: []string{scaled}, Against: stories, Lengths: []int{256, 64}, Sequences: 3, Copy: 2, Seed: 5,
		Progress: func(p eval.Progress) {
			if p.Done <= last || p.Done > p.Total {
				t.Errorf("%d of %d tokens after %d", p.Done, p.Total, last)
			}
			last = p.Done
		}})
	if last == 0 {
		t.Error("no progress")
	}
	if len(r.Results) != 4 {
		t.Fatalf("%d results, want 4", len(r.Results))
	}
	for i, want := range []struct {
		length int
		source bool
	}{{64, true}, {64, false}, {256, true}, {256, false}} {
		x := r.Results[i]
		if x.Length != want.length || x.Source != want.source || x.Sequences != 3 || x.PPLCI == nil || (x.RatioCI != nil) == want.source {
			t.Errorf("result %d: %+v", i, x)
		}
		if want.source == !math.IsNaN(float64(x.KL)) {
			t.Errorf("result %d: KL %v", i, x.KL)
		}
		if len(x.Copy) == 0 || x.Copy[len(x.Copy)-1].Distance != x.Length-32 {
			t.Errorf("result %d: copy probes %+v", i, x.Copy)
		}
		for _, c := range x.Copy { // a model of 260 thousand weights copies no random string
			if c.Alphabet != 447 || c.Accuracy > .05 || math.Abs(float64(c.NLL/c.First)-1) > .5 || float64(c.First) < math.Log(447) {
				t.Errorf("result %d: copy probe %+v: expected what chance gives", i, c)
			}
		}
		if b := x.Buckets[len(x.Buckets)-1]; b.To != x.Length-2 {
			t.Errorf("result %d: last bucket %+v", i, b)
		}
	}
	alone := quick(t, eval.Config{Models: []string{scaled, stories}, Lengths: []int{256}, Sequences: 3})
	close64(t, "the model alone", alone.Results[0].PPL, float64(r.Results[3].PPL), 1e-9)
	close64(t, "the source alone", alone.Results[1].PPL, float64(r.Results[2].PPL), 1e-9)
	close64(t, "ratio", r.Results[3].Ratio, float64(r.Results[3].PPL/r.Results[2].PPL), 1e-9*float64(r.Results[3].Ratio))
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(raw), `"kl":null`) {
		t.Errorf("a source's KL is not null in %s", raw)
	}
}

// TestSelf: a model is at distance 0 from itself.
func TestSelf(t *testing.T) {
	orttest.Require(t)
	a, b := open(t, stories, eval.Options{Remember: 1 << 26}), open(t, stories, eval.Options{})
	for range 2 { // the second time from what the source remembers
		r, err := b.Score(t.Context(), cut(t, 128)[:2], eval.ScoreOptions{Source: a})
		if err != nil {
			t.Fatal(err)
		}
		if r.KL > 1e-12 || r.Top1 != 1 || r.Ratio != 1 {
			t.Errorf("KL %v, top-1 %v, ratio %v", r.KL, r.Top1, r.Ratio)
		}
	}
}

// TestRememberNowhere: a source that has no room to keep its logits runs again.
func TestRememberNowhere(t *testing.T) {
	nowhere := filepath.Join(t.TempDir(), "none")
	ids := cut(t, 64)[:1]
	a := open(t, stories, eval.Options{Runner: eval.RunnerRef, Remember: 1 << 26, TempDir: nowhere})
	b := open(t, stories, eval.Options{Runner: eval.RunnerRef})
	for range 2 {
		r, err := b.Score(t.Context(), ids, eval.ScoreOptions{Source: a})
		if err != nil {
			t.Fatal(err)
		}
		if r.KL > 1e-12 || r.Top1 != 1 || !(r.PPL > 1) {
			t.Errorf("KL %v, top-1 %v, perplexity %v", r.KL, r.Top1, r.PPL)
		}
	}
}

// TestRememberedFile: what is remembered lies in the folder given, and no name
// of it stays.
func TestRememberedFile(t *testing.T) {
	dir := t.TempDir()
	ids := cut(t, 64)[:2]
	a := open(t, stories, eval.Options{Runner: eval.RunnerRef, Remember: 1 << 26, TempDir: dir})
	b := open(t, stories, eval.Options{Runner: eval.RunnerRef})
	var first, second *eval.Result
	for _, r := range []**eval.Result{&first, &second} {
		var err error
		if *r, err = b.Score(t.Context(), ids, eval.ScoreOptions{Source: a}); err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(first.Buckets, second.Buckets) || first.PPL != second.PPL || first.KL != second.KL {
		t.Errorf("run %+v, remembered %+v", first, second)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

// TestBeyond: sequences longer than the trained length run, and say so.
func TestBeyond(t *testing.T) {
	row := make([]int64, 1400)
	for i := range row {
		row[i] = int64(3 + i*i%500)
	}
	r := quick(t, eval.Config{Models: []string{stories}, IDs: idsFile(t, row), Lengths: []int{512, 700}})
	if r.Results[0].Beyond || !r.Results[1].Beyond || r.Results[1].Sequences != 2 || !(r.Results[1].PPL > 1) {
		t.Errorf("%+v\n%+v", r.Results[0], r.Results[1])
	}
}

func idsFile(t *testing.T, row []int64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ids.safetensors")
	infos, err := safetensors.Layout([]safetensors.Info{{Name: "input_ids", DType: tensor.I64, Shape: []int64{1, int64(len(row))}}})
	if err != nil {
		t.Fatal(err)
	}
	raw := make([]byte, 8*len(row))
	for i, id := range row {
		raw[8*i], raw[8*i+1] = byte(id), byte(id>>8)
	}
	w, err := safetensors.Create(path, infos, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.WriteTensor("input_ids", raw); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestNothingLeft: no temporary graph stays behind, whatever ends the work.
func TestNothingLeft(t *testing.T) {
	orttest.Require(t)
	temp := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	c := eval.Config{Models: []string{stories}, IDs: storyIDs, Lengths: []int{64}, Options: eval.Options{TempDir: temp},
		Progress: func(eval.Progress) { cancel() }}
	if _, err := eval.Run(ctx, c); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want a cancelled context", err)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("%v is left behind (%v)", left, err)
	}
}

// TestErrors: what cannot be measured is refused with the reason.
func TestErrors(t *testing.T) {
	dir := t.TempDir()
	text, binary := filepath.Join(dir, "text.txt"), filepath.Join(dir, "binary")
	write(t, text, []byte("a short text\n"))
	write(t, binary, []byte("a\xffb"))
	small := "tokens/testdata/gpt2.json"
	for _, c := range []struct {
		want string
		eval.Config
	}{
		{"has 3072 tokens in 6 texts or rows, the longest of 512, and no sequence crosses two: too short for a sequence of 513", eval.Config{IDs: storyIDs, Lengths: []int{513}}},
		{"make 6 sequences of 512: Config.Sequences 7", eval.Config{IDs: storyIDs, Lengths: []int{512}, Sequences: 7}},
		{"no tokenizer.json", eval.Config{Texts: []string{text}, Lengths: []int{4}}},
		{"gives ids up to", eval.Config{Texts: []string{text}, Tokenizer: small, Lengths: []int{4}}},
		{"byte 1 is not UTF-8", eval.Config{Texts: []string{binary}, Tokenizer: small, Lengths: []int{4}, Models: []string{wide(t)}}},
		{"has a vocabulary of 1024", eval.Config{IDs: storyIDs, Lengths: []int{4}, Against: wide(t)}},
		{"no such file", eval.Config{Texts: []string{filepath.Join(dir, "none")}, Tokenizer: small, Lengths: []int{4}, Models: []string{wide(t)}}},
		{"expected 2 or more", eval.Config{IDs: storyIDs, Lengths: []int{1}}},
		{"either texts or ids", eval.Config{Lengths: []int{4}}},
	} {
		if c.Models == nil {
			c.Models = []string{stories}
		}
		c.Options.Runner = eval.RunnerRef
		_, err := eval.Run(t.Context(), c.Config)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v: want one with %q", err, c.want)
		}
	}
	if _, err := tokens.Load(stories); !errors.Is(err, tokens.ErrNone) {
		t.Errorf("error %v, want ErrNone", err)
	}
}

// wide is stories260K with a vocabulary of 1024: its weights are zeros but for
// the norms.
func wide(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	src, err := safetensors.Open(stories + "/model.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var infos []safetensors.Info
	for _, i := range src.Tensors() {
		if i.Shape[0] == 512 {
			i.Shape = []int64{1024, i.Shape[1]}
		}
		infos = append(infos, i)
	}
	if infos, err = safetensors.Layout(infos); err != nil {
		t.Fatal(err)
	}
	w, err := safetensors.Create(filepath.Join(dir, "model.safetensors"), infos, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range infos {
		if err := w.WriteTensor(i.Name, make([]byte, i.End-i.Begin)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(stories + "/config.json")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "config.json"), []byte(strings.Replace(string(raw), `"vocab_size": 512`, `"vocab_size": 1024`, 1)))
	return dir
}

// TestText: a text through a tokenizer, with a first token, by a model whose
// every distribution is uniform.
func TestText(t *testing.T) {
	model := wide(t)
	r := quick(t, eval.Config{Models: []string{model}, Texts: []string{"tokens/testdata/text.txt"}, Tokenizer: "tokens/testdata/gpt2.json", BOS: true, Lengths: []int{100}})
	x := r.Results[0]
	close64(t, "ppl of uniform distributions", x.PPL, 1024, 1e-6)
	if r.BOS == nil || *r.BOS != 1 || x.Sequences != 8 || r.TokensRead < 2000 {
		t.Errorf("%+v, %+v", r, x)
	}
}

// TestPlot: both kinds of picture are written.
func TestPlot(t *testing.T) {
	r := quick(t, eval.Config{Models: []string{variant(t, map[string]any{"rope_theta": 20000.0})}, Against: stories, Lengths: []int{64, 128}, Sequences: 2})
	for kind, magic := range map[string]string{".png": "\x89PNG", ".svg": "<?xml"} {
		var raw bytes.Buffer
		if err := r.Plot(&raw, kind); err != nil || !strings.HasPrefix(raw.String(), magic) || raw.Len() < 5000 {
			t.Errorf("%s: %d bytes, error %v", kind, raw.Len(), err)
		}
	}
	if err := r.Plot(io.Discard, ".gif"); err == nil {
		t.Error("a .gif is written")
	}
}
