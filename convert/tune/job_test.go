package tune_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/fsio"
	"github.com/pecvt/pecvt/convert/retrofit"
	"github.com/pecvt/pecvt/convert/tune"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/verify/eval"
)

const stories = "../../testdata/models/stories260K"

// counting is an engine that counts what it is asked for.
type counting struct {
	eval.Engine
	walks, meters int
}

func (e *counting) Walk(m *family.Model, src family.Source) retrofit.Walk {
	e.walks++
	return e.Engine.Walk(m, src)
}

func (e *counting) Meter(ctx context.Context, source string, o tune.MeterOptions) (tune.Meter, error) {
	e.meters++
	return e.Engine.Meter(ctx, source, o)
}

func reference() *counting {
	return &counting{Engine: eval.Engine{Options: eval.Options{Runner: eval.RunnerRef}}}
}

// quick is a job of a few seconds that selects and calibrates into out.
func quick(out string) tune.Job {
	return tune.Job{
		Model:         stories,
		Options:       convert.Options{To: "hope", Output: out},
		Select:        &tune.Select{Budget: retrofit.Budget{Kind: retrofit.BudgetPlanes, Value: .5}, By: retrofit.ByModel, Length: 64},
		Calibrate:     &tune.Calibrate{Length: 64, Tokens: 256, Steps: 3},
		OverBudget:    true,
		Text:          eval.Texts{IDs: filepath.Join(stories, "sampled.safetensors")},
		MeasureTokens: 64,
		Seed:          1,
		Engine:        reference(),
	}
}

