package bisect

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/pecvt/pecvt/convert/fsio"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/posenc/hint"
	"github.com/pecvt/pecvt/verify/interp"
	"github.com/pecvt/pecvt/verify/ort"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// The files of a repro.
const (
	ReproFile    = "pecvt-repro.json"
	inputsFile   = "inputs.safetensors"
	expectedFile = "expected.safetensors"
)

var reproFiles = []string{ReproFile, run.GraphFile, inputsFile, expectedFile}

// reproManifest says where a repro was taken from, and what it is judged by.
type reproManifest struct {
	Schema  int      `json:"schema"`
	Model   string   `json:"model"`
	Tokens  int      `json:"tokens"`
	Check   string   `json:"check"`
	Runner  string   `json:"runner"`
	Call    int      `json:"call"`
	Against string   `json:"against"`
	Stage   string   `json:"stage"`
	Node    string   `json:"node"`
	Op      string   `json:"op"`
	Between []string `json:"between,omitempty"`
	// Float64 and Float32 bound max |got − want| / max |want| for a runner that
	// computes so.
	Float64 report.Number `json:"limit_float64"`
	Float32 report.Number `json:"limit_float32"`
}

// IsRepro tells whether dir is a folder that an extract was written to.
func IsRepro(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, ReproFile))
	return err == nil
}

// ReproOptions are who runs a repro, beside the interpreter.
type ReproOptions struct {
	// ORTLibrary chooses ONNX Runtime, OpsLibrary the kernels, Providers are those to run on. One that is
	// missing is passed over, unless it is the CPU or Named.
	ORTLibrary string
	OpsLibrary string
	Providers  []string
	Named      bool
	// OptLevel is the optimisation level to run at; "" is each of them.
	OptLevel string
	// Missing makes the check of a runner whose library is not there.
	Missing func(runner string, err error) report.Check
	// Step, where not nil, is told of every step as it starts.
	Step func(format string, args ...any)
}

// again is a repro under way.
type again struct {
	ctx              context.Context
	dir              string
	opts             ReproOptions
	about            *reproManifest
	inputs, expected map[string]*interp.Array
	report           *report.Report
}

