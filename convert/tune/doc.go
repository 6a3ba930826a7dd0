// Package tune does the job around package retrofit: it chooses the planes of
// a lossy conversion, refits its layers, measures the result on text that
// nothing else read, and holds it against a budget. A Job is one conversion, a
// Sweep lists what each plane and each cut would cost. Nothing prints: progress,
// expectations, notes and results are values.
//
//	r, err := tune.Job{
//		Model:     "model",
//		Options:   convert.Options{To: "hope"},
//		Calibrate: &tune.Calibrate{},
//		Text:      eval.Texts{Files: []string{"book.txt"}},
//		Engine:    eval.Engine{},
//	}.Convert(ctx, convert.RunOptions{})
//
// # What is given to it
//
// Models are run elsewhere: Engine has the walk through the source's layers
// that costs and fits read, and the Meter that scores what a conversion becomes.
// Token ids come from a Source of text: a *Text of ids that are there already,
// or one that reads files with a tokenizer. verify/eval has an Engine and a
// Source; another program may bring its own.
//
// # How a text is divided
//
// A Text is one stream of tokens, file after file. With T the larger of the
// lengths of selection and calibration, N sequences of T tokens at its end are
// measured on and serve nothing else, N = MeasureTokens/T, at least 1, at most 8
// and at most a third of the text. What is before them serves, from its front,
// the costs (8192 tokens, 1 to 4 sequences) and the calibration; these two may
// overlap.
//
// # Going on
//
// A calibration keeps what is done in a folder beside the target, its name the
// target's with ".calibration": the selection, and layer by layer the fit. The
// same job finds it there and goes on, to the same bytes as at one go; work of
// another model, text or other options is refused, and so is a job whose folder
// another works in, without waiting. The folder goes when the result is written. An error after which it stays is a KeptError. Everything
// else is in a temporary folder that no way out leaves behind.
//
// # Names
//
// Messages that speak of a field of Job or Sweep spell it as package hint does, so
// that a program with other names for them (flags, keys of a file) can say them
// in its own.
//
// # Stability
//
// Job, Sweep, Text and what they return are meant to stay. Engine and Meter grow
// when a measurement needs more. What a work folder holds is not for others to
// read, and may change with the version.
package tune
