package run

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/posenc/hint"
	"github.com/pecvt/pecvt/verify/interp"
	"github.com/pecvt/pecvt/verify/ort"
	"github.com/pecvt/pecvt/verify/report"
)

// ORT runs a graph in ONNX Runtime, on one provider at one optimisation level.
type ORT struct {
	graphRunner
	session *ort.Session
	shown   *shownGraph // what Tap runs, nil before
}

// OpenORT opens a graph (GraphFile, which may have another of its names, but for one that
// lies beside it) of a folder in ONNX Runtime. The library must be loaded ([ort.Load]).
func OpenORT(dir, graph string, info *GraphInfo, opts ort.Options) (*ORT, error) {
	path := filepath.Join(dir, graph)
	if graph == GraphFile {
		if found, err := graphIn(dir); err == nil {
			path = found
		}
	}
	s, err := info.Session(path, opts)
	if err != nil {
		return nil, err
	}
	return &ORT{graphRunner: graphRunner{info, ortEngine{s}}, session: s}, nil
}

// Session opens a graph that info was read of in ONNX Runtime. Where the provider has no
// kernels of the type that it computes in, the error says so.
func (g *GraphInfo) Session(path string, opts ort.Options) (*ort.Session, error) {
	s, err := ort.Open(path, opts)
	if err != nil && g.DType != "" && strings.Contains(err.Error(), NotImplemented) {
		err = hint.Errorf("%w: the graph computes in %s, of which this provider lacks kernels: emit it with another "+hint.DType+", float32 runs everywhere", err, g.DType)
	}
	return s, err
}

// NotImplemented is what ONNX Runtime says of a node that a provider has no kernel for.
const NotImplemented = "Could not find an implementation"

// Name is "ort-" and the provider, and "+ops" with a library of operators.
func (r *ORT) Name() string { return ORTNameWith(r.session.Options()) }

// Arithmetic is float32: weights of another type are converted to it.
func (r *ORT) Arithmetic() report.Arithmetic { return report.Float32 }

// Describe names the runtime's version.
func (r *ORT) Describe() string {
	ops := ""
	if lib := r.session.Options().OpsLibrary; lib != "" {
		ops = ", operators of " + filepath.Base(lib)
	}
	return fmt.Sprintf("ONNX Runtime %s (optimisation level %s%s)", ort.Version(), r.Level(), ops)
}

// Level is the optimisation level.
func (r *ORT) Level() string { return r.session.Options().OptLevel }

// Levels are all of the runtime's.
func (r *ORT) Levels() []string { return ort.OptLevels() }

// AtLevel opens the same graph at another level.
func (r *ORT) AtLevel(level string) (Runner, error) {
	opts := r.session.Options()
	opts.OptLevel = level
	return OpenORT(filepath.Dir(r.session.Path()), filepath.Base(r.session.Path()), r.info, opts)
}

// providerNames are ONNX Runtime's own names of its execution providers.
var providerNames = map[string]string{
	ort.ProviderCPU:  "CPUExecutionProvider",
	ort.ProviderCUDA: "CUDAExecutionProvider",
}

// ErrNoProfile says that a session writes down nothing of where its nodes ran.
var ErrNoProfile = errors.New("no profile was asked for")

// Ran tells whether the session ran.
func (r *ORT) Ran() bool { return r.session.Runs() > 0 }

// Wanted is the provider, and the runtime's own name of it.
func (r *ORT) Wanted() (short, full string) {
	p := r.session.Options().Provider
	return p, providerNames[p]
}

// Placed closes the session, whose profile is complete then, and reads it.
func (r *ORT) Placed() ([]ort.NodeRun, error) {
	if r.session.Options().ProfileDir == "" {
		return nil, ErrNoProfile
	}
	if err := r.session.Close(); err != nil {
		return nil, err
	}
	path, err := r.session.Profile()
	if err != nil {
		return nil, err
	}
	return ort.NodeRuns(path)
}

// Close frees the session, and what Tap made.
func (r *ORT) Close() error {
	if r.shown != nil {
		r.shown.close()
		r.shown = nil
	}
	return r.session.Close()
}

// ortEngine executes a graph in ONNX Runtime.
type ortEngine struct{ session *ort.Session }

func (e ortEngine) array(v any) (*interp.Array, error) { return ArrayOf(v.(ort.Tensor)) }

func (e ortEngine) floats(d tensor.DType, shape []int64, data []float64) (any, error) {
	return TensorOf(interp.Floats(data, Dims(shape)...), d)
}

func (e ortEngine) close() error { return e.session.Close() }

func (e ortEngine) run(ctx context.Context, ints map[string]array[int64], past map[string]any) (array[float64], map[string]any, error) {
	feeds := map[string]ort.Tensor{}
	for name, a := range ints {
		feeds[name] = ort.Int64(a.Data, a.Shape...)
	}
	for name, a := range past {
		feeds[name] = a.(ort.Tensor)
	}
	out, err := e.session.Run(feeds)
	if err != nil {
		return array[float64]{}, nil, err
	}
	present := map[string]any{}
	var logits array[float64]
	for name, t := range out {
		if name != names.Logits {
			present[name] = t
			continue
		}
		if t.F32 == nil {
			return logits, nil, fmt.Errorf("output \"logits\" is %s: expected F32", t.DType)
		}
		logits.Shape = t.Shape
		logits.Data = make([]float64, len(t.F32))
		for i, x := range t.F32 {
			logits.Data[i] = float64(x)
		}
	}
	return logits, present, ctx.Err()
}
