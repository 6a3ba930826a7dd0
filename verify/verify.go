package verify

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/fsio"
	"github.com/pecvt/pecvt/convert/place"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/posenc/hint"
	"github.com/pecvt/pecvt/verify/bisect"
	"github.com/pecvt/pecvt/verify/figures"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// Options steer a verification. The zero value verifies with a generated
// prompt on the CPU provider.
type Options struct {
	// Tokens is the length of the generated prompt; 0 is 48. Seed makes it; 0 is 1.
	Tokens int
	Seed   int64
	// IDs, where not empty, is a safetensors file whose input_ids are used
	// instead of generated ones.
	IDs string
	// Golden, where not empty, is a safetensors file with input_ids and logits
	// that every runner is compared with.
	Golden string
	// Against, where not empty, is the source model to measure the drift from.
	Against string
	// File, where not empty, is the GGUF file that the folder was made of, for the check
	// of what pecvt wrote into it.
	File string
	// IgnoreKeys are keys of config.json, of the folder or of Against, that change
	// nothing of what the model computes; see convert.Options.
	IgnoreKeys []string
	// DriftTokens bounds the positions the drift is measured on; 0 is all of
	// the input's.
	DriftTokens int
	// ORTLibrary chooses ONNX Runtime. Provider "" is the CPU and, where there is
	// one, CUDA; OptLevel "" is every level.
	ORTLibrary, Provider, OptLevel string
	// OpsLibrary, where not empty, is a library of kernels for the operators of
	// ai.pecvt, which ONNX Runtime then runs in place of their functions.
	OpsLibrary string
	// Threads is how many threads ONNX Runtime computes a node with; 0 leaves it
	// to the runtime.
	Threads int
	// Runners answer for the graph in place of the interpreter and ONNX Runtime,
	// where not nil. They are opened on the folder by the caller (package run has
	// the two), and closed by it; the options of ONNX Runtime are then not for
	// them. A name of two of them, or "ref", is an error, and so is one whose
	// arithmetic no tolerance is known for.
	Runners []run.Runner
	// Require names runners whose absence is a failure: "ort", or what the names of
	// Runners begin with.
	Require []string
	// Bisect looks for the node where the graph's values leave the budget, and
	// Extract, where not empty, is the folder to write that node to as a repro
	// (Force: in place of an older one). MaxMem bounds the bytes of values held
	// at a time; 0 is 1 GiB.
	Bisect  bool
	Extract string
	// Layers, where not empty, are those that are run, ascending; the graph's other
	// nodes are left out, with the model's other layers, so that memory is theirs. The
	// verdict is incomplete at best.
	Layers []int
	Force  bool
	MaxMem int64
	// Curves asks for the data of figures (Report.Curves).
	Curves bool
	// Fetched, where not nil, is told of what comes of a folder elsewhere.
	Fetched place.StageProgress
	// Progress, where not nil, is told of every step as it starts, of how many
	// were made before it, and of how many there will be as far as is known.
	Progress func(step string, done, total int)
}

// session is one verification under way.
type session struct {
	ctx    context.Context
	dir    string
	partly *place.Partly // the folder whose tensor files have holes, nil for one without
	opts   Options
	info   *run.GraphInfo
	model  *family.Model // at the graph's length
	loaded *family.Model // as the checkpoint declares it
	ckpt   store.Store
	logits string // which the graph says that it gives, "" for all
	// unrunnable: the layers that were asked for cannot be told apart from the others.
	unrunnable bool
	kept       *family.Model   // the model of Options.Layers, nil for all
	picked     *fsio.Temporary // the folder of the graph of Options.Layers (run.KeepLayers), nil for all
	whole      *fsio.Temporary // the folder of the graph with all logits (run.Whole), nil for its own
	left       *fsio.Temporary // the folder of the graph in float32 (run.InFloat32), nil for its own
	// computes is what the graph as it is computes in, wrongTypes what is wrong with that.
	computes   onnxpb.TensorProto_DataType
	wrongTypes string
	meant      store.Store // ckpt, with the numbers that the graph's codes mean
	ref        *run.Ref
	others     []run.Runner
	report     *report.Report

	ids     [][]int64   // one row
	in      run.Input   // of ids
	answers want        // to in
	given   *run.Golden // nil without one
	// leftOut says of which rows ids is a part, "" where it is all.
	leftOut string
	// source and sourceCkpt are what the drift is measured from, or nil.
	source     *family.Model
	sourceCkpt store.Store
	leaves     *string   // what firstLayer found
	synthetic  *run.Past // the last one made, or nil
	budgets
	made
	failures []bisect.Failure // for the bisection
	progress progress
	// cut, where not nil, is in the place of run.KeepLayers: tests cut wrong.
	cut func(g *run.GraphInfo, m, picked *family.Model, layers []int) (*run.GraphInfo, error)
}

