package verify

import (
	"context"

	"github.com/pecvt/pecvt/verify/interp"
)

// interpEngine executes a graph in float64 (package interp).
type interpEngine struct {
	program *interp.Program
	// tap, where not nil, is shown the values between.
	tap func(value string, a *interp.Array)
}

// newInterp loads a graph into the interpreter.
func newInterp(dir string, info *graphInfo) (Runner, error) {
	p, err := interp.Load(info.Model, dir)
	if err != nil {
		return nil, err
	}
	return &graphRunner{name: "interp", info: info, eng: &interpEngine{program: p}}, nil
}

func (e *interpEngine) floats(shape []int64, data []float64) any {
	return interp.Floats(data, dims(shape)...)
}

func (e *interpEngine) close() error { return e.program.Close() }

func (e *interpEngine) run(ctx context.Context, ints map[string]array[int64], past map[string]any) (array[float64], map[string]any, error) {
	feeds := map[string]*interp.Array{}
	for name, a := range ints {
		feeds[name] = interp.Ints(a.Data, dims(a.Shape)...)
	}
	for name, a := range past {
		feeds[name] = a.(*interp.Array)
	}
	out, err := e.program.RunWith(ctx, feeds, interp.Options{Tap: e.tap})
	if err != nil {
		return array[float64]{}, nil, err
	}
	present := map[string]any{}
	var logits array[float64]
	for name, a := range out {
		if name != "logits" {
			present[name] = a
			continue
		}
		for _, n := range a.Shape {
			logits.Shape = append(logits.Shape, int64(n))
		}
		logits.Data = a.F
	}
	return logits, present, ctx.Err()
}

func dims(shape []int64) []int {
	out := make([]int, len(shape))
	for i, n := range shape {
		out[i] = int(n)
	}
	return out
}
