package tune_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/tune"
	"github.com/pecvt/pecvt/verify/eval"
)

// A text is divided before anything is measured: what the result is measured on
// served nothing else.
func ExampleText_Divide() {
	text := &tune.Text{IDs: make([]int64, 1000)}
	parts, err := text.Divide(100, 250)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(parts.Fit), "tokens for costs and fits")
	fmt.Println(len(parts.Measured), "sequences of", len(parts.Measured[0]), "tokens to measure on")
	// Output:
	// 800 tokens for costs and fits
	// 2 sequences of 100 tokens to measure on
}

// What each plane of a small model does and costs, and what each cut would.
func ExampleSweep() {
	s, err := tune.Sweep{
		Model:   "../../testdata/models/stories260K",
		Options: convert.Options{To: "hope"},
		Text:    eval.Texts{IDs: "../../testdata/models/stories260K/sampled.safetensors"},
		Length:  64,
		Seed:    1,
		Engine:  eval.Engine{},
	}.Run(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range s.Planes {
		fmt.Printf("plane %d: a turn takes %.0f positions, standing still costs %.2g nats\n", p.Plane, *p.Wavelength, p.Cost.Mean)
	}
	for _, c := range s.Cuts {
		fmt.Printf("cut %s drops %d of %d\n", c.Cut, c.Dropped, len(s.Planes))
	}
	// Output:
	// plane 0: a turn takes 6 positions, standing still costs 1.7 nats
	// plane 1: a turn takes 63 positions, standing still costs 1.7 nats
	// plane 2: a turn takes 628 positions, standing still costs 0.05 nats
	// plane 3: a turn takes 6283 positions, standing still costs 0.00052 nats
	// cut k=3 drops 1 of 4
	// cut k=2 drops 2 of 4
	// cut k=1 drops 3 of 4
	// cut k=0 drops 4 of 4
}

// A calibration in a few lines. It is too small to keep any quality, which
// OverBudget takes all the same.
func ExampleJob() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	r, err := tune.Job{
		Model:      "../../testdata/models/stories260K",
		Options:    convert.Options{To: "hope", Output: filepath.Join(dir, "hope")},
		Calibrate:  &tune.Calibrate{Length: 64, Tokens: 256, Steps: 4},
		OverBudget: true,
		Text:       eval.Texts{IDs: "../../testdata/models/stories260K/sampled.safetensors"},
		Seed:       1,
		Engine:     eval.Engine{Options: eval.Options{Runner: eval.RunnerRef}},
		Expect: func(_ tune.Estimate, notes []string) {
			for _, n := range notes {
				fmt.Println("note:", n)
			}
		},
	}.Convert(context.Background(), convert.RunOptions{})
	if err != nil {
		log.Fatal(err)
	}
	for _, l := range r.Tuning.Calibration.Layers {
		fmt.Printf("layer %d: attention KL falls: %t\n", l.Layer, l.Kept)
	}
	for _, t := range r.Tuning.Texts {
		fmt.Printf("%s: %d tokens of %s\n", t.Use, t.Tokens, t.Name)
	}
	fmt.Println("measured by", r.Tuning.MeasuredBy, "at", r.Tuning.MeasuredLength, "positions")
	// Output:
	// note: the calibration reads no sequences of 4 positions, a sixteenth of Job.Calibrate.Length 64: too short to fit attention on
	// layer 0: attention KL falls: true
	// layer 1: attention KL falls: true
	// layer 2: attention KL falls: true
	// layer 3: attention KL falls: true
	// layer 4: attention KL falls: true
	// calibrate: 192 tokens of sampled.safetensors
	// measure: 512 tokens of sampled.safetensors
	// measured by ref at 64 positions
}
