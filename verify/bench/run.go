package bench

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"github.com/pecvt/pecvt/posenc/hint"
	"github.com/pecvt/pecvt/verify/ort"
)

// Config says what is measured.
type Config struct {
	// Dirs are the folders, the first of which is what the others are compared with.
	Dirs []string
	// Worker is the command of a process that runs [Serve] on its standard input and
	// output.
	Worker []string
	// Lengths are those of prompts, Contexts how many tokens are before those that are
	// decoded, Steps how many each round decodes; Steps 0 is 8.
	Lengths, Contexts []int
	Steps             int
	// Repeat is how many rounds count; 0 is 7. A load is repeated three times at most.
	Repeat int
	// ORTLibrary is ONNX Runtime's library, "" the one that is found; ORT the sessions.
	ORTLibrary string
	ORT        ort.Options
	// Ops has for each folder the library of kernels that it runs with in place of
	// ORT's, "" none; nil: ORT's everywhere.
	Ops []string
	// Progress is told of each piece of work.
	Progress func(what string, done, total int)
}

const (
	defaultSteps  = 8
	defaultRepeat = 7
	mostLoads     = 3
	// pause lets threads stop that wait for work by spinning.
	pause = 50 * time.Millisecond
)

// job is one run.
type job struct {
	Config
	ctx         context.Context
	processes   []*process
	report      *Report
	done, total int
}

// Run measures. Errors: no graph in a folder, or one of another interface; lengths that
// are longer than its tables; a runtime that cannot be loaded (matches
// [ort.ErrUnavailable]).
func Run(ctx context.Context, c Config) (*Report, error) {
	if c.Steps == 0 {
		c.Steps = defaultSteps
	}
	if c.Repeat == 0 {
		c.Repeat = defaultRepeat
	}
	switch {
	case len(c.Dirs) == 0 || len(c.Worker) == 0:
		return nil, fmt.Errorf("bench: expected folders, and a command for their processes")
	case c.Ops != nil && len(c.Ops) != len(c.Dirs):
		return nil, fmt.Errorf("bench: %d libraries of kernels for %d folders", len(c.Ops), len(c.Dirs))
	case c.Steps < 1 || c.Repeat < 1:
		return nil, fmt.Errorf("bench: %d steps in %d rounds: expected 1 or more of both", c.Steps, c.Repeat)
	case slices.ContainsFunc(append(slices.Clone(c.Lengths), c.Contexts...), func(n int) bool { return n < 1 }):
		return nil, fmt.Errorf("bench: a length under 1")
	}
	c.Lengths, c.Contexts = slices.Compact(slices.Sorted(slices.Values(c.Lengths))), slices.Compact(slices.Sorted(slices.Values(c.Contexts)))
	lib, err := ort.Load(c.ORTLibrary) // so that an error is said once, and well
	if err != nil {
		return nil, err
	}
	if c.ORT.Provider == "" {
		c.ORT.Provider = ort.ProviderCPU
	}
	c.ORTLibrary = lib.Path
	j := &job{Config: c, ctx: ctx}
	j.report = &Report{Schema: Schema, Runtime: lib.Version, Provider: c.ORT.Provider, Threads: c.ORT.Threads, Repeat: c.Repeat, Steps: c.Steps}
	loads := min(c.Repeat, mostLoads)
	j.total = len(c.Dirs) * (loads + 1 + (len(c.Lengths)+len(c.Contexts))*(c.Repeat+1))
	defer j.end()
	if err := j.load(loads); err != nil {
		return nil, err
	}
	for _, n := range c.Lengths {
		if err := j.prefill(n); err != nil {
			return nil, err
		}
	}
	for _, n := range c.Contexts {
		if err := j.decode(n); err != nil {
			return nil, err
		}
	}
	j.end()
	return j.report, nil
}

// end ends the processes, and takes their peaks down.
func (j *job) end() {
	for i, p := range j.processes {
		peak := p.end()
		if i < len(j.report.Models) {
			j.report.Models[i].PeakBytes = peak
		}
	}
	j.processes = nil
}

