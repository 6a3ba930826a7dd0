package verify

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/pecvt/pecvt/verify/ort"
)

// ortEngine executes a graph in ONNX Runtime.
type ortEngine struct{ session *ort.Session }

// ortGraph is the graph that ONNX Runtime is given. Only tests change it: a fault
// that the runtime alone has is one that the other runners' graph lacks.
var ortGraph = GraphFile

// newORT opens model.onnx in ONNX Runtime. The library must be loaded.
func newORT(dir string, info *graphInfo, opts ort.Options) (Runner, error) {
	s, err := ort.Open(filepath.Join(dir, ortGraph), opts)
	if err != nil {
		return nil, err
	}
	return &graphRunner{name: "ort-" + opts.Provider, level: opts.OptLevel, info: info, eng: ortEngine{s}}, nil
}

func (e ortEngine) floats(shape []int64, data []float64) any {
	short := make([]float32, len(data))
	for i, x := range data {
		short[i] = float32(x)
	}
	return ort.Float32(short, shape...)
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
		if name != "logits" {
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
