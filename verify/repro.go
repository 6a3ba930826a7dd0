package verify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/pecvt/pecvt/convert/fsio"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
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

// isRepro tells whether dir is a folder that an extract was written to.
func isRepro(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, ReproFile))
	return err == nil
}

// verifyRepro runs a repro's graph on its inputs and compares what comes out with
// what should.
func verifyRepro(ctx context.Context, dir string, opts Options) (*report.Report, error) {
	begin := time.Now()
	for _, o := range [][2]string{{"--golden", opts.Golden}, {"--against", opts.Against}, {"--ids", opts.IDs}} {
		if o[1] != "" {
			return nil, fmt.Errorf("repro: %s holds one part of a graph: %s does not apply to it", dir, o[0])
		}
	}
	if opts.Bisect || opts.Extract != "" {
		return nil, fmt.Errorf("repro: %s holds one part of a graph already: run pecvt verify on it without --bisect and --extract", dir)
	}
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
		return nil, fmt.Errorf("repro: %s: not an ONNX model, or a damaged one: extract it again with pecvt verify --bisect --extract", filepath.Join(dir, run.GraphFile))
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
		return nil, fmt.Errorf("repro: %s holds no tensor: nothing to compare with; extract it again with pecvt verify --bisect --extract", filepath.Join(dir, expectedFile))
	}
	s := &session{ctx: ctx, dir: dir, opts: opts, report: &report.Report{Schema: 1, Model: filepath.Base(fsio.Absolute(dir)), Family: "repro of " + about.Model,
		Encoding: fmt.Sprintf("node %s (%s)", about.Node, about.Op), Tokens: about.Tokens, Tolerances: report.Tolerances()}}
	s.repro("interp", "", about, expected, func() (map[string]*interp.Array, error) {
		p, err := interp.Load(model, dir)
		if err != nil {
			return nil, err
		}
		defer p.Close()
		return p.RunWith(ctx, inputs, interp.Options{})
	})
	for _, provider := range opts.providers() {
		levels := []string{opts.OptLevel}
		if opts.OptLevel == "" {
			levels = ort.OptLevels()
		}
		for _, level := range levels {
			if !s.reproORT(provider, level, about, inputs, expected) {
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

// reproORT runs a repro in ONNX Runtime; it reports false where the provider is
// not there.
func (s *session) reproORT(provider, level string, about *reproManifest, inputs, expected map[string]*interp.Array) bool {
	lib, err := ort.Load(s.opts.ORTLibrary)
	var session *ort.Session
	if err == nil {
		s.report.Runtime, s.report.RuntimePath = lib.Version, lib.Path
		session, err = ort.Open(filepath.Join(s.dir, run.GraphFile), ort.Options{Provider: provider, OptLevel: level})
	}
	if errors.Is(err, ort.ErrUnavailable) {
		if provider == ort.ProviderCPU || s.opts.Provider != "" {
			s.start("ort-"+provider, func() (run.Runner, error) { return nil, err })
		}
		return false
	}
	s.repro("ort-"+provider, level, about, expected, func() (map[string]*interp.Array, error) {
		if err != nil {
			return nil, err
		}
		defer session.Close()
		feeds := map[string]ort.Tensor{}
		for _, v := range session.Inputs() {
			a := inputs[v.Name]
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

// repro makes one runner's check: the output that is farthest off decides.
func (s *session) repro(runner, level string, about *reproManifest, expected map[string]*interp.Array, ask func() (map[string]*interp.Array, error)) {
	s.step("%s: %s", runner, about.Node)
	begin := time.Now()
	c := report.Check{Name: "repro", Runner: runner, Level: level, Against: about.Against, Limit: about.Float32, Verdict: report.Pass}
	if runner == "interp" {
		c.Limit = about.Float64
	}
	out, err := ask()
	if err != nil {
		c.Verdict, c.Detail = report.Fail, reason(runner, err)
	}
	for _, name := range sortedKeys(expected) {
		if err != nil {
			break
		}
		want := expected[name]
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
	s.add(c)
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
		return nil, fmt.Errorf("repro: %s: %w: extract it again with pecvt verify --bisect --extract", path, err)
	}
	if m.Schema != 1 || m.Node == "" || !(m.Float64 > 0) || !(m.Float32 > 0) {
		return nil, fmt.Errorf("repro: %s: schema %d, node %q, limits %v and %v: expected schema 1, a node and positive limits; extract it again with pecvt verify --bisect --extract", path, m.Schema, m.Node, m.Float64, m.Float32)
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

// sortedKeys are a map's keys in order.
func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// reproTarget refuses a folder that an extract may not be written to.
func reproTarget(dir string, force bool) error {
	info, err := os.Lstat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("target: %w", err)
	case !info.IsDir():
		return fmt.Errorf("target %s exists and is not a folder: choose another", dir)
	case !force:
		return fmt.Errorf("target %s exists: choose another, or replace it with --force", dir)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("target: %w", err)
	}
	for _, e := range entries {
		if !slices.Contains(reproFiles, e.Name()) {
			return fmt.Errorf("target %s holds %s, which is no part of a repro: --force replaces only what pecvt wrote", dir, e.Name())
		}
	}
	if len(entries) > 0 && !isRepro(dir) {
		return fmt.Errorf("target %s holds no %s: --force replaces only what pecvt wrote", dir, ReproFile)
	}
	return nil
}