// defaultTokens is the length of a prompt that nobody chose.
const defaultTokens = 48

// Verify checks the folder dir, which holds a checkpoint and its model.onnx. One that is
// named by a URL (package place), as Options.Against may be, is fetched into the cache: as
// a whole, or with Options.Layers what these need of the tensor files.
// An error means that the verification could not be made; what it found is in
// the report's verdict. A file of the folder, of Options.Against or another that the
// options name, which changes meanwhile, is ErrChanged.
func Verify(ctx context.Context, dir string, opts Options) (*report.Report, error) {
	partly, err := staged(ctx, &dir, &opts)
	if err != nil {
		return nil, err
	}
	if partly != nil {
		defer partly.Close()
	}
	files := watch(dir, opts.Against, opts.Golden, opts.IDs, opts.File)
	if partly != nil { // whose versions each answer is of
		files.ignore(func(path string) bool { return partly.Grows(filepath.Base(path)) })
	}
	r, err := verified(ctx, dir, partly, opts)
	if changed := files.changed(); changed != nil && ctx.Err() == nil {
		return nil, changed // whatever else came of it
	}
	return r, err
}

func verified(ctx context.Context, dir string, partly *place.Partly, opts Options) (*report.Report, error) {
	begin := time.Now()
	if opts.Tokens == 0 {
		opts.Tokens = defaultTokens
	}
	if opts.Seed == 0 {
		opts.Seed = 1
	}
	if err := opts.check(); err != nil {
		return nil, fmt.Errorf("verify: %w", err)
	}
	if err := somethingToVerify(dir); err != nil {
		return nil, err
	}
	if bisect.IsRepro(dir) {
		return verifyRepro(ctx, dir, opts)
	}
	if opts.Extract != "" {
		opts.Bisect = true
		if err := bisect.ReproTarget(opts.Extract, opts.Force); err != nil {
			return nil, err
		}
	}
	s := &session{ctx: ctx, dir: dir, partly: partly, opts: opts, report: &report.Report{Schema: 1, Model: filepath.Base(fsio.Absolute(dir)), Seed: opts.Seed, Tolerances: report.Tolerances()}}
	defer s.close()
	if err := s.makeChecks(); err != nil {
		return nil, err
	}
	if b := s.report.Bisect; b != nil && opts.Extract != "" && b.Extracted == "" {
		b.Summary += "; no node to write to " + opts.Extract
	}
	if partly != nil && partly.Traffic().Requests > 0 {
		t := partly.Traffic()
		s.report.Read = &report.Traffic{Requests: t.Requests, Bytes: t.Bytes, Repeated: t.Repeated}
	}
	s.report.Settle()
	s.report.Seconds = report.Number(time.Since(begin).Seconds())
	return s.report, nil
}

// makeChecks opens what there is and makes all checks of it.
func (s *session) makeChecks() error {
	for _, step := range []func() error{s.open, s.openInputs, s.pickLayers, func() error { return s.makeAll(ofFolder) }, s.lengthDependence, s.keepLayers} {
		if err := step(); err != nil {
			return err
		}
	}
	if s.has(NeedRunners) {
		if err := s.ofAnswers(); err != nil {
			return err
		}
	}
	return s.bisect()
}

// ofAnswers makes the checks that run the graph, the drift, and the figures.
func (s *session) ofAnswers() error {
	if err := s.makeAll(ofGraph); err != nil {
		return err
	}
	if err := s.openRunners(); err != nil {
		return err
	}
	if err := s.makeAll(ofRunners); err != nil {
		return err
	}
	if s.has(NeedReference) {
		if err := s.levels(); err != nil {
			return err
		}
	}
	if err := s.makeAll(ofOthers); err != nil {
		return err
	}
	if s.has(NeedReference) && s.source != nil {
		if err := s.drift(); err != nil {
			return err
		}
	}
	if err := s.makeAll(atEnd); err != nil {
		return err
	}
	s.report.Facts = figures.Facts(s.model, s.info.MaxLength)
	return s.curves()
}

