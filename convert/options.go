package convert

import "github.com/pecvt/pecvt/convert/rewrite"

// Options decide what a plan holds.
type Options struct {
	rewrite.Options
	// Retrofit is what a selection or a calibration brings; nil is nothing.
	Retrofit *Retrofit
	// Output is the target folder; empty is <model's name>-<encoding> in the
	// current folder, or beside the model where that folder lies in it.
	Output string
	// Copy copies tensor files that could be linked.
	Copy bool
	// MaxShardSize bounds the tensor bytes of a file; 0 keeps the source's
	// files.
	MaxShardSize int64
	// Hash records the SHA-256 of the source's files.
	Hash bool
	// ToolVersion is recorded in the manifest.
	ToolVersion string
}
