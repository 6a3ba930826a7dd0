package run

import (
	"context"

	"github.com/pecvt/pecvt/verify/interp"
	"github.com/pecvt/pecvt/verify/ort"
	"github.com/pecvt/pecvt/verify/report"
)

// Tapper is a runner that shows values of the graph as it runs.
type Tapper interface {
	Runner
	// Tap answers as Run does, and shows the named values; an error of show ends
	// it and comes back. A name that the graph has not is shown nothing of.
	Tap(ctx context.Context, in Input, past State, names []string, show func(name string, a *interp.Array) error) (*report.Logits, State, error)
}

// AsTapper returns a runner that shows values, false for one that does not.
func AsTapper(r Runner) (Tapper, bool) {
	t, ok := r.(Tapper)
	return t, ok
}

// Exact returns the first runner that shows values and computes in float64: what
// it says of a graph is the graph's doing, not its arithmetic's. It is nil where
// there is none.
func Exact(list []Runner) Tapper {
	for _, r := range list {
		if t, ok := AsTapper(r); ok && r.Arithmetic() == report.Float64 {
			return t
		}
	}
	return nil
}

// CacheReader is a runner whose states can be read.
type CacheReader interface {
	// Caches are the values of a state, by the name of the graph's output that
	// each was: "present.0.key".
	Caches(State) (map[string]*interp.Array, error)
	// State is one that holds given values.
	State(map[string]*interp.Array) State
}

// Caches reads a state of a runner; it reports false for a runner whose states
// are closed.
func Caches(r Runner, s State) (values map[string]*interp.Array, ok bool, err error) {
	c, ok := r.(CacheReader)
	if !ok {
		return nil, false, nil
	}
	values, err = c.Caches(s)
	return values, true, err
}

// PastTaker is a runner that goes on from a past that no runner computed.
type PastTaker interface {
	// TakePast makes a state of it.
	TakePast(*Past) State
}

// TakesPast tells whether a runner goes on from a made-up past.
func TakesPast(r Runner) bool {
	_, ok := r.(PastTaker)
	return ok
}

// HiddenStater is a runner that shows the residual stream.
type HiddenStater interface {
	// Hidden returns it: 0 the embedding, i the output of layer i, the last one
	// after the final norm, each of shape (rows, positions, hidden).
	Hidden(context.Context, Input) ([]*report.Logits, error)
}

// AsHiddenStater returns a runner that shows the residual stream, false for one
// that does not.
func AsHiddenStater(r Runner) (HiddenStater, bool) {
	h, ok := r.(HiddenStater)
	return h, ok
}

// Leveler is a runner that can be asked to optimise a graph more or less.
type Leveler interface {
	// Level is the one it runs at, Levels are all of them.
	Level() string
	Levels() []string
	// AtLevel opens another runner of the same graph.
	AtLevel(level string) (Runner, error)
}

// AsLeveler returns a runner that has optimisation levels, false for one without.
func AsLeveler(r Runner) (Leveler, bool) {
	l, ok := r.(Leveler)
	return l, ok
}

// LevelOf is a runner's optimisation level, "" for one without.
func LevelOf(r Runner) string {
	if l, ok := AsLeveler(r); ok {
		return l.Level()
	}
	return ""
}

// Placer is a runner that can tell where it ran each node.
type Placer interface {
	// Ran tells whether it has run anything: what never ran was placed nowhere.
	Ran() bool
	// Wanted is where nodes should run: in short, and as Placed spells it.
	Wanted() (short, full string)
	// Placed closes the runner and tells where its nodes ran. It is ErrNoProfile
	// where it was opened without a place to write that down.
	Placed() ([]ort.NodeRun, error)
}

// AsPlacer returns a runner that knows where its nodes ran, false for another.
func AsPlacer(r Runner) (Placer, bool) {
	p, ok := r.(Placer)
	return p, ok
}

// NodeNamer is a runner whose errors name the node that failed.
type NodeNamer interface{ NamesNodes() bool }

// NamesNodes tells whether an error of a runner names the node that failed.
func NamesNodes(r Runner) bool {
	n, ok := r.(NodeNamer)
	return ok && n.NamesNodes()
}

// Limited is a runner that is too slow for long prompts of large models.
type Limited interface {
	// MaxWeights is how many weights a model may have there.
	MaxWeights() int64
}

// TooLarge tells whether a model of so many weights is more than a runner can
// take with a long prompt.
func TooLarge(r Runner, weights int64) bool {
	l, ok := r.(Limited)
	return ok && weights > l.MaxWeights()
}

// Describer is a runner with more to say of itself than its name.
type Describer interface{ Describe() string }

// Describe says what a runner is, with its version: "ONNX Runtime 1.22.0
// (optimisation level all)", or just its name.
func Describe(r Runner) string {
	if d, ok := r.(Describer); ok {
		return d.Describe()
	}
	return r.Name()
}
