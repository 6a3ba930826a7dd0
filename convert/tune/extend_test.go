package tune_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/retrofit"
	"github.com/pecvt/pecvt/convert/tune"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
)

// extended is a quick job that reaches twice the trained length.
func extended(out string) tune.Job {
	j := quick(out)
	j.Select, j.Options.Extend = nil, 2
	j.Calibrate = &tune.Calibrate{Length: 256, Tokens: 1600, Steps: 3}
	return j
}

// TestExtended: the result says how far it reaches, was fitted for it, and is measured
// there on tokens that no fit read; so too with spectra by layer and head.
func TestExtended(t *testing.T) {
	const all = 6 * 512
	yarn := posenc.Scale{Kind: "yarn", Factor: 2}
	for _, c := range []struct {
		selects, calibrates bool
		scale               posenc.Scale
		queries             float64
	}{{false, true, posenc.Scale{}, 0}, {true, true, posenc.Scale{}, 0}, {true, true, yarn, 0}, {true, false, yarn, 0}, {false, true, posenc.Scale{}, .1}, {true, false, yarn, .1}} {
		out := filepath.Join(t.TempDir(), "out")
		job := extended(out)
		job.Options.Scale, job.Options.QueryScale = c.scale, c.queries
		if c.selects {
			job.Select = &tune.Select{Budget: retrofit.Budget{Kind: retrofit.BudgetPlanes, Value: .3}, Length: 64}
		}
		if !c.calibrates {
			job.Calibrate = nil
		}
		r, err := job.Convert(t.Context(), convert.RunOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Notes) > 2 { // of the reference that measures, and of rows below L on joined sequences
			t.Errorf("notes %v", r.Notes)
		}
		about, err := convert.Inspect(out)
		if err != nil || about.MaxPositions != 1024 || about.Family != "llama" {
			t.Errorf("%+v, %v", about, err)
		}
		if q := about.QueryScale; (q != nil) != (c.queries != 0) || q != nil && *q != (family.QueryScale{Beta: c.queries, Length: 512}) {
			t.Errorf("%+v: queries are scaled by %v", c, q)
		}
		if far := r.Tuning.Reached; far == nil || far.Length != 1024 || far.Piece != 512 || !(far.PPL > 1) || !(far.SourcePPL > 1) {
			t.Errorf("reached %+v", far)
		}
		if c.calibrates {
			if l := r.Tuning.Calibration.Layers[0].ByLength[0]; l.Length != 1024 {
				t.Errorf("fitted for %+v", l)
			}
		}
		i := slices.IndexFunc(r.Tuning.Texts, func(x convert.Text) bool { return x.Use == "reach" })
		if i < 0 || r.Tuning.Texts[i].First != all-1024 || r.Tuning.Texts[i].Tokens != 1024 {
			t.Errorf("texts %+v", r.Tuning.Texts)
		}
		for _, x := range r.Tuning.Texts {
			if x.Use != "reach" && x.Use != "measure" && x.First+x.Tokens > all-1024 {
				t.Errorf("%+v reads of what is measured", x)
			}
		}
	}
}

// TestExtendedText: a text that is too short to be fitted on is refused before the work,
// one that is too short to be measured at that length too is said.
func TestExtendedText(t *testing.T) {
	job := extended(filepath.Join(t.TempDir(), "out"))
	job.Options.Extend = 6
	if _, err := job.Run(t.Context()); err == nil || !slices.Contains(hint.Of(err), hint.Extend) || !strings.Contains(err.Error(), "6 times the trained length 512") {
		t.Errorf("too short: %v", err)
	}
	job = extended(filepath.Join(t.TempDir(), "out"))
	job.Calibrate.Tokens = 2400
	r, err := job.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	if r.Tuning.Reached != nil || !slices.ContainsFunc(r.Notes, func(n string) bool { return strings.Contains(n, "not at the 1024") }) {
		t.Errorf("%+v, notes %v", r.Tuning.Reached, r.Notes)
	}
	job = extended(filepath.Join(t.TempDir(), "out"))
	job.Calibrate, job.Select = nil, quick("").Select
	if _, err := job.Run(t.Context()); err == nil || !slices.Contains(hint.Of(err), hint.Extend) {
		t.Errorf("without a calibration: %v", err)
	}
}

// far is an Engine whose results do badly beyond the trained length alone.
type far struct{ *counting }

type farMeter struct{ tune.Meter }

func (e far) Meter(ctx context.Context, source string, o tune.MeterOptions) (tune.Meter, error) {
	m, err := e.counting.Meter(ctx, source, o)
	return farMeter{m}, err
}

func (farMeter) Measure(context.Context, string, func(done, total int)) (retrofit.Measured, error) {
	return retrofit.Measured{PPL: 10.1, SourcePPL: 10, KL: .01}, nil
}

func (farMeter) Reach(_ context.Context, _ string, whole []int64, pieces [][]int64, _ func(done, total int)) (retrofit.Reached, error) {
	return retrofit.Reached{PPL: 12.6, SourcePPL: 10, Length: len(whole), Piece: len(pieces[0])}, nil
}

// TestBudgetBeyond: a perplexity beyond the trained length is held against the budget.
func TestBudgetBeyond(t *testing.T) {
	for _, c := range []struct {
		budget retrofit.Budget
		over   bool
	}{
		{retrofit.Budget{Kind: retrofit.BudgetPPL, Value: .25}, true},
		{retrofit.Budget{Kind: retrofit.BudgetPPL, Value: .27}, false},
		{retrofit.Budget{Kind: retrofit.BudgetKL, Value: .02}, false},
	} {
		job := extended(filepath.Join(t.TempDir(), "out"))
		job.Engine, job.OverBudget, job.Budget = far{reference()}, false, &c.budget
		r, err := job.Run(t.Context())
		if err == nil {
			r.Close()
		}
		var over *tune.BudgetError
		switch {
		case c.over && (!errors.As(err, &over) || over.Reached == nil || !errors.Is(err, retrofit.ErrBudget)):
			t.Errorf("%s: %v", c.budget, err)
		case !c.over && (err != nil || r.Tuning.OverBudget):
			t.Errorf("%s: %v", c.budget, err)
		}
	}
}
