package tune

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/quant/nearest"
	"github.com/pecvt/pecvt/convert/quant/widths"
	"github.com/pecvt/pecvt/convert/recode"
	"github.com/pecvt/pecvt/convert/retrofit"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/posenc/hint"
)

// What maps' inputs are taken from: so many tokens, in sequences of at most so many.
const (
	roundingTokens = 8192
	roundingLength = 1024
)

// StageRound is the progress of rounding: Layer of Layers is done.
const StageRound = "round"

// RoundingEngine runs models for a rounding.
type RoundingEngine interface {
	Engine
	// Watch is Walk, and shows what linear maps read.
	Watch(m *family.Model, src family.Source) recode.Walk
}

// Rounding makes the codes of a checkpoint's linear maps by a text, and measures the graph
// that has them against the source, on the end of the text, which serves nothing else.
type Rounding struct {
	// Model is the one that the result is measured against.
	Model string
	// Scheme is that of linear maps, Head what embedding and head are
	// ([widths.Heads]).
	Scheme nearest.Scheme
	Head   string
	Text   Source
	// MeasureTokens are about how many tokens at the end are measured on; 0 is
	// DefaultMeasureTokens.
	MeasureTokens int
	// Budget, where not nil, bounds what is measured; OverBudget takes a worse result too.
	Budget     *retrofit.Budget
	OverBudget bool
	Engine     RoundingEngine
	// Progress, where not nil, is told of StageRound and StageScore.
	Progress func(retrofit.Progress)

	text  *Text
	parts *Division
	meter Meter
}

// Rounded is what a rounding did.
type Rounded struct {
	// Scheme names the codes, Maps of whose linear maps were fitted; ErrorShare is what
	// they keep of the outputs' squared error that rounding to nearest makes on the text.
	Scheme     string  `json:"scheme"`
	Maps       int     `json:"maps"`
	ErrorShare float64 `json:"error_share"`
	// Tokens were read for it.
	Tokens int `json:"tokens"`
	// Measured is the graph against the source on tokens that the fit did not read.
	Measured       retrofit.Measured `json:"measured"`
	MeasuredLength int               `json:"measured_length"`
	MeasuredBy     string            `json:"measured_by"`
	Budget         string            `json:"budget,omitempty"`
	OverBudget     bool              `json:"over_budget,omitempty"`
	Seconds        float64           `json:"seconds"`
}

// Open reads the text and readies what measures: what can fail does so before any work.
// folder is for temporary files.
func (r *Rounding) Open(ctx context.Context, folder string) error {
	src, err := store.Open(r.Model)
	if err != nil {
		return err
	}
	defer src.Close()
	m, err := families.Load(src)
	if err != nil {
		return err
	}
	if r.text, err = r.Text.Tokens(ctx, src.Root(), m.Vocab); err != nil {
		return err
	}
	length := roundingLength
	if m.TrainedLength > 0 {
		length = min(length, m.TrainedLength)
	}
	if r.parts, err = r.text.Divide(length, r.MeasureTokens); err != nil {
		return err
	}
	if r.meter, err = r.Engine.Meter(ctx, r.Model, MeterOptions{Sequences: r.parts.Measured, Folder: folder}); err != nil {
		return err
	}
	if by := r.meter.Runner(); by == "ref" {
		r.meter.Close()
		return hint.Errorf("%s %s with a text: the reference runs the checkpoint's own weights, and what is measured is the graph of their codes: ONNX Runtime is needed; name it with %s", hint.Weights, r.Scheme, hint.ORTLibrary)
	}
	return nil
}

// Texts says, as JSON, which tokens of which files an opened rounding reads: what a graph
// of its codes records.
func (r *Rounding) Texts() (string, error) {
	text, err := json.Marshal(r.text.uses(0, tokenCount(r.sequences()), "rounding"))
	if err != nil {
		return "", fmt.Errorf("the texts of a rounding: %w", err)
	}
	return string(text), nil
}

// sequences are what the maps' inputs are taken from.
func (r *Rounding) sequences() [][]int64 {
	length := len(r.parts.Measured[0])
	return chunks(r.parts.Fit, length, max(1, roundingTokens/length))
}

// Close ends what measures.
func (r *Rounding) Close() {
	if r.meter != nil {
		r.meter.Close()
	}
}

// Write makes the codes of the checkpoint in dir, has emit write a graph with them there,
// and measures it. A result over the budget is a [BudgetError].
func (r *Rounding) Write(ctx context.Context, dir string, emit func(code func(w family.Weight) recode.Row) error) (*Rounded, error) {
	begin := time.Now()
	src, err := store.Open(dir)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	m, err := families.Load(src)
	if err != nil {
		return nil, err
	}
	length := len(r.parts.Measured[0])
	sequences := r.text.begun(r.sequences())
	schemes, err := widths.New(m, src, r.Scheme, r.Head)
	if err != nil {
		return nil, err
	}
	codes, err := recode.Make(ctx, m, src, r.Engine.Watch(m, src), recode.Options{Schemes: schemes, Sequences: sequences, Folder: filepath.Dir(dir), Progress: func(done, layers int) {
		r.tell(retrofit.Progress{Stage: StageRound, Layer: done, Layers: layers, Seconds: left(begin, done, layers)})
	}})
	if err != nil {
		return nil, err
	}
	defer codes.Close()
	if err := emit(codes.Code); err != nil {
		return nil, err
	}
	out := &Rounded{Scheme: r.Scheme.String(), Maps: codes.Maps, Tokens: tokenCount(sequences), MeasuredLength: length, MeasuredBy: r.meter.Runner(), Seconds: time.Since(begin).Seconds()}
	if e := codes.Errors; e.Nearest > 0 {
		out.ErrorShare = sixDigits(e.Chosen / e.Nearest)
	}
	begin = time.Now()
	measured, err := r.meter.Measure(ctx, dir, func(done, total int) {
		r.tell(retrofit.Progress{Stage: StageScore, Layer: 1, Step: done, Steps: total, Seconds: left(begin, done, total)})
	})
	if err != nil {
		return nil, err
	}
	out.Measured = retrofit.Measured{PPL: sixDigits(measured.PPL), SourcePPL: sixDigits(measured.SourcePPL), KL: sixDigits(measured.KL)}
	if b := r.Budget; b != nil {
		out.Budget, out.OverBudget = b.String(), !b.Holds(out.Measured)
		if out.OverBudget && !r.OverBudget {
			return nil, &BudgetError{Measured: out.Measured, Length: length, Budget: *b, Rounded: true}
		}
	}
	return out, nil
}

func (r *Rounding) tell(p retrofit.Progress) {
	if r.Progress != nil {
		r.Progress(p)
	}
}

// left is the estimated rest of what has done so much of all.
func left(begin time.Time, done, all int) float64 {
	if done == 0 {
		return -1
	}
	return time.Since(begin).Seconds() / float64(done) * float64(all-done)
}

// String says what was found.
func (r *Rounded) String() string {
	over := ""
	if r.OverBudget {
		over = "; OVER the budget " + r.Budget
	}
	return fmt.Sprintf("%s: %d linear maps fitted to %d tokens, %.0f%% of the error of rounding to nearest\nmeasured: %s at %d positions%s", r.Scheme, r.Maps, r.Tokens, 100*r.ErrorShare, r.Measured, r.MeasuredLength, over)
}
