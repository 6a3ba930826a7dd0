package run

import (
	"context"

	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/verify/interp"
	"github.com/pecvt/pecvt/verify/report"
)

// maxInterpWeights bounds the weights of a model that the interpreter runs a long
// prompt of.
const maxInterpWeights = 16 << 20

// Interp runs a graph in float64, in package interp.
type Interp struct {
	graphRunner
	eng *interpEngine
}

// OpenInterp loads a folder's graph into the interpreter.
func OpenInterp(info *GraphInfo) (*Interp, error) {
	p, err := interp.Load(info.Model, info.Dir())
	if err != nil {
		return nil, err
	}
	eng := &interpEngine{program: p}
	return &Interp{graphRunner{info, eng}, eng}, nil
}

// OpenRounding is [OpenInterp] for products with codes that round what enters them
// where the graph declares it (accuracy_level 4).
func OpenRounding(info *GraphInfo) (*Interp, error) {
	r, err := OpenInterp(info)
	if err == nil {
		r.eng.options.RoundInputs = true
	}
	return r, err
}

// OpenTyped is [OpenInterp] for a graph whose values are what their own types hold:
// float16 and bfloat16 round, once for each node.
func OpenTyped(info *GraphInfo) (*Interp, error) {
	r, err := OpenInterp(info)
	if err == nil {
		r.eng.options.RoundTypes = true
	}
	return r, err
}

// Name is "interp".
func (r *Interp) Name() string { return InterpName }

// Arithmetic is float64.
func (r *Interp) Arithmetic() report.Arithmetic { return report.Float64 }

// NamesNodes tells that an error names its node.
func (r *Interp) NamesNodes() bool { return true }

// MaxWeights bounds the models whose long prompts it can take.
func (r *Interp) MaxWeights() int64 { return maxInterpWeights }

// Tap shows values as they are computed: nothing is kept.
func (r *Interp) Tap(ctx context.Context, in Input, past State, names []string, show func(string, *interp.Array) error) (*report.Logits, State, error) {
	want := map[string]bool{}
	for _, n := range names {
		want[n] = true
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r.eng.tap = func(name string, a *interp.Array) {
		if want[name] && ctx.Err() == nil {
			if err := show(name, a); err != nil {
				cancel(err)
			}
		}
	}
	defer func() { r.eng.tap = nil }()
	logits, after, err := r.Run(ctx, in, past)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return logits, after, err
}

// interpEngine executes a graph in float64 (package interp).
type interpEngine struct {
	program *interp.Program
	// tap, where not nil, is shown the values between.
	tap     func(value string, a *interp.Array)
	options interp.Options // but for the tap
}

// floats leaves rounding to the program, which knows whether to.
func (e *interpEngine) floats(_ tensor.DType, shape []int64, data []float64) (any, error) {
	return interp.Floats(data, Dims(shape)...), nil
}

func (e *interpEngine) array(v any) (*interp.Array, error) { return v.(*interp.Array), nil }

func (e *interpEngine) close() error { return e.program.Close() }

func (e *interpEngine) run(ctx context.Context, ints map[string]array[int64], past map[string]any) (array[float64], map[string]any, error) {
	feeds := map[string]*interp.Array{}
	for name, a := range ints {
		feeds[name] = interp.Ints(a.Data, Dims(a.Shape)...)
	}
	for name, a := range past {
		feeds[name] = a.(*interp.Array)
	}
	o := e.options
	o.Tap = e.tap
	out, err := e.program.RunWith(ctx, feeds, o)
	if err != nil {
		return array[float64]{}, nil, err
	}
	present := map[string]any{}
	var logits array[float64]
	for name, a := range out {
		if name != names.Logits {
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

func Dims(shape []int64) []int {
	out := make([]int, len(shape))
	for i, n := range shape {
		out[i] = int(n)
	}
	return out
}
