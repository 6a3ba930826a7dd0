package convert

import (
	"github.com/pecvt/pecvt/convert/rewrite"
	"github.com/pecvt/pecvt/posenc"
)

// Options decide what a plan holds. To alone is enough.
type Options struct {
	// To is a name of posenc's table of encodings, NAME or NAME:VARIANT, or
	// rewrite.AsIs.
	To string
	// TrainLength is L in positions; 0 takes the configuration's.
	TrainLength int
	// Cut chooses HoPE's planes, Scale an extension of the context.
	Cut   posenc.Cut
	Scale posenc.Scale
	// Extend, where not 0, is how many times L the result is meant to reach; see
	// rewrite.Options. A calibration then fits layers for that.
	Extend int
	// QueryScale, where not 0, is β of a factor of queries that grows with the logarithm
	// of the position over L; see rewrite.Options.
	QueryScale float64
	// Layout is rewrite.Native or rewrite.Partial; empty is Native.
	Layout string
	// Spelling is rewrite.Auto or a rope type; empty is Auto.
	Spelling string
	// For names loaders (package convert/loaders) that must compute the result:
	// Layout and Spelling, where neither says anything, are the first that all of
	// them do, and a checkpoint that none can say so is refused. Graphs' loaders
	// decide nothing here; see loaders.PickGraph.
	For []string
	// WebWeights, where not empty, says that a graph comes into the folder onnx for
	// transformers.js, and where its weights are: "external" (in the tensor files),
	// "external-copy" (in one file) or "embed". config.json then says so.
	WebWeights string
	// WebName is what transformers.js calls the numbers of that graph, one of
	// loaders.WebNames; empty is "fp32".
	WebName string
	// Slope is what a hybrid's bias starts with; see rewrite.Options.
	Slope string
	// Layers is rewrite.AllLayers, FullLayers or SlidingLayers; empty is every layer
	// that turns by the declaration of those of full attention.
	Layers string
	// Spectra, where not nil, are the inverse frequencies of every layer,
	// key/value head and plane, each what rewrite.Scaled says or 0; Tuning's Selection
	// brings its own.
	Spectra [][][]float64

	// Tuning is what a selection or a calibration brings; nil is nothing.
	Tuning *Tuning
	// Output is the target folder, or the target file of the format GGUF; empty is
	// <model's name>-<encoding>, with .gguf behind it for that format, in the
	// current folder, or beside the model where that folder lies in it.
	Output string
	// Link makes tensor files that stay as they are hard links of the source's
	// where the file system can: both names are one file then, which onnx refuses
	// as a graph's external data from 1.21.0 on. Without it they are files of
	// their own: reflinks where the file system can, else copies. Copy says that
	// default in words, and is an error beside Link.
	Link, Copy bool
	// Format is Safetensors or GGUF; empty is GGUF where Output ends in .gguf, or is
	// empty and the model is a GGUF file, else Safetensors.
	Format string
	// GGUFType is the type of the matrices in a GGUF file that is made from other
	// files: "f32", "f16", "bf16" or "q8_0"; empty is the nearest to the source's.
	// A GGUF file made from one keeps its types.
	GGUFType string
	// MaxShardSize bounds the tensor bytes of a file; 0 keeps the source's
	// files.
	MaxShardSize int64
	// Hash records the SHA-256 of the source's files.
	Hash bool
	// IgnoreKeys are keys of config.json of which the caller says that they change
	// nothing of what the model computes: they count as absent, and the result is
	// written without them. A key that the family reads is an error.
	IgnoreKeys []string
	// ToolVersion is recorded in the manifest.
	ToolVersion string
	// Say, where not nil, is how notes, reasons and warnings name options; see
	// hint.Naming.
	Say func(text string) string
}

// Rewrite returns the part of the options that decides the rewrite.
func (o Options) Rewrite() rewrite.Options {
	return rewrite.Options{To: o.To, TrainLength: o.TrainLength, Cut: o.Cut, Scale: o.Scale, Extend: o.Extend, QueryScale: o.QueryScale, Layout: o.Layout, Spelling: o.Spelling, Slope: o.Slope, Layers: o.Layers, Spectra: o.Spectra}
}

// With returns o with that part from r.
func (o Options) With(r rewrite.Options) Options {
	o.To, o.TrainLength, o.Cut, o.Scale, o.Extend, o.QueryScale = r.To, r.TrainLength, r.Cut, r.Scale, r.Extend, r.QueryScale
	o.Layout, o.Spelling, o.Slope, o.Layers, o.Spectra = r.Layout, r.Spelling, r.Slope, r.Layers, r.Spectra
	return o
}