// load opens every folder in turns, each time in a new process; the last ones stay.
func (j *job) load(rounds int) error {
	for i, dir := range j.Dirs {
		m := &Model{Model: filepath.Base(dir), Path: dir, Ops: j.ops(i)}
		if abs, err := filepath.Abs(dir); err == nil {
			m.Model = filepath.Base(abs)
		}
		if slices.ContainsFunc(j.report.Models, func(o *Model) bool { return o.Model == m.Model && o.Path != dir }) {
			m.Model = dir
		}
		if j.Ops != nil && m.Ops != "" {
			m.Model += "@" + filepath.Base(m.Ops)
		}
		err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			info, err := d.Info()
			if err == nil {
				m.Bytes += info.Size()
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("%s: %w: expected a folder with a graph", dir, err)
		}
		j.report.Models = append(j.report.Models, m)
	}
	times, err := j.rounds("load", rounds, func(i int) (answer, error) {
		if i < len(j.processes) {
			j.processes[i].end()
		}
		p, err := start(j.ctx, j.Worker, j.Dirs[i])
		if err != nil {
			return answer{}, err
		}
		if i < len(j.processes) {
			j.processes[i] = p
		} else {
			j.processes = append(j.processes, p)
		}
		options := j.ORT
		options.OpsLibrary = j.ops(i)
		a, err := p.ask(j.ctx, request{Open: j.Dirs[i], ORTLibrary: j.ORTLibrary, ORT: options})
		if err != nil {
			return a, err
		}
		need := slices.Max(append(slices.Clone(j.Lengths), 0))
		for _, n := range j.Contexts {
			need = max(need, n+j.Steps*(j.Repeat+1))
		}
		if a.MaxLength > 0 && need > a.MaxLength {
			return a, hint.Errorf("%s: %d tokens are needed (of a context: those that are decoded too), the graph has %d positions: ask for smaller "+hint.Lengths+" or "+hint.Contexts+", or emit it with a larger "+hint.MaxLength, j.Dirs[i], need, a.MaxLength)
		}
		return a, nil
	})
	if err != nil {
		return err
	}
	for i, f := range figures(times, 1) {
		f.Rate = 0
		j.report.Models[i].Load = f
	}
	return nil
}

// ops is the library of kernels of a folder.
func (j *job) ops(i int) string {
	if j.Ops == nil {
		return j.ORT.OpsLibrary
	}
	return j.Ops[i]
}

func (j *job) prefill(n int) error {
	times, err := j.rounds(fmt.Sprintf("prefill of %d", n), j.Repeat, func(i int) (answer, error) {
		return j.processes[i].ask(j.ctx, request{Prefill: n})
	})
	if err != nil {
		return err
	}
	for i, f := range figures(times, 1) {
		f.Tokens, f.Rate = n, float64(n)/f.Seconds
		j.report.Models[i].Prefill = append(j.report.Models[i].Prefill, f)
	}
	return nil
}

func (j *job) decode(n int) error {
	for _, p := range j.processes {
		if _, err := p.ask(j.ctx, request{Reach: n}); err != nil {
			return err
		}
	}
	times, err := j.rounds(fmt.Sprintf("decode at %d", n), j.Repeat, func(i int) (answer, error) {
		return j.processes[i].ask(j.ctx, request{Decode: j.Steps})
	})
	if err != nil {
		return err
	}
	for i, f := range figures(times, j.Steps) {
		f.Tokens = n
		j.report.Models[i].Decode = append(j.report.Models[i].Decode, f)
	}
	return nil
}

// rounds has a piece of work done by every folder in turns: once for nothing, then so
// many times. The result is by folder, then by round.
func (j *job) rounds(what string, n int, do func(i int) (answer, error)) ([][]answer, error) {
	times := make([][]answer, len(j.Dirs))
	for r := range n + 1 {
		for k := range j.Dirs {
			i := k
			if r%2 == 1 {
				i = len(j.Dirs) - 1 - k
			}
			if j.Progress != nil {
				j.Progress(fmt.Sprintf("%s, %s", what, j.report.Models[i].Model), j.done, j.total)
			}
			j.done++
			select {
			case <-j.ctx.Done():
				return nil, j.ctx.Err()
			case <-time.After(pause):
			}
			a, err := do(i)
			if err != nil {
				return nil, err
			}
			if r > 0 {
				times[i] = append(times[i], a)
			}
		}
	}
	return times, nil
}

// figures are of work of so many tokens each.
func figures(times [][]answer, tokens int) []Figure {
	out := make([]Figure, len(times))
	for i, list := range times {
		var t, cpu, ratio, cpuRatio []float64
		for r, a := range list {
			t, cpu = append(t, a.Seconds/float64(tokens)), append(cpu, a.CPU/float64(tokens))
			ratio = append(ratio, a.Seconds/times[0][r].Seconds)
			if first := times[0][r].CPU; first > 0 {
				cpuRatio = append(cpuRatio, a.CPU/first)
			}
		}
		out[i] = Figure{Seconds: quantile(t, 0.5), Low: quantile(t, 0.25), High: quantile(t, 0.75), CPU: quantile(cpu, 0.5), Ratio: quantile(ratio, 0.5), CPURatio: quantile(cpuRatio, 0.5)}
		out[i].Rate = 1 / out[i].Seconds
	}
	return out
}

// quantile interpolates between the values around it, 0 of none.
func quantile(list []float64, q float64) float64 {
	if len(list) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(list))
	at := q * float64(len(s)-1)
	i := int(at)
	if i+1 == len(s) {
		return s[i]
	}
	return s[i] + (at-float64(i))*(s[i+1]-s[i])
}
