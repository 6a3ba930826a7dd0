package verify

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/pecvt/pecvt/convert/fsio"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/verify/interp"
	"github.com/pecvt/pecvt/verify/ort"
	"github.com/pecvt/pecvt/verify/report"
)

// tapper runs a graph and shows values of it.
type tapper interface {
	// tapped answers as the graph does, and shows the named values; an error of
	// show ends it.
	tapped(ctx context.Context, in Input, past State, names []string, show func(name string, a *interp.Array) error) (*report.Logits, State, error)
	close()
}

// tapperOf returns the way to look into a runner, nil where there is none.
func (s *session) tapperOf(g *graphRunner) tapper {
	switch eng := g.eng.(type) {
	case *interpEngine:
		return interpTapper{g, eng}
	case ortEngine:
		return &ortTapper{s: s, runner: g, session: eng.session}
	}
	return nil
}

// interpTapper shows values as the interpreter computes them: nothing is kept.
type interpTapper struct {
	runner *graphRunner
	eng    *interpEngine
}

func (t interpTapper) close() {}

func (t interpTapper) tapped(ctx context.Context, in Input, past State, names []string, show func(string, *interp.Array) error) (*report.Logits, State, error) {
	want := map[string]bool{}
	for _, n := range names {
		want[n] = true
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	t.eng.tap = func(name string, a *interp.Array) {
		if want[name] && ctx.Err() == nil {
			if err := show(name, a); err != nil {
				cancel(err)
			}
		}
	}
	defer func() { t.eng.tap = nil }()
	logits, after, err := t.runner.Run(ctx, in, past)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return logits, after, err
}

// ortTapper runs a copy of the graph whose values asked for are outputs too. The
// copy lies in a folder of its own, with hard links to the tensor files.
type ortTapper struct {
	s       *session
	runner  *graphRunner
	session *ort.Session
	dir     string
	opened  *ort.Session
	names   []string // opened's
	bools   map[string]bool
	extra   []string // the outputs that were added for them
}

// shownSuffix marks an output that shows a value in a type that every runner
// takes.
const shownSuffix = "/shown"

func (t *ortTapper) close() {
	if t.opened != nil {
		t.opened.Close()
	}
	if t.dir != "" {
		os.RemoveAll(t.dir)
	}
}

func (t *ortTapper) tapped(ctx context.Context, in Input, past State, names []string, show func(string, *interp.Array) error) (*report.Logits, State, error) {
	if t.opened == nil || !slices.Equal(names, t.names) {
		if err := t.open(names); err != nil {
			return nil, nil, err
		}
	}
	eng := &shownEngine{ortEngine: ortEngine{t.opened}, extra: map[string]bool{}}
	for _, n := range t.extra {
		eng.extra[n] = true
	}
	g := &graphRunner{name: t.runner.name, info: t.runner.info, eng: eng}
	logits, after, err := g.Run(ctx, in, past)
	if err != nil {
		return nil, nil, err
	}
	for _, n := range names {
		v, ok := eng.shown[n]
		if !ok {
			if v, ok = eng.shown[n+shownSuffix]; !ok {
				continue
			}
		}
		a, err := arrayOf(v)
		if err != nil {
			return nil, nil, fmt.Errorf("value %q: %w", n, err)
		}
		if t.bools[n] {
			b := make([]bool, len(a.I))
			for i, x := range a.I {
				b[i] = x != 0
			}
			a = interp.Bools(b, a.Shape...)
		}
		if err := show(n, a); err != nil {
			return nil, nil, err
		}
	}
	return logits, after, nil
}

// shownEngine keeps the outputs that were added.
type shownEngine struct {
	ortEngine
	extra map[string]bool
	shown map[string]ort.Tensor
}

func (e *shownEngine) run(ctx context.Context, ints map[string]array[int64], past map[string]any) (array[float64], map[string]any, error) {
	logits, present, err := e.ortEngine.run(ctx, ints, past)
	e.shown = map[string]ort.Tensor{}
	for name, t := range present {
		e.shown[name] = t.(ort.Tensor)
		if e.extra[name] {
			delete(present, name)
		}
	}
	if err == nil && logits.Shape != nil {
		short := make([]float32, len(logits.Data))
		for i, x := range logits.Data {
			short[i] = float32(x)
		}
		e.shown["logits"] = ort.Float32(short, logits.Shape...)
	}
	return logits, present, err
}

// open writes the copy and opens it as the runner's session was.
func (t *ortTapper) open(names []string) error {
	if t.opened != nil {
		t.opened.Close()
		t.opened = nil
	}
	raw, err := os.ReadFile(t.session.Path())
	if err != nil {
		return fmt.Errorf("%w: %w", errWalk, err)
	}
	model := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(raw, model); err != nil {
		return fmt.Errorf("%w: %s: %w", errWalk, t.session.Path(), err)
	}
	if t.dir == "" {
		if t.dir, err = beside(filepath.Dir(t.session.Path()), model); err != nil {
			return err
		}
	}
	g := model.GetGraph()
	types := newPlan(model).types
	t.names, t.extra, t.bools = slices.Clone(names), nil, map[string]bool{}
	isOutput := map[string]bool{}
	for _, out := range g.GetOutput() {
		isOutput[out.GetName()] = true
	}
	for _, n := range names {
		if isOutput[n] {
			continue
		}
		out := types[n]
		if out == nil { // a value that the graph does not declare is shown as numbers
			out = untyped(n)
		}
		if to := shownAs(out); to != 0 {
			out = proto.Clone(out).(*onnxpb.ValueInfoProto)
			t.bools[n] = out.GetType().GetTensorType().GetElemType() == int32(onnxpb.TensorProto_BOOL)
			out.Name, out.GetType().GetTensorType().ElemType = n+shownSuffix, int32(to)
			g.Node = append(g.Node, &onnxpb.NodeProto{Name: "/bisect/show" + n, OpType: "Cast", Input: []string{n}, Output: []string{out.Name},
				Attribute: []*onnxpb.AttributeProto{{Name: "to", Type: onnxpb.AttributeProto_INT, I: int64(to)}}})
		}
		g.Output = append(g.Output, out)
		t.extra = append(t.extra, out.GetName())
		isOutput[n] = true
	}
	if raw, err = (proto.MarshalOptions{Deterministic: true}).Marshal(model); err != nil {
		return fmt.Errorf("%w: %w", errWalk, err)
	}
	path := filepath.Join(t.dir, GraphFile)
	if err := os.WriteFile(path, raw, 0o666); err != nil {
		return fmt.Errorf("%w: %w", errWalk, err)
	}
	options := t.session.Options()
	options.ProfileDir = ""
	t.opened, err = ort.Open(path, options)
	return err
}

// untyped stands for a value of a type that the graph does not say: shownAs casts
// it to float32.
func untyped(name string) *onnxpb.ValueInfoProto {
	return &onnxpb.ValueInfoProto{Name: name, Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{
		TensorType: &onnxpb.TypeProto_Tensor{ElemType: int32(onnxpb.TensorProto_DOUBLE)}}}}
}

