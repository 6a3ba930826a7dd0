package convert

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/pecvt/pecvt/convert/fsio"
	"github.com/pecvt/pecvt/convert/place"
	"github.com/pecvt/pecvt/convert/store"
)

// RunOptions say how a plan is carried out; they do not change its bytes.
type RunOptions struct {
	// Force replaces an existing target.
	Force bool
	// Durable waits until the result is on the disk before it is put in its
	// place, so that it also survives a loss of power right after. It costs
	// about as much again as the copying itself; without it the system writes
	// the result out in its own time, as after cp.
	Durable bool
	// Progress is told of the bytes placed so far; it may be nil.
	Progress func(Progress)
	// Finish adds to the result before it is put in its place.
	Finish func(ctx context.Context, made Made) error
	// OnDisk makes all of a result on the local disk before it goes to a target that is
	// elsewhere, for a Finish that needs files. Results with a selection or a calibration
	// always are.
	OnDisk bool
}

// Made is a result before it is put in its place: every planned file is complete.
type Made struct {
	// Dir is the folder of the local disk that is added to. Tensor files there may be hard
	// links to the source's: they must not be written to.
	Dir string
	// Folder is where the result's files are read: Dir, or, of a target that is elsewhere,
	// what lies there and in Dir.
	Folder *place.Folder
}

// Progress is how far a run has come.
type Progress struct {
	File        string
	Done, Total int64
}

// Result is what a run did.
type Result struct {
	Output string       `json:"output"`
	Files  []ResultFile `json:"files"`
	// Read is what was asked for of a place that is not the local disk.
	Read *place.Traffic `json:"read,omitempty"`
	// Wrote is what was done to a target that is not on the local disk.
	Wrote *place.Written `json:"wrote,omitempty"`
}

// ResultFile is a planned file and how it came about: "linked", "reflinked",
// "copied", "copied on the server", "rewritten", "written", or "kept" where an earlier
// run that was ended had made it.
type ResultFile struct {
	Name  string `json:"name"`
	How   string `json:"how"`
	Bytes int64  `json:"bytes"`
}

// Run writes what the plan says into a temporary folder beside the target and
// renames it. After an error, a cancelled context or a panic the temporary
// folder is gone and an older target is as it was.
//
// A target that is not on the local disk is written file by file and can be read when
// all of it is there ([place.Target]). What a run that ended has done there is kept for
// the next one with the same plan; an older target that it was to replace is gone.
func Run(ctx context.Context, p *Plan, o RunOptions) (_ *Result, err error) {
	var t *target
	if !p.isAway() {
		if t, err = p.prepareTarget(o.Force); err != nil {
			return nil, err
		}
	}
	defer t.discard() // also on a panic
	src, err := p.reopen(ctx)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	replaced, err := openOverlay(p.options.Tuning, src, nil, nil)
	if err != nil {
		return nil, err
	}
	defer replaced.Close()
	if !p.oneFile() { // a folder holds quantised weights as they are stored
		src = store.Stored(src)
	}
	w := &run{replaced: replaced, ctx: ctx, plan: p, src: src, folder: store.Folder(src), progress: o.Progress, linked: map[string]bool{}, sums: map[string]string{}}
	if p.isAway() {
		if w.away, err = p.prepareAway(ctx, o, w.folder); err != nil {
			return nil, err
		}
		defer func() {
			if !passing(ctx, err) {
				w.away.Spoil()
			}
			w.away.discard()
			if err != nil && w.away.Left() {
				err = &LeftError{err, p.Output}
			}
		}()
		w.ctx, w.dir = w.away.Context(), w.away.own.Dir
	} else {
		w.dir = t.temporary
	}
	if err := w.files(o.Finish); err != nil {
		return nil, interrupted(ctx, w.away.lost(ctx, err))
	}
	w.result.Read = traffic(src)
	if err := src.Close(); err != nil { // some systems rename no folder with open files
		return nil, fmt.Errorf("source: %w", err)
	}
	if w.away != nil {
		if err := w.away.commit(); err != nil {
			return nil, interrupted(ctx, w.away.lost(ctx, err))
		}
		w.result.Wrote = w.away.Written()
	} else if err := t.commit(o.Durable, w.linked); err != nil {
		return nil, err
	}
	w.result.Output = p.Output
	return &w.result, nil
}

