//go:build cgo

package ort

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	yalue "github.com/yalue/onnxruntime_go"

	"github.com/pecvt/pecvt/posenc/hint"
)

// builtWithout is why a build has no runtime; this one has.
var builtWithout *UnavailableError

// loadLibrary loads the library and makes the process's environment. A library
// is looked at before the loader is asked: see checkImage.
func loadLibrary(path string) (version string, err error) {
	if err := checkImage(path, runtime.GOOS, runtime.GOARCH); err != nil {
		return "", err
	}
	yalue.SetSharedLibraryPath(path)
	// What goes wrong comes back as an error; the same text on stderr as well
	// would stand in the middle of a report.
	if err := yalue.InitializeEnvironment(yalue.WithLogLevelFatal()); err != nil {
		text := plain(err)
		if strings.Contains(text, "setting ORT API base") {
			text = "it is older than ONNX Runtime " + MinVersion
		}
		return "", errors.New(text)
	}
	// Telemetry is on by default in some builds. Where it cannot be turned off
	// there is none.
	_ = yalue.DisableTelemetry()
	return yalue.GetVersion(), nil
}

type session struct {
	loaded  *yalue.DynamicAdvancedSession
	outputs []Value
}

func openBackend(path string, inputs, outputs []Value, options Options, profile string) (backend, error) {
	o, err := sessionOptions(options, profile)
	if err != nil {
		return nil, fmt.Errorf("ort: %s: %w", path, err)
	}
	defer o.Destroy()
	if options.Provider == ProviderCUDA {
		if err := addCUDA(o, options.Device); err != nil {
			return nil, err
		}
	}
	if options.OpsLibrary != "" {
		if err := addOps(o, options.OpsLibrary); err != nil {
			return nil, err
		}
	}
	names := func(values []Value) []string {
		all := make([]string, len(values))
		for i, v := range values {
			all[i] = v.Name
		}
		return all
	}
	s, err := yalue.NewDynamicAdvancedSession(path, names(inputs), names(outputs), o)
	if err != nil {
		return nil, fmt.Errorf("ort: %s: cannot load the model at optimization level %q on provider %q: %s",
			path, options.OptLevel, options.Provider, plain(err))
	}
	return &session{loaded: s, outputs: outputs}, nil
}

func sessionOptions(options Options, profile string) (*yalue.SessionOptions, error) {
	levels := map[string]yalue.GraphOptimizationLevel{
		OptDisabled: yalue.GraphOptimizationLevelDisableAll,
		OptBasic:    yalue.GraphOptimizationLevelEnableBasic,
		OptExtended: yalue.GraphOptimizationLevelEnableExtended,
		OptAll:      yalue.GraphOptimizationLevelEnableAll,
	}
	o, err := yalue.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	steps := []func() error{
		func() error { return o.SetGraphOptimizationLevel(levels[options.OptLevel]) },
		func() error { return o.SetLogSeverityLevel(yalue.LoggingLevelFatal) },
	}
	if options.Threads > 0 {
		steps = append(steps, func() error { return o.SetIntraOpNumThreads(options.Threads) })
	}
	if profile != "" {
		steps = append(steps, func() error { return o.EnableProfiling(profile) })
	}
	if options.Provider != ProviderCPU {
		steps = append(steps, func() error { return forbidFallback(o) })
	}
	for _, step := range steps {
		if err := step(); err != nil {
			o.Destroy()
			return nil, errors.New(plain(err))
		}
	}
	return o, nil
}

// forbidFallback makes a node that the chosen provider cannot run an error.
func forbidFallback(o *yalue.SessionOptions) error {
	return o.AddSessionConfigEntry("session.disable_cpu_ep_fallback", "1")
}

func addCUDA(o *yalue.SessionOptions, device int) error {
	library := libraryPath()
	if missing := missingForCUDA(library, runtime.GOOS, os.Stat); len(missing) > 0 {
		return cudaUnavailable(library, runtime.GOOS, nil)
	}
	cuda, err := yalue.NewCUDAProviderOptions()
	if err == nil {
		defer cuda.Destroy()
		err = cuda.Update(map[string]string{
			"device_id": fmt.Sprint(device),
			"use_tf32":  "0", // TF32 keeps 10 bits of a float32's 23
		})
	}
	if err == nil {
		err = o.AppendExecutionProviderCUDA(cuda)
	}
	if err != nil {
		return cudaUnavailable(library, runtime.GOOS, errors.New(plain(err)))
	}
	return nil
}

