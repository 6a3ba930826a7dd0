// Package words says the library's messages in the command line's words: where
// they name an option, the flag that sets it.
package words

import "github.com/pecvt/pecvt/posenc/hint"

// Flags are the flags that set the options, without their dashes.
var Flags = map[hint.Field]string{
	hint.To:           "to",
	hint.TrainLength:  "train-length",
	hint.Cut:          "cut",
	hint.Scale:        "scale",
	hint.Extend:       "extend",
	hint.QueryScale:   "query-scale",
	hint.Slope:        "slope",
	hint.Layers:       "layers",
	hint.Layout:       "layout",
	hint.Spelling:     "spelling",
	hint.For:          "for",
	hint.Hash:         "hash",
	hint.Link:         "link",
	hint.Copy:         "copy",
	hint.Format:       "format",
	hint.GGUFType:     "gguf-type",
	hint.MaxShardSize: "max-shard-size",
	hint.Replace:      "force",
	hint.Durable:      "durable",
	hint.IgnoreKeys:   "ignore-key",
	hint.NoGraph:      "no-onnx",

	hint.Select:          "select",
	hint.SelectLength:    "select-length",
	hint.Calibrate:       "calibrate",
	hint.CalibrateLength: "calib-length",
	hint.CalibrateTokens: "calib-tokens",
	hint.CalibrateFit:    "fit",
	hint.SweepLength:     "length",

	hint.Attention:  "attention",
	hint.Bias:       "bias",
	hint.Placement:  "placement",
	hint.Weights:    "weights",
	hint.Block:      "block",
	hint.ZeroPoints: "zero-points",
	hint.Head:       "head",
	hint.Accuracy:   "accuracy",
	hint.MaxLength:  "max-length",
	hint.Portable:   "portable",
	hint.Opset:      "opset",
	hint.Linear:     "linear",
	hint.Cache:      "cache",
	hint.DType:      "dtype",
	hint.Logits:     "logits",

	hint.Against:     "against",
	hint.Golden:      "golden",
	hint.IDs:         "ids",
	hint.Tokens:      "tokens",
	hint.DriftTokens: "drift-tokens",
	hint.Provider:    "provider",
	hint.OptLevel:    "opt-level",
	hint.ORTLibrary:  "ort-lib",
	hint.OpsLibrary:  "ops-lib",
	hint.Require:     "require",
	hint.Bisect:      "bisect",
	hint.Extract:     "extract",
	hint.Force:       "force",
	hint.MaxMem:      "max-mem",
	hint.Seed:        "seed",

	hint.ImportDType: "dtype",
	hint.NoTokenizer: "no-tokenizer",

	hint.Scored:        "ids",
	hint.EvalAgainst:   "against",
	hint.Compare:       "compare",
	hint.CopyStrings:   "copy",
	hint.CopyDistances: "copy-distances",
	hint.BOS:           "bos",
	hint.Tokenizer:     "tokenizer",
	hint.Lengths:       "lengths",
	hint.Sequences:     "sequences",

	hint.MaxTokens:   "max-tokens",
	hint.Temperature: "temperature",
	hint.TopK:        "top-k",
	hint.TopP:        "top-p",
	hint.Chat:        "chat",

	hint.Contexts: "contexts",
}

// Flag is an option's flag as it is typed.
func Flag(f hint.Field) string { return "--" + Flags[f] }

// Say says a text with flags.
var Say = hint.Naming(Flag)