// files makes the planned files, and what finish adds.
func (w *run) files(finish func(context.Context, Made) error) error {
	for _, f := range w.plan.Files {
		w.at = f.Name
		how, err := w.file(f)
		if err != nil {
			return err
		}
		w.linked[f.Name] = how == string(fsio.Linked)
		w.result.Files = append(w.result.Files, ResultFile{f.Name, how, f.Bytes})
	}
	if finish != nil {
		made := Made{Dir: w.dir, Folder: place.Local(w.dir)}
		if w.away != nil && !w.away.onDisk {
			var err error
			if made.Folder, err = w.away.Folder(w.dir); err != nil {
				return err
			}
			defer made.Folder.Close()
		}
		if err := finish(w.ctx, made); err != nil {
			return w.located(err)
		}
	}
	if err := w.check(); err != nil {
		return err
	}
	return w.ctx.Err()
}

// passing tells whether the same command may get further than an error did, and so goes on
// with parts of files: those that were sent before a fault of the source stay for nobody.
func passing(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, place.ErrGivenUp) || errors.Is(err, fs.ErrPermission)
}

// LeftError is an error after which something lies at the target, which no reader takes
// for a result and from which the same conversion goes on.
type LeftError struct {
	Err    error
	Target string
}

func (e *LeftError) Unwrap() error { return e.Err }

func (e *LeftError) Error() string {
	return fmt.Sprintf("%v; %s is left unfinished, and the same command goes on from there", e.Err, e.Target)
}

// interrupted makes a cancelled context the error, whatever it broke.
func interrupted(ctx context.Context, err error) error {
	if cause := ctx.Err(); cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w (%w)", cause, err)
	}
	return err
}

// reopen opens the source again and checks that it is the one planned for.
func (p *Plan) reopen(ctx context.Context) (store.Store, error) {
	src, err := openSource(ctx, p.Model, p.Format)
	if err != nil {
		return nil, err
	}
	same := slices.EqualFunc(src.Files(), p.source.Files, func(f store.File, planned sourceFile) bool {
		return f.Size == planned.Bytes && f.HeaderSHA256 == planned.HeaderSHA256
	})
	if !same {
		src.Close()
		return nil, fmt.Errorf("%s: the checkpoint changed after it was planned for: run again", p.Model)
	}
	return src, nil
}

// run is one conversion under way.
type run struct {
	ctx      context.Context
	plan     *Plan
	src      store.Store
	folder   *place.Folder // of the source
	replaced *overlay
	dir      string
	progress func(Progress)
	at       string
	done     int64
	linked   map[string]bool
	sums     map[string]string // by tensor file, of what was read
	away     *away             // nil where the target is on the local disk
	result   Result
}

func (w *run) report(n int64) {
	w.done += n
	if w.progress != nil {
		w.progress(Progress{File: w.at, Done: w.done, Total: w.plan.Bytes})
	}
}

