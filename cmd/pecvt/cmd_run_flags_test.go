package main

import (
	"math"
	"slices"
	"testing"

	"github.com/pecvt/pecvt/verify/generate"
)

// TestParseIDs: a list that lost a number is an error, not a shorter prompt.
func TestParseIDs(t *testing.T) {
	for text, want := range map[string][]int64{"1,403,407": {1, 403, 407}, " 1, 2 ": {1, 2}, "1 2": {1, 2}, "7": {7}} {
		if got, err := parseIDs(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v: want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"1,,2", "1,2,", ",", "1,2 3", "-1", "1.5", "x", "99999999999999999999"} {
		if got, err := parseIDs(text); exitCode(t.Context(), err) != exitUsage {
			t.Errorf("%q: %v, %v: want an error of usage", text, got, err)
		}
	}
}

// TestRunFlagsNoNumbers: what is no number is an error of usage, as what is too small is.
func TestRunFlagsNoNumbers(t *testing.T) {
	for _, set := range []func(*generate.Job){
		func(j *generate.Job) { j.Temperature = math.NaN() },
		func(j *generate.Job) { j.Temperature = math.Inf(1) },
		func(j *generate.Job) { j.Temperature, j.TopP = 1, math.NaN() },
	} {
		var j generate.Job
		set(&j)
		cmd := newRun(&app{})
		if err := cmd.Flags().Set("prompt", "x"); err != nil {
			t.Fatal(err)
		}
		j.ORT.Provider = "cpu"
		if err := checkRunFlags(cmd, &j); exitCode(t.Context(), err) != exitUsage {
			t.Errorf("temperature %v, top-p %v: %v: want an error of usage", j.Temperature, j.TopP, err)
		}
	}
}