// shownAs is the type that a value is cast to for an output, 0 where it can be one
// as it is.
func shownAs(v *onnxpb.ValueInfoProto) onnxpb.TensorProto_DataType {
	switch onnxpb.TensorProto_DataType(v.GetType().GetTensorType().GetElemType()) {
	case onnxpb.TensorProto_FLOAT, onnxpb.TensorProto_INT64:
		return 0
	case onnxpb.TensorProto_FLOAT16, onnxpb.TensorProto_BFLOAT16, onnxpb.TensorProto_DOUBLE:
		return onnxpb.TensorProto_FLOAT
	}
	return onnxpb.TensorProto_INT64
}

// beside makes a folder with links to the tensor files that a graph reads: next
// to them where that can be, so that hard links suffice, else in the system's
// place for temporary files.
func beside(source string, m *onnxpb.ModelProto) (string, error) {
	dir, err := os.MkdirTemp(source, ".pecvt-bisect-")
	if err != nil {
		if dir, err = os.MkdirTemp("", "pecvt-bisect-"); err != nil {
			return "", fmt.Errorf("%w: %w", errWalk, err)
		}
	}
	done := map[string]bool{}
	for _, t := range m.GetGraph().GetInitializer() {
		location, _, _ := external(t)
		if location == "" || done[location] {
			continue
		}
		done[location] = true
		if location != filepath.Base(location) || strings.HasPrefix(location, "..") {
			err = fmt.Errorf("the graph takes weights from %q: expected a file in its own folder", location)
		} else {
			_, err = fsio.Link(context.Background(), filepath.Join(source, location), filepath.Join(dir, location), nil)
		}
		if err != nil {
			return "", errors.Join(fmt.Errorf("%w: %w", errWalk, err), os.RemoveAll(dir))
		}
	}
	return dir, nil
}

// arrayOf is a tensor as the interpreter has values.
func arrayOf(t ort.Tensor) (*interp.Array, error) {
	shape := dims(t.Shape)
	n, err := tensor.Elements(t.Shape)
	if err != nil {
		return nil, err
	}
	switch {
	case t.DType == tensor.F32:
		f := make([]float64, len(t.F32))
		for i, x := range t.F32 {
			f[i] = float64(x)
		}
		return interp.Floats(f, shape...), nil
	case t.DType == tensor.I64:
		return interp.Ints(t.I64, shape...), nil
	case t.DType == tensor.Bool:
		b := make([]bool, n)
		for i := range b {
			b[i] = t.Bytes[i] != 0
		}
		return interp.Bools(b, shape...), nil
	case t.DType.IsFloat():
		f := make([]float64, n)
		return interp.Floats(f, shape...), tensor.Decode64(f, t.Bytes, t.DType)
	}
	i := make([]int64, n)
	return interp.Ints(i, shape...), tensor.DecodeInt64(i, t.Bytes, t.DType)
}
