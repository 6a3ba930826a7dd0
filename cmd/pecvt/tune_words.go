package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pecvt/pecvt/cmd/pecvt/words"
	"github.com/pecvt/pecvt/convert/retrofit"
	"github.com/pecvt/pecvt/convert/tune"
)

// inFlags says an error of a job or a sweep in the command line's words.
func inFlags(err error) error {
	text := err.Error()
	say := func(part error, whole string) { text = strings.Replace(text, part.Error(), whole, 1) }
	var over *tune.BudgetError
	var cheapest *retrofit.CheapestError
	switch {
	case errors.As(err, &over):
		hint := "more --steps or --calib-tokens, or fewer planes (--select) may help"
		switch {
		case over.Rounded:
			hint = "--weights int8, --zero-points float or a smaller --block may help"
		case !over.Calibrated:
			hint = "a larger budget or --calibrate may help"
		}
		say(over, fmt.Sprintf("%v; %s, and --over-budget writes it all the same", over, hint))
	case errors.As(err, &cheapest):
		finer := " or a finer granularity"
		if cheapest.Granularity == retrofit.ByGroup {
			finer = ""
		}
		say(cheapest, fmt.Sprintf("%v; a larger budget%s may help, and --over-budget drops it all the same; to drop more and repair it, give planes=90%% with --calibrate", cheapest, finer))
	}
	var kept *tune.KeptError
	if errors.As(err, &kept) && errors.Is(err, retrofit.ErrBudget) {
		text += ", from which the same command with --over-budget goes on"
	}
	if errors.Is(err, tune.ErrNothing) {
		err = usageError{err}
	}
	return reworded{err, text}
}

// reworded is an error in other words.
type reworded struct {
	error
	text string
}

func (e reworded) Error() string { return e.text }

func (e reworded) Unwrap() error { return e.error }

// expect prints how long work will take and what to know of it.
func (u *ui) expect(e tune.Estimate, notes []string) {
	if u.quiet {
		return
	}
	for _, n := range notes {
		u.note("note: " + words.Say(n))
	}
	u.note(e.String())
}

// stage shows how far a job or a sweep is.
func (u *ui) stage(p retrofit.Progress) { u.step(stageText(p)) }

// stageText is one line of progress.
func stageText(p retrofit.Progress) string {
	rest := time.Duration(p.Seconds * float64(time.Second)).Round(time.Second)
	var text string
	switch p.Stage {
	case tune.StageScore:
		return fmt.Sprintf("measurement %d, %d%%, about %s left of it", p.Layer, 100*p.Step/p.Steps, rest)
	case "calibrate":
		text = fmt.Sprintf("calibrate layer %d of %d, step %d of %d", p.Layer, p.Layers, p.Step, p.Steps)
		if p.After > 0 {
			text += fmt.Sprintf(", attention KL %.3g to %.3g", p.Before, p.After)
		}
	case "measure":
		text = fmt.Sprintf("measurement %d of at most %d", p.Layer, p.Layers)
	case "costs":
		text = fmt.Sprintf("costs of planes, layer %d of %d", p.Layer, p.Layers)
	default:
		text = fmt.Sprintf("%s, layer %d of %d", p.Stage, p.Layer, p.Layers)
	}
	if p.Seconds > 0 {
		text += fmt.Sprintf(", about %s left", rest)
	}
	return text
}