// VerifyRepro runs a repro's graph on its inputs and compares what comes out with
// what should.
func VerifyRepro(ctx context.Context, dir string, opts ReproOptions) (*report.Report, error) {
	begin := time.Now()
	about, err := readManifest(dir)
	if err != nil {
		return nil, err
	}
	raw, err := os.ReadFile(filepath.Join(dir, run.GraphFile))
	if err != nil {
		return nil, fmt.Errorf("repro: %w", err)
	}
	model := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(raw, model); err != nil || model.GetGraph() == nil {
		return nil, hint.Errorf("repro: %s: not an ONNX model, or a damaged one: extract it again with pecvt verify "+hint.Bisect+" "+hint.Extract, filepath.Join(dir, run.GraphFile))
	}
	inputs, err := readArrays(filepath.Join(dir, inputsFile))
	if err != nil {
		return nil, err
	}
	expected, err := readArrays(filepath.Join(dir, expectedFile))
	if err != nil {
		return nil, err
	}
	if len(expected) == 0 {
		return nil, hint.Errorf("repro: %s holds no tensor: nothing to compare with; extract it again with pecvt verify "+hint.Bisect+" "+hint.Extract, filepath.Join(dir, expectedFile))
	}
	if opts.Step == nil {
		opts.Step = func(string, ...any) {}
	}
	s := &again{ctx: ctx, dir: dir, opts: opts, about: about, inputs: inputs, expected: expected,
		report: &report.Report{Schema: 1, Model: filepath.Base(fsio.Absolute(dir)), Family: "repro of " + about.Model,
			Encoding: fmt.Sprintf("node %s (%s)", about.Node, about.Op), Tokens: about.Tokens, Tolerances: report.Tolerances()}}
	s.compare(run.InterpName, "", about.Float64, func() (map[string]*interp.Array, error) {
		p, err := interp.Load(model, dir)
		if err != nil {
			return nil, err
		}
		defer p.Close()
		return p.RunWith(ctx, inputs, interp.Options{})
	})
	for _, provider := range opts.Providers {
		levels := []string{opts.OptLevel}
		if opts.OptLevel == "" {
			levels = ort.OptLevels()
		}
		for _, level := range levels {
			if !s.runtime(provider, level) {
				break
			}
		}
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	s.report.Settle()
	s.report.Seconds = report.Number(time.Since(begin).Seconds())
	return s.report, nil
}

// runtime runs a repro in ONNX Runtime; it reports false where the provider is
// not there.
func (s *again) runtime(provider, level string) bool {
	name := run.ORTNameWith(ort.Options{Provider: provider, OpsLibrary: s.opts.OpsLibrary})
	lib, err := ort.Load(s.opts.ORTLibrary)
	var session *ort.Session
	if err == nil {
		s.report.Runtime, s.report.RuntimePath = lib.Version, lib.Path
		session, err = ort.Open(filepath.Join(s.dir, run.GraphFile), ort.Options{Provider: provider, OptLevel: level, OpsLibrary: s.opts.OpsLibrary})
	}
	if errors.Is(err, ort.ErrUnavailable) {
		if provider == ort.ProviderCPU || s.opts.Named {
			s.opts.Step("open %s", name)
			s.report.Checks = append(s.report.Checks, s.opts.Missing(name, err))
		}
		return false
	}
	s.compare(name, level, s.about.Float32, func() (map[string]*interp.Array, error) {
		if err != nil {
			return nil, err
		}
		defer session.Close()
		feeds := map[string]ort.Tensor{}
		for _, v := range session.Inputs() {
			a := s.inputs[v.Name]
			if a == nil {
				return nil, fmt.Errorf("input %q is not in %s", v.Name, inputsFile)
			}
			if feeds[v.Name], err = run.TensorOf(a, v.DType); err != nil {
				return nil, fmt.Errorf("input %q: %w", v.Name, err)
			}
		}
		out, err := session.RunContext(s.ctx, feeds)
		if err != nil {
			return nil, err
		}
		arrays := map[string]*interp.Array{}
		for name, t := range out {
			if arrays[name], err = run.ArrayOf(t); err != nil {
				return nil, err
			}
		}
		return arrays, nil
	})
	return true
}

// compare makes one runner's check: the output that is farthest off decides.
func (s *again) compare(runner, level string, limit report.Number, ask func() (map[string]*interp.Array, error)) {
	about := s.about
	s.opts.Step("%s: %s", runner, about.Node)
	begin := time.Now()
	c := report.Check{Name: report.CheckRepro, Runner: runner, Level: level, Against: about.Against, Limit: limit, Verdict: report.Pass, Other: true}
	out, err := ask()
	if err != nil {
		c.Verdict, c.Detail = report.Fail, run.Reason(runner, err)
	}
	for _, name := range slices.Sorted(maps.Keys(s.expected)) {
		if err != nil {
			break
		}
		want := s.expected[name]
		got := out[name]
		if got == nil {
			c.Verdict, c.Detail = report.Fail, fmt.Sprintf("output %q is missing", name)
			break
		}
		w := &wanted{shape: want.Shape, f: want.F, i: want.I, b: want.B}
		off, worst := w.off(got)
		c.Positions = max(c.Positions, about.Tokens)
		if off > float64(c.MaxRel) {
			c.MaxRel, c.MaxAbs = report.Number(off), report.Number(off*largest(want))
		}
		if !(off <= float64(c.Limit)) && c.Verdict == report.Pass {
			c.Verdict, c.Detail = report.Fail, fmt.Sprintf("output %s: %s", name, worst)
		}
	}
	if c.Verdict == report.Fail {
		c.Blame = fmt.Sprintf("given right inputs, %s (%s) of %s answers wrong", about.Node, about.Op, about.Model)
		if len(about.Between) > 0 {
			c.Blame = fmt.Sprintf("given right inputs, %s (%s) of %s or %s before it answers wrong", about.Node, about.Op, about.Model, oneOf(len(about.Between)))
		}
	}
	c.Seconds = report.Number(time.Since(begin).Seconds())
	s.report.Checks = append(s.report.Checks, c)
}

func largest(a *interp.Array) float64 {
	m := 0.0
	for _, x := range a.F {
		m = max(m, x, -x)
	}
	return max(m, float64(min(len(a.I)+len(a.B), 1)))
}

func readManifest(dir string) (*reproManifest, error) {
	path := filepath.Join(dir, ReproFile)
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("repro: %w", err)
	}
	m := &reproManifest{}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(m); err != nil {
		return nil, hint.Errorf("repro: %s: %w: extract it again with pecvt verify "+hint.Bisect+" "+hint.Extract, path, err)
	}
	if m.Schema != 1 || m.Node == "" || !(m.Float64 > 0) || !(m.Float32 > 0) {
		return nil, hint.Errorf("repro: %s: schema %d, node %q, limits %v and %v: expected schema 1, a node and positive limits; extract it again with pecvt verify "+hint.Bisect+" "+hint.Extract, path, m.Schema, m.Node, m.Float64, m.Float32)
	}
	return m, nil
}

// readArrays reads every tensor of a file.
func readArrays(path string) (map[string]*interp.Array, error) {
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, fmt.Errorf("repro: %w", err)
	}
	defer f.Close()
	out := map[string]*interp.Array{}
	for _, info := range f.Tensors() {
		raw, err := f.Bytes(info.Name)
		if err != nil {
			return nil, fmt.Errorf("repro: %w", err)
		}
		t := ort.Raw(info.DType, bytes.Clone(raw), info.Shape...)
		if info.DType == tensor.I64 {
			t.I64 = make([]int64, len(raw)/8)
			if err := tensor.DecodeInt64(t.I64, raw, tensor.I64); err != nil {
				return nil, fmt.Errorf("repro: %s: %w", path, err)
			}
		}
		if out[info.Name], err = run.ArrayOf(t); err != nil {
			return nil, fmt.Errorf("repro: %s: tensor %q: %w", path, info.Name, err)
		}
	}
	return out, nil
}

// ReproTarget refuses a folder that an extract may not be written to.
func ReproTarget(dir string, force bool) error {
	info, err := os.Lstat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("target: %w", err)
	case !info.IsDir():
		return fmt.Errorf("target %s exists and is not a folder: choose another", dir)
	case !force:
		return hint.Errorf("target %s exists: choose another, or replace it with "+hint.Force, dir)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("target: %w", err)
	}
	for _, e := range entries {
		if !slices.Contains(reproFiles, e.Name()) {
			return hint.Errorf("target %s holds %s, which is no part of a repro: "+hint.Force+" replaces only what pecvt wrote", dir, e.Name())
		}
	}
	if len(entries) > 0 && !IsRepro(dir) {
		return hint.Errorf("target %s holds no %s: "+hint.Force+" replaces only what pecvt wrote", dir, ReproFile)
	}
	return nil
}
