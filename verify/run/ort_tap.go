package run

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
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/verify/interp"
	"github.com/pecvt/pecvt/verify/ort"
	"github.com/pecvt/pecvt/verify/report"
)

// ErrTap says that values cannot be shown, where the graph is not to blame.
var ErrTap = errors.New("bisect")

// Tap runs a copy of the graph that has the named values as outputs. It is opened
// once for calls that name the same, and closed with the runner.
func (r *ORT) Tap(ctx context.Context, in Input, past State, names []string, show func(string, *interp.Array) error) (*report.Logits, State, error) {
	if r.shown == nil {
		r.shown = &shownGraph{info: r.info, session: r.session}
	}
	return r.shown.tapped(ctx, in, past, names, show)
}

// shownGraph is a copy of the graph whose values asked for are outputs too. The
// copy lies in a folder of its own, with hard links to the tensor files.
type shownGraph struct {
	info    *GraphInfo
	session *ort.Session
	own     *fsio.Temporary
	opened  *ort.Session
	names   []string // opened's
	bools   map[string]bool
	extra   []string // the outputs that were added for them
}

// shownSuffix marks an output that shows a value in a type that every runner
// takes.
const shownSuffix = "/shown"

func (t *shownGraph) close() {
	if t.opened != nil {
		t.opened.Close()
	}
	t.own.Remove()
}

func (t *shownGraph) tapped(ctx context.Context, in Input, past State, names []string, show func(string, *interp.Array) error) (*report.Logits, State, error) {
	if t.opened == nil || !slices.Equal(names, t.names) {
		if err := t.open(names); err != nil {
			return nil, nil, err
		}
	}
	eng := &shownEngine{ortEngine: ortEngine{t.opened}, extra: map[string]bool{}}
	for _, n := range t.extra {
		eng.extra[n] = true
	}
	g := &graphRunner{info: t.info, eng: eng}
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
		a, err := ArrayOf(v)
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
		e.shown[names.Logits] = ort.Float32(short, logits.Shape...)
	}
	return logits, present, err
}

// open writes the copy and opens it as the runner's session was.
func (t *shownGraph) open(names []string) error {
	if t.opened != nil {
		t.opened.Close()
		t.opened = nil
	}
	raw, err := os.ReadFile(t.session.Path())
	if err != nil {
		return fmt.Errorf("%w: %w", ErrTap, err)
	}
	model := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(raw, model); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrTap, t.session.Path(), err)
	}
	if t.own == nil {
		if t.own, err = beside(filepath.Dir(t.session.Path()), "bisect", model); err != nil {
			return err
		}
	}
	g := model.GetGraph()
	types := NewPlan(model).Types
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
		return fmt.Errorf("%w: %w", ErrTap, err)
	}
	path := filepath.Join(t.own.Dir, GraphFile)
	if err := os.WriteFile(path, raw, 0o666); err != nil {
		return fmt.Errorf("%w: %w", ErrTap, err)
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
// It is called after its purpose.
func beside(source, purpose string, m *onnxpb.ModelProto) (*fsio.Temporary, error) {
	own, err := fsio.NewTemporary(source, purpose)
	if err != nil {
		if own, err = fsio.NewTemporary("", purpose); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrTap, err)
		}
	}
	done := map[string]bool{}
	for _, t := range m.GetGraph().GetInitializer() {
		location, _, _ := External(t)
		if location == "" || done[location] {
			continue
		}
		done[location] = true
		if location != filepath.Base(location) || strings.HasPrefix(location, "..") {
			err = fmt.Errorf("the graph takes weights from %q: expected a file in its own folder", location)
		} else {
			_, err = fsio.Link(context.Background(), filepath.Join(source, location), filepath.Join(own.Dir, location), nil)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%w: %w", ErrTap, err), own.Remove())
		}
	}
	return own, nil
}