// file makes one planned file.
func (w *run) file(f FilePlan) (how string, err error) {
	if w.away.takes(f) {
		return w.away.file(w, f)
	}
	dst := filepath.Join(w.dir, filepath.FromSlash(f.Name))
	if folder := filepath.Dir(dst); folder != w.dir {
		if err := os.MkdirAll(folder, 0o777); err != nil {
			return "", err
		}
	}
	switch f.Action {
	case Link:
		action, err := fsio.Link(w.ctx, w.folder.Path(f.Source), dst, w.report)
		return string(action), err
	case Reflink, Copy, ServerCopy:
		var see io.Writer
		sums := w.plan.partsOf(w.src, f)
		if sums != nil {
			see = sums
		}
		action, err := w.folder.Copy(w.ctx, f.Source, dst, see, w.report)
		w.sums[f.Name] = sums.String()
		return string(action), err
	case Rewrite, Respell:
		out, err := os.OpenFile(dst, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		if err != nil {
			return "", err
		}
		how, err = w.made(f, out)
		if cerr := out.Close(); err == nil && cerr != nil {
			err = fsio.WriteError(dst, cerr)
		}
		return how, err
	}
	text, err := w.text(f.Name)
	if err != nil {
		return "", err
	}
	return "written", w.write(dst, text)
}

// output is a file that is made from front to back: an [os.File], or on its way
// elsewhere.
type output interface {
	io.Writer
	Name() string
}

// made writes a file that is made anew.
func (w *run) made(f FilePlan, out output) (how string, err error) {
	switch g := w.plan.ggufFile; {
	case f.Action == Respell:
		if err := w.sealed(f.Name, w.plan.sealRespelling); err != nil {
			return "", err
		}
		return w.plan.respelling.write(w, out)
	case g != nil:
		if err := w.sealed(f.Name, w.plan.sealGGUF); err != nil {
			return "", err
		}
		return g.write(w, out)
	}
	return "rewritten", w.tensors(f.Name, out)
}

// text gives the small files that a plan makes itself.
func (w *run) text(name string) ([]byte, error) {
	switch name {
	case "config.json":
		return w.plan.config, nil
	case indexName:
		return w.plan.index, nil
	case tokenizerConfigName:
		if w.plan.tokenizer != nil {
			return w.plan.tokenizer, nil
		}
	}
	if text, ok := w.plan.beside[name]; ok {
		return text, nil
	}
	if err := w.hashSource(name); err != nil {
		return nil, err
	}
	return w.plan.renderManifest(func(file string) (string, error) {
		if w.away != nil && w.away.hashes[file] != "" {
			return w.away.hashes[file], nil
		}
		return fileSHA256(w.ctx, filepath.Join(w.dir, file))
	}, w.sums)
}

// sealed writes the header of a GGUF file anew where it was planned without the
// source's hashes, which are as long as what stood for them.
func (w *run) sealed(name string, seal func() error) error {
	if !w.plan.options.Hash {
		return nil
	}
	if err := w.hashSource(name); err != nil {
		return err
	}
	return seal()
}

// hashSource fills in the SHA-256 of the source's files, where asked for, while the
// named file is made.
func (w *run) hashSource(name string) error {
	if !w.plan.options.Hash {
		return nil
	}
	for i := range w.plan.source.Files {
		f := &w.plan.source.Files[i]
		w.at = "hash " + f.Name
		w.report(0)
		var err error
		if f.SHA256, err = w.sourceSHA256(f.Name); err != nil {
			return err
		}
	}
	w.at = name
	return nil
}

func (w *run) write(path string, text []byte) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fsio.WriteError(path, err)
	}
	w.report(int64(len(text)))
	return nil
}

// check compares the sizes on disk with the planned ones.
func (w *run) check() error {
	for i, f := range w.plan.Files {
		if w.away.takes(f) { // looked at when it was written
			continue
		}
		info, err := os.Lstat(filepath.Join(w.dir, f.Name))
		if err == nil && f.Name == manifestName { // a graph was recorded in it
			w.plan.resizeManifest(info.Size())
			w.result.Files[i].Bytes, f.Bytes = info.Size(), info.Size()
		}
		if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() != f.Bytes {
			return fmt.Errorf("%s: planned with %d bytes, written otherwise: the source changed while it was read; run again", f.Name, f.Bytes)
		}
		if err != nil {
			return fmt.Errorf("check %s: %w", f.Name, err)
		}
	}
	return nil
}
