package eval

import (
	"fmt"

	"github.com/pecvt/pecvt/verify/ort"
)

// Runners.
const (
	RunnerAuto = ""    // ONNX Runtime where it can be loaded, else the reference
	RunnerORT  = "ort" // ONNX Runtime, or an error
	RunnerRef  = "ref" // the reference
)

// Runners lists the values of Options.Runner.
func Runners() []string { return []string{RunnerORT, RunnerRef} }

// Options say how a model is run. The zero value runs it on the CPU.
type Options struct {
	// Runner is RunnerAuto, RunnerORT or RunnerRef.
	Runner string
	// ORTLibrary, Provider and Threads choose ONNX Runtime and its session.
	ORTLibrary, Provider string
	// OpsLibrary, where not empty, is a library of kernels for the operators of
	// ai.pecvt, which ONNX Runtime then runs in place of their functions.
	OpsLibrary string
	Threads    int
	// IgnoreKeys are keys of config.json that change nothing of what the models
	// compute; see convert.Options.
	IgnoreKeys []string
	// Chunk is how many tokens run at once; 0 is 256, or fewer where one of their tensors
	// would take more than 64 MiB. It does not change what is measured beyond rounding.
	Chunk int
	// Length is the longest sequence that will be scored, where that is known: a
	// graph made on the way is made long enough at once.
	Length int
	// TempDir is where such a graph, and what is remembered, is put; "" is the
	// system's folder.
	TempDir string
	// Version goes into the metadata of graphs made on the way.
	Version string
	// Remember is how many bytes of logits a model that is scored against keeps
	// in a temporary file, so that the same sequences cost it nothing when the next model comes: a
	// sequence of T tokens takes 4·T·vocabulary. 0 keeps none.
	Remember int64
}

// defaultChunk is a piece's size, where no tensor of it takes more than pieceBytes.
const (
	defaultChunk = 256
	pieceBytes   = 64 << 20
)

func (o Options) withDefaults() (Options, error) {
	if o.Provider == "" {
		o.Provider = ort.ProviderCPU
	}
	switch {
	case o.Runner != RunnerAuto && o.Runner != RunnerORT && o.Runner != RunnerRef:
		return o, fmt.Errorf("eval: runner %q: expected %q or %q", o.Runner, RunnerORT, RunnerRef)
	case o.Chunk < 0:
		return o, fmt.Errorf("eval: pieces of %d tokens: expected a positive number", o.Chunk)
	}
	return o, ort.CheckOpsLibrary(o.OpsLibrary)
}
