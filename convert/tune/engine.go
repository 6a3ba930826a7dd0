package tune

import (
	"context"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/retrofit"
)

// Engine runs models.
type Engine interface {
	// Walk is a float32 forward pass of the model whose tensors src holds, layer
	// by layer.
	Walk(m *family.Model, src family.Source) retrofit.Walk
	// Meter readies the source for measurements against it. A runtime that is
	// asked for and missing is an error here, before any work.
	Meter(ctx context.Context, source string, o MeterOptions) (Meter, error)
}

// MeterOptions say what will be measured.
type MeterOptions struct {
	// Sequences of one length are what every measurement reads.
	Sequences [][]int64
	// Longest is the longest sequence that the source reads beside them.
	Longest int
	// Series announces more than one measurement: what the source says is worth
	// keeping.
	Series bool
	// Folder is for temporary files, and is gone after Close.
	Folder string
}

// Meter measures models against one source.
type Meter interface {
	// Runner names what measures, for the manifest: "ort-cpu", "ort-cuda", "ref".
	Runner() string
	// Notes say what measures where that is not what could be expected.
	Notes() []string
	// Share is the part of the machine's best rate of multiplications that a
	// forward pass reaches, for estimates.
	Share() float64
	// Measure scores the checkpoint in dir on the sequences, with progress of
	// tokens.
	Measure(ctx context.Context, dir string, progress func(done, total int)) (retrofit.Measured, error)
	// Reach scores the checkpoint in dir on one text, whole, longer than the source was
	// trained at, and the source on its pieces, which are of one even length, each by
	// itself.
	Reach(ctx context.Context, dir string, whole []int64, pieces [][]int64, progress func(done, total int)) (retrofit.Reached, error)
	Close() error
}