// addOps registers a library's kernels for the session. ONNX Runtime takes a
// registered kernel before a function of the model that has its domain and name.
func addOps(o *yalue.SessionOptions, library string) error {
	if err := CheckOpsLibrary(library); err != nil {
		return err
	}
	abs, err := filepath.Abs(library)
	if err == nil {
		err = o.RegisterCustomOpsLibrary(abs)
	}
	if err != nil {
		return hint.Errorf("ort: "+hint.OpsLibrary+" %s: %s; expected the library that `make ops` builds", library, plain(err))
	}
	return nil
}

func (s *session) run(ctx context.Context, inputs []Tensor, shapes [][]int64, into []*Tensor) ([]Tensor, error) {
	results, err := s.runInto(ctx, inputs, shapes, into)
	given := slices.ContainsFunc(into, func(t *Tensor) bool { return t != nil })
	if err != nil && !given && misshapen.MatchString(err.Error()) {
		// An output is not what the graph declares. Left to the runtime, it comes
		// back with the shape it has, and the caller can say what is wrong.
		if free, err := s.runInto(ctx, inputs, make([][]int64, len(shapes)), into); err == nil {
			return free, nil
		}
	}
	return results, err
}

// misshapen is how the runtime says that an output does not fit the memory it
// was given: its words of today, and those before.
var misshapen = regexp.MustCompile(`pre-allocated output|OrtValue shape verification failed`)

func (s *session) runInto(ctx context.Context, inputs []Tensor, shapes [][]int64, into []*Tensor) ([]Tensor, error) {
	var held values
	defer held.release()
	in := make([]yalue.Value, len(inputs))
	for i, t := range inputs {
		v, err := held.input(t)
		if err != nil {
			return nil, fmt.Errorf("input %d: %s", i, plain(err))
		}
		in[i] = v
	}
	out := make([]yalue.Value, len(s.outputs))
	read := make([]func(yalue.Value) (Tensor, error), len(s.outputs))
	for i, v := range s.outputs {
		var err error
		if t := into[i]; t != nil {
			out[i], err = held.input(*t)
			read[i] = func(yalue.Value) (Tensor, error) { return *t, nil }
		} else {
			out[i], read[i], err = held.output(v, shapes[i])
		}
		if err != nil {
			return nil, fmt.Errorf("output %q: %s", v.Name, plain(err))
		}
	}
	if err := s.start(ctx, in, out, &held); err != nil {
		return nil, errors.New(plain(err))
	}
	results := make([]Tensor, len(out))
	for i, v := range out {
		t, err := read[i](v)
		if err != nil {
			return nil, fmt.Errorf("output %q: %w", s.outputs[i].Name, err)
		}
		results[i] = t
	}
	return results, nil
}

// start runs the graph, and ends the run when the context is done. Outputs that
// are nil are filled in and held.
func (s *session) start(ctx context.Context, in, out []yalue.Value, held *values) error {
	options, err := yalue.NewRunOptions()
	if err != nil {
		return err
	}
	defer options.Destroy()
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		_ = options.Terminate()
	})
	defer func() {
		if !stop() {
			<-ended // options are still in use
		}
	}()

	asked := slices.Clone(out)
	err = s.loaded.RunWithOptions(in, out, options)
	for i, v := range out {
		if v != nil && asked[i] == nil {
			held.add(v)
		}
	}
	return err
}

func (s *session) close() error { return s.loaded.Destroy() }

// plain takes onnxruntime_go's own words off an error and puts what the runtime
// said on one line.
func plain(err error) string {
	text := err.Error()
	for _, prefix := range []string{
		"Platform-specific initialization failed: ", "Error creating C session from file: ",
		"Error running network: ", "ORT API error creating tensor: ",
	} {
		text = strings.TrimPrefix(text, prefix)
	}
	// An error from the depths comes with the C++ function it passed through,
	// and a code that the text says again.
	if at := codes.FindAllStringIndex(text, -1); at != nil {
		text = text[at[len(at)-1][1]:]
	}
	return strings.TrimSuffix(strings.Join(strings.Fields(text), " "), ".")
}

// codes is how the runtime writes a status inside a text.
var codes = regexp.MustCompile(`(\[ONNXRuntimeError\] : )?\b\d+ : [A-Z_]+ : `)