// contents are a folder's files with their bytes.
func contents(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err == nil {
			files[rel], err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestInterruptedJob goes on from what it kept, to the bytes of one that was not.
func TestInterruptedJob(t *testing.T) {
	dir := t.TempDir()
	whole, err := quick(filepath.Join(dir, "whole")).Convert(context.Background(), convert.RunOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if s := whole.Tuning.Selection; s == nil || len(s.Dropped) == 0 {
		t.Errorf("nothing was selected: %+v", s)
	}

	job := quick(filepath.Join(dir, "parts"))
	ctx, cancel := context.WithCancel(context.Background())
	job.Progress = func(p retrofit.Progress) {
		if p.Stage == "calibrate" && p.Layer == 3 {
			cancel()
		}
	}
	_, err = job.Run(ctx)
	var kept *tune.KeptError
	if !errors.Is(err, context.Canceled) || !errors.As(err, &kept) {
		t.Fatalf("interrupted: %v", err)
	}
	if want := filepath.Join(dir, "parts.calibration"); kept.Folder != want {
		t.Errorf("kept in %s, want %s", kept.Folder, want)
	}
	for _, name := range []string{"selection.json", "layer-00001.json"} {
		if _, err := os.Stat(filepath.Join(kept.Folder, name)); err != nil {
			t.Error(err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 { // whole, parts.calibration
		t.Errorf("left behind: %v, %v", entries, err)
	}

	engine := reference()
	job.Engine = engine
	again := map[int]bool{}
	job.Progress = func(p retrofit.Progress) {
		if p.Stage == "costs" {
			t.Error("the costs are measured again")
		}
		if p.Stage == "calibrate" {
			again[p.Layer] = true
		}
	}
	parts, err := job.Convert(context.Background(), convert.RunOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if again[1] || again[2] || !again[5] || engine.walks != 1 || engine.meters != 1 {
		t.Errorf("fitted again: layers %v, %d walks, %d meters", again, engine.walks, engine.meters)
	}
	a, b := contents(t, filepath.Join(dir, "whole")), contents(t, filepath.Join(dir, "parts"))
	if len(a) != len(b) || len(a) < 3 {
		t.Errorf("%d files and %d", len(a), len(b))
	}
	for name := range a {
		if !bytes.Equal(a[name], b[name]) {
			t.Errorf("%s differs", name)
		}
	}
	if parts.Tuning.Measured.PPL != whole.Tuning.Measured.PPL {
		t.Errorf("measured %v and %v", parts.Tuning.Measured, whole.Tuning.Measured)
	}
	if _, err := os.Stat(kept.Folder); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the work folder stays: %v", err)
	}
}

// TestJobOfOtherOptions does not take kept work for its own.
func TestJobOfOtherOptions(t *testing.T) {
	job := quick(filepath.Join(t.TempDir(), "out"))
	job.OverBudget, job.Budget = false, &retrofit.Budget{Kind: retrofit.BudgetKL}
	_, err := job.Run(context.Background())
	var over *tune.BudgetError
	var kept *tune.KeptError
	if !errors.Is(err, retrofit.ErrBudget) || !errors.As(err, &over) || !errors.As(err, &kept) {
		t.Fatalf("over the budget: %v", err)
	}
	if over.Length != 64 || !over.Calibrated || !(over.Measured.KL > 0) {
		t.Errorf("found %+v", over)
	}
	job.Seed = 2
	if _, err := job.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "holds a selection of another model or text, or with other options") {
		t.Errorf("another seed: %v", err)
	}
}

// TestSelectionOfOtherScaling: planes that were chosen by what they cost at one scaling are
// not taken for those of another, though the planes above the cut turn alike in both.
func TestSelectionOfOtherScaling(t *testing.T) {
	job := quick(filepath.Join(t.TempDir(), "out"))
	job.Options.Cut = posenc.Cut{Kind: posenc.CutKeep, Keep: 1}
	job.Options.Scale = posenc.Scale{Kind: "yarn", Factor: 2}
	if _, err := job.Divide(t.Context()); err != nil {
		t.Fatal(err)
	}
	job.Options.Scale.Factor = 32
	if _, err := job.Divide(t.Context()); err == nil || !strings.Contains(err.Error(), "holds a selection of another model or text, or with other options") {
		t.Errorf("another scaling: %v", err)
	}
}

// TestRefusedBeforeTheWork: nothing is expected, walked or left.
func TestRefusedBeforeTheWork(t *testing.T) {
	refusal := errors.New("no graph")
	for _, c := range []struct {
		name string
		edit func(j *tune.Job)
		want string
	}{
		{"nothing to do", func(j *tune.Job) { j.Select, j.Calibrate = nil, nil }, "neither Select nor Calibrate"},
		{"no text", func(j *tune.Job) { j.Text = nil }, "no Text"},
		{"no engine", func(j *tune.Job) { j.Engine = nil }, "no Engine"},
		{"no budget", func(j *tune.Job) { j.Select.Budget = retrofit.Budget{} }, "Select.Budget is missing"},
		{"no choice", func(j *tune.Job) { j.Options.To = "nope" }, `"nope" has no choice`},
		{"a share bounds no measurement", func(j *tune.Job) { j.Budget = &j.Select.Budget }, "bounds what is measured"},
		{"too short", func(j *tune.Job) { j.Select.Length = 15 }, "Select.Length 15: expected 16 or more"},
		{"too many steps", func(j *tune.Job) { j.Calibrate.Steps = 1e6 }, "Calibrate.Steps 1000000"},
		{"too many copies", func(j *tune.Job) { j.Calibrate.Copies = .6 }, "a share of at most a half"},
		{"exact", func(j *tune.Job) { j.Select, j.Options.To = nil, "rope" }, "Options.To rope is exact here: there is nothing to select or to calibrate"},
		{"a text that is too short", func(j *tune.Job) { j.Select.Length = 2048 }, "the text has 3072 tokens: at a length of 2048 at least 4096 are needed"},
		{"more than the rest", func(j *tune.Job) { j.Calibrate.Tokens = 9999 }, "Calibrate.Tokens 9999 asks for more than the rest"},
		{"a form that cannot be used", func(j *tune.Job) { j.Rehearse = func(*convert.Plan) error { return refusal } }, "no graph"},
	} {
		dir := t.TempDir()
		job := quick(filepath.Join(dir, "out"))
		engine := reference()
		job.Engine = engine
		job.Expect = func(tune.Estimate, []string) { t.Errorf("%s: the work began", c.name) }
		c.edit(&job)
		if _, err := job.Run(context.Background()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 || engine.walks > 0 {
			t.Errorf("%s: left %v (%v), %d walks", c.name, entries, err, engine.walks)
		}
	}
}

// TestJobAtOnce: a second job with the target of one that works is refused before it
// begins, leaves the first alone, and may begin when that has ended.
func TestJobAtOnce(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	first := quick(out)
	tried := false
	first.Progress = func(p retrofit.Progress) {
		if tried || p.Stage != "calibrate" {
			return
		}
		tried = true
		second := quick(out)
		engine := reference()
		second.Engine = engine
		_, err := second.Run(context.Background())
		if !errors.Is(err, fsio.ErrClaimed) || !strings.Contains(err.Error(), "another run calibrates it") || !strings.Contains(err.Error(), out+".calibration") {
			t.Errorf("beside another: %v", err)
		}
		if engine.walks > 0 || engine.meters > 0 {
			t.Error("the second one's work began")
		}
	}
	r, err := first.Run(context.Background())
	if err != nil || !tried {
		t.Fatalf("%v, tried %v", err, tried)
	}
	third := quick(out)
	if _, err := third.Run(context.Background()); !errors.Is(err, fsio.ErrClaimed) {
		t.Errorf("before the result is written: %v", err)
	}
	r.Close()
	if r, err = third.Run(context.Background()); err != nil {
		t.Fatalf("after the first was left: %v", err)
	}
	p, err := r.Plan()
	if err == nil {
		_, err = r.Write(context.Background(), p, convert.RunOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(out + ".calibration"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the work folder stays: %v", err)
	}
}
