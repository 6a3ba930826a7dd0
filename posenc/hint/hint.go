// Package hint names the options that messages speak of, in the terms of the
// library: the field of a struct that a Go program fills. A program with other
// names for them, such as the command with its flags, says them in its own.
//
// Field is stable: a message that names an option holds one of the constants
// below, as it stands.
package hint

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Field is an option as a message spells it.
type Field string

// The options of a conversion (convert.Options and rewrite.Options), of a run of
// it, of selecting, calibrating and sweeping (tune.Job, tune.Sweep), of a graph
// (onnxops.Options), of a verification and of an evaluation
// (eval.Config). Untyped,
// they are parts of a text and Fields alike.
const (
	To           = "Options.To"
	TrainLength  = "Options.TrainLength"
	Cut          = "Options.Cut"
	Scale        = "Options.Scale"
	Extend       = "Options.Extend"
	QueryScale   = "Options.QueryScale"
	Slope        = "Options.Slope"
	Layers       = "Options.Layers"
	Layout       = "Options.Layout"
	Spelling     = "Options.Spelling"
	For          = "Options.For"
	Hash         = "Options.Hash"
	Link         = "Options.Link"
	Copy         = "Options.Copy"
	Format       = "Options.Format"
	GGUFType     = "Options.GGUFType"
	MaxShardSize = "Options.MaxShardSize"
	Replace      = "RunOptions.Force"
	Durable      = "RunOptions.Durable"
	NoGraph      = "a nil RunOptions.Finish"
	IgnoreKeys   = "Options.IgnoreKeys"

	Select          = "Job.Select"
	SelectLength    = "Job.Select.Length"
	Calibrate       = "Job.Calibrate"
	CalibrateLength = "Job.Calibrate.Length"
	CalibrateTokens = "Job.Calibrate.Tokens"
	CalibrateFit    = "Job.Calibrate.Fit"
	SweepLength     = "Sweep.Length"

	Attention  = "Options.Attention"
	Bias       = "Options.Bias"
	Placement  = "Options.Placement"
	Weights    = "Options.Weights"
	Block      = "Coding.Block"
	ZeroPoints = "Coding.ZeroPoints"
	Head       = "Coding.Head"
	Accuracy   = "Coding.Accuracy"
	MaxLength  = "Options.MaxLength"
	Portable   = "Options.Portable"
	Opset      = "Options.Opset"
	Linear     = "Options.Linear"
	Cache      = "Options.Cache"
	DType      = "Options.DType"
	Logits     = "Options.Logits"

	Against     = "Options.Against"
	Golden      = "Options.Golden"
	IDs         = "Options.IDs"
	Tokens      = "Options.Tokens"
	DriftTokens = "Options.DriftTokens"
	Provider    = "Options.Provider"
	OptLevel    = "Options.OptLevel"
	ORTLibrary  = "Options.ORTLibrary"
	OpsLibrary  = "Options.OpsLibrary"
	Require     = "Options.Require"
	Bisect      = "Options.Bisect"
	Extract     = "Options.Extract"
	Force       = "Options.Force"
	MaxMem      = "Options.MaxMem"
	Seed        = "Options.Seed"

	ImportDType = "ImportOptions.DType"
	NoTokenizer = "ImportOptions.NoTokenizer"

	Scored        = "Config.IDs"
	EvalAgainst   = "Config.Against"
	Compare       = "Config.Compare"
	CopyStrings   = "Config.Copy"
	CopyDistances = "Config.CopyDistances"
	BOS           = "Config.BOS"
	Tokenizer     = "Config.Tokenizer"
	Lengths       = "Config.Lengths"
	Sequences     = "Config.Sequences"

	MaxTokens   = "Options.MaxTokens"
	Temperature = "Sampling.Temperature"
	TopK        = "Sampling.TopK"
	TopP        = "Sampling.TopP"
	Chat        = "Job.Chat"

	Contexts = "Config.Contexts"
)

// Fields lists them.
func Fields() []Field {
	return []Field{To, TrainLength, Cut, Scale, Extend, QueryScale, Slope, Layers, Layout, Spelling, For, Hash, Link, Copy, Format, GGUFType, MaxShardSize, Replace, Durable, NoGraph, IgnoreKeys, Attention, Bias, Placement, Weights, Block, ZeroPoints, Head, Accuracy, MaxLength, Portable, Opset, Linear, Cache, DType, Logits,
		Select, SelectLength, Calibrate, CalibrateLength, CalibrateTokens, CalibrateFit, SweepLength,
		Against, Golden, IDs, Tokens, DriftTokens, Provider, OptLevel, ORTLibrary, OpsLibrary, Require, Bisect, Extract, Force, MaxMem, Seed,
		ImportDType, NoTokenizer,
		Scored, EvalAgainst, Compare, CopyStrings, CopyDistances, BOS, Tokenizer, Lengths, Sequences,
		MaxTokens, Temperature, TopK, TopP, Chat,
		Contexts}
}

// Error is an error whose message names options: those at fault, or those that
// help. errors.As finds it.
type Error struct {
	Fields []Field
	cause  error
}

// Errorf is fmt.Errorf for a message that may name options: it returns an *Error
// where it does.
func Errorf(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	fields := In(err.Error())
	if fields == nil {
		return err
	}
	return &Error{Fields: fields, cause: err}
}

func (e *Error) Error() string { return e.cause.Error() }

// Unwrap returns what %w wrapped.
func (e *Error) Unwrap() error { return e.cause }

// Of returns the options that an error names, nil where it names none.
func Of(err error) []Field {
	var e *Error
	if errors.As(err, &e) {
		return e.Fields
	}
	return nil
}

// In returns the options that a text names, each once, in the order of Fields.
func In(text string) []Field {
	var found []Field
	for _, f := range longestFirst() {
		if strings.Contains(text, string(f)) {
			found = append(found, f)
			text = strings.ReplaceAll(text, string(f), "") // others are parts of it
		}
	}
	slices.SortFunc(found, func(a, b Field) int { return slices.Index(Fields(), a) - slices.Index(Fields(), b) })
	return found
}

func longestFirst() []Field {
	list := Fields()
	slices.SortStableFunc(list, func(a, b Field) int { return len(b) - len(a) })
	return list
}

// Naming returns a function that says a text with names of the caller's.
func Naming(name func(Field) string) func(text string) string {
	var pairs []string
	for _, f := range longestFirst() {
		pairs = append(pairs, string(f), name(f))
	}
	return strings.NewReplacer(pairs...).Replace
}