// somethingToVerify makes sure that dir is a folder with a graph: nothing
// verified is not a success.
func somethingToVerify(dir string) error {
	st, err := os.Stat(dir)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("verify: %s: no such folder: expected one that convert or export wrote", dir)
	}
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	if !st.IsDir() {
		return isFile(dir)
	}
	if _, err := run.FindGraph(dir); errors.Is(err, os.ErrNotExist) {
		return noGraph(dir)
	} else if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	return nil
}

func isFile(path string) error {
	return fmt.Errorf("verify: %s is a file: expected the folder that convert or export wrote", path)
}

func noGraph(dir string) error {
	return hint.Errorf("verify: %s holds no %s: nothing to verify; emit the graph with pecvt export, or convert without "+hint.NoGraph, dir, run.GraphFile)
}

// open reads the graph and the checkpoint and starts the runners.
func (s *session) open() (err error) {
	if s.info, err = run.ReadGraph(s.dir); err != nil {
		return err
	}
	if s.partly != nil {
		s.ckpt, err = store.OpenIn(s.partly.Folder())
	} else {
		s.ckpt, err = store.Open(s.dir)
	}
	if err != nil {
		return err
	}
	loaded, err := families.LoadIgnoring(s.ckpt, s.opts.IgnoreKeys)
	if err != nil {
		return err
	}
	s.loaded = loaded
	if s.model, err = loaded.AtLength(s.info.MaxLength); err != nil {
		return fmt.Errorf("%s: %w", s.dir, err)
	}
	n := 0
	for _, a := range s.model.Attentions() {
		n += min(1, a.CachedHeads())
	}
	if n != s.info.Layers {
		return fmt.Errorf("%s has caches for %d layers, the checkpoint has %d: the graph belongs to another checkpoint; emit it again with pecvt export", s.info.Path, s.info.Layers, n)
	}
	r := s.report
	r.Family, r.Warnings = s.model.Family, s.model.Warnings
	if w := s.model.Wrapper; w != nil {
		r.InsideOf = w.ModelType
	}
	r.Encoding, r.Attention = s.info.Encoding, s.info.Attention
	if err := s.openWhole(); err != nil {
		return err
	}
	s.computes, s.wrongTypes = run.Computes(s.info.Model)
	if s.wrongTypes == "" {
		s.wrongTypes = run.WrongTypes(s.info.Model, s.computes)
	}
	if s.left, err = run.InFloat32(s.info); err != nil {
		return err
	}
	if s.meant, err = run.Meant(s.info, s.ckpt); err != nil {
		return err
	}
	s.ref = run.NewRef(s.model, s.meant)
	return nil
}

// openInputs opens what the options name, before any work is done.
func (s *session) openInputs() (err error) {
	if s.ids, err = s.promptIDs(); err != nil {
		return err
	}
	if s.opts.Golden != "" {
		if s.given, err = run.OpenGolden(s.opts.Golden, s.model.Vocab); err != nil {
			return err
		}
		if n := len(s.given.Ids[0]); n > s.info.MaxLength {
			return hint.Errorf("%s: %d positions, but the graph's tables hold %d: emit it with "+hint.MaxLength+" %d", s.opts.Golden, n, s.info.MaxLength, n)
		}
	}
	if s.opts.Against == "" {
		return nil
	}
	if s.sourceCkpt, err = store.Open(s.opts.Against); err != nil {
		return hint.Errorf(hint.Against+": %w", err)
	}
	if s.source, err = families.LoadIgnoring(s.sourceCkpt, s.opts.IgnoreKeys); err != nil {
		return hint.Errorf(hint.Against+": %w", err)
	}
	if s.source.Vocab != s.model.Vocab {
		return hint.Errorf(hint.Against+" %s has a vocabulary of %d, the model one of %d: not its source", s.opts.Against, s.source.Vocab, s.model.Vocab)
	}
	return nil
}

func (s *session) warn(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(s.report.Warnings, text) {
		s.report.Warnings = append(s.report.Warnings, text)
	}
}

// made is what checks of a session share once it is made.
type made struct {
	rows     *rows           // of the batches
	profiles *fsio.Temporary // the folder of ONNX Runtime's profiles
}
