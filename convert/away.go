package convert

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/pecvt/pecvt/convert/fsio"
	"github.com/pecvt/pecvt/convert/place"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/posenc/hint"
)

// away is a target that is not on the local disk, with a folder there for the small files
// of the result, which are written last.
type away struct {
	*place.Target
	plan *Plan
	own  *fsio.Temporary
	// onDisk says that all files are made in the folder first.
	onDisk bool
	hashes map[string]string // of tensor files that the manifest has the SHA-256 of
}

// isAway tells whether the target is not on the local disk.
func (p *Plan) isAway() bool {
	_, local := p.to.Local()
	return !local
}

// openAway opens the target as it is. Where the result is one file, that is it.
func (p *Plan) openAway(ctx context.Context) (*place.Target, error) {
	if p.oneFile() {
		folder, name := p.to.Split()
		return folder.TargetFile(ctx, name)
	}
	return p.to.Target(ctx)
}

// before is what lies at a target before a run.
type before struct {
	there []place.Entry
	older *place.Unfinished
	// replaced are names of an older result, resumes says that a run of this plan was
	// ended there.
	replaced []string
	resumes  bool
}

// look checks that the target may be written. Source is the source's folder; an empty plan
// is any that was begun there.
func (p *Plan) look(ctx context.Context, t *place.Target, source *place.Folder, plan string, force bool) (*before, error) {
	if err := p.keepAway(); err != nil {
		return nil, err
	}
	s := &before{}
	var err error
	if s.there, err = t.List(ctx); err != nil {
		return nil, err
	}
	if t.Same(source, s.there) {
		from, _ := place.Parse(p.Model)
		return nil, fmt.Errorf("target %s is the source %s by another URL, as the same objects lie there: the source is never written to; choose another target", p.Output, from)
	}
	if s.older, err = t.Unfinished(ctx); err != nil {
		return nil, err
	}
	if s.older != nil {
		s.resumes = plan == "" || s.older.Plan == plan
		if !s.resumes && !force {
			return nil, hint.Errorf("target %s holds what another command, or one with another version of the source, left unfinished: that command finishes it; choose another target, or replace it with "+hint.Replace, p.Output)
		}
		return s, p.foreign(s.there, s.older.Files)
	}
	if len(s.there) == 0 {
		return s, nil
	}
	if !force {
		return nil, fmt.Errorf("target %s %w", p.Output, errTaken)
	}
	for _, e := range s.there {
		s.replaced = append(s.replaced, e.Name)
	}
	folder := p.to
	if p.oneFile() {
		folder, _ = p.to.Split()
	}
	old, err := folder.Open(ctx)
	if err != nil {
		return nil, fmt.Errorf("target: %w", err)
	}
	defer old.Close()
	if p.oneFile() {
		return s, replaceableFile(p.Output, old, p.fileName())
	}
	man, err := readManifest(old)
	if err != nil {
		return nil, notOurs(p.Output, err)
	}
	var names []string
	for _, f := range man.Files {
		names = append(names, f.Name)
	}
	return s, p.foreign(s.there, names)
}

// foreign refuses a target with what pecvt did not write.
func (p *Plan) foreign(there []place.Entry, ours []string) error {
	var others []string
	for _, e := range there {
		switch {
		case e.Dir:
			others = append(others, e.Name+"/")
		case !slices.Contains(ours, e.Name) && !slices.Contains(emitted, e.Name) && !emittedWeb(e.Name):
			others = append(others, e.Name)
		}
	}
	return wouldDelete(p.Output, others)
}

// keepAway refuses a target that is the source, lies in it or holds it.
func (p *Plan) keepAway() error {
	source, err := place.Parse(p.Model)
	if err != nil {
		return err
	}
	if source.Overlaps(p.to) {
		return fmt.Errorf("target %s holds the source %s: the source is never written to; choose another target", p.Output, source)
	}
	if !p.fromFile && p.to.Overlaps(source) {
		return fmt.Errorf("target %s lies inside the source %s: the source is never written to; choose another target", p.Output, source)
	}
	return nil
}

// checkAway is CheckTarget elsewhere. A small object is written and removed.
func (p *Plan) checkAway(ctx context.Context, force bool) error {
	t, err := p.openAway(ctx)
	if err != nil {
		return err
	}
	defer t.Close()
	if _, err = p.look(ctx, t, p.folder, "", force); err != nil {
		return err
	}
	return t.Try(ctx)
}

// prepareAway claims the target. The source is open in folder.
func (p *Plan) prepareAway(ctx context.Context, o RunOptions, folder *place.Folder) (_ *away, err error) {
	identity, err := p.identity(folder)
	if err != nil {
		return nil, err
	}
	t, err := p.openAway(ctx)
	if err != nil {
		return nil, err
	}
	a := &away{Target: t, plan: p, onDisk: o.OnDisk || p.options.Tuning != nil, hashes: map[string]string{}}
	defer func() {
		if err != nil {
			a.discard()
		}
	}()
	s, err := p.look(ctx, t, folder, identity, o.Force)
	if err != nil {
		return nil, err
	}
	if a.own, err = fsio.NewTemporary("", filepath.Base(p.Output)); err != nil {
		return nil, fmt.Errorf("target %s: no folder for temporary files: %w", p.Output, err)
	}
	var names []string
	for _, f := range p.Files {
		names = append(names, f.Name)
	}
	if err := t.Claim(identity, names, s.replaced, s.older, s.there); err != nil {
		return nil, err
	}
	if s.resumes || p.oneFile() { // a file is replaced at once
		return a, nil
	}
	for _, e := range s.there { // from now on there is no model
		if i := slices.IndexFunc(p.Files, func(f FilePlan) bool { return f.Name == e.Name && f.Tensors > 0 }); i < 0 {
			if err := t.Remove(e.Name); err != nil {
				return nil, err
			}
		}
	}
	return a, nil
}

// identity tells this plan, and the version of its source, from all others.
func (p *Plan) identity(folder *place.Folder) (string, error) {
	man := p.manifest()
	text, err := man.text()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	h.Write(text)
	for _, f := range p.Files {
		if f.Name != manifestName { // which a graph is recorded in
			fmt.Fprintf(h, "%q %q %d\n", f.Name, f.Action, f.Bytes)
		}
		if f.Source == "" {
			continue
		}
		version, err := folder.Version(f.Source)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%q\n", version)
	}
	for _, f := range p.source.Files {
		version, err := folder.Version(f.Name)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%q %q\n", f.Name, version)
	}
	h.Write(p.config)
	return hex.EncodeToString(h.Sum(nil)), nil
}

// takes tells whether a file goes to the target as it is made.
func (a *away) takes(f FilePlan) bool {
	return a != nil && !a.onDisk && (f.Tensors > 0 || a.plan.oneFile())
}

// file makes a large file at the target, unless an earlier run did.
func (a *away) file(w *run, f FilePlan) (how string, err error) {
	if part, ok := a.Done(f.Name); ok {
		w.sums[f.Name], a.hashes[f.Name] = part.CRC32C, part.SHA256
		w.report(f.Bytes)
		return "kept", nil
	}
	part := place.Part{Name: f.Name}
	if f.Action == Rewrite || f.Action == Respell {
		out := &sink{}
		if out.Upload, err = a.Create(f.Name, f.Bytes); err != nil {
			return "", err
		}
		defer out.Abort()
		if a.plan.hashed(f) && f.Tensors > 0 {
			out.hash = sha256.New()
		}
		if how, err = w.made(f, out); err != nil {
			return "", out.cause(err)
		}
		if err := out.Close(); err != nil {
			return "", err
		}
		if out.hash != nil {
			part.SHA256 = hex.EncodeToString(out.hash.Sum(nil))
		}
	} else {
		var see io.Writer
		var sums *safetensors.Sums
		if sums = a.plan.partsOf(w.src, f); sums != nil {
			see = sums
		}
		if how, err = a.CopyFile(w.folder, f.Source, f.Name, f.Action == ServerCopy, see, w.report); err != nil {
			return "", err
		}
		w.sums[f.Name] = sums.String()
	}
	if a.plan.oneFile() { // nothing comes after it
		return how, nil
	}
	part.How, part.CRC32C = how, w.sums[f.Name]
	a.hashes[f.Name] = part.SHA256
	return how, a.Record(part)
}

// sink is a large file on its way to a target.
type sink struct {
	*place.Upload
	hash hash.Hash
}

func (s *sink) Write(p []byte) (int, error) {
	if s.hash != nil {
		s.hash.Write(p)
	}
	return s.Upload.Write(p)
}

// cause is the error of what is sent, where that broke what is made.
func (s *sink) cause(err error) error {
	if cause := s.Failed(); cause != nil {
		return cause
	}
	return err
}

// discard gives the target up where it is not done, and removes what is temporary.
func (a *away) discard() {
	if a == nil {
		return
	}
	a.Close()
	a.own.Remove()
}

// lastNames are the files that make a folder one that is read, in their order.
var lastNames = []string{"config.json", manifestName}

// commit sends what was made on the disk, and finishes the target.
func (a *away) commit() error {
	return send(a.Target, a.own.Dir, func(name string) bool {
		return !a.plan.oneFile() && slices.ContainsFunc(a.plan.Files, func(f FilePlan) bool { return f.Name == name && f.Tensors > 0 })
	})
}

// send sends the files of a folder of the local disk, those that make a folder a model
// last, and finishes the target. A later run keeps those that keep names.
func send(t *place.Target, root string, keep func(name string) bool) error {
	var names, last []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if name := filepath.ToSlash(rel); !slices.Contains(lastNames, name) {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, name := range lastNames {
		if _, err := os.Lstat(filepath.Join(root, name)); err == nil {
			last = append(last, name)
		}
	}
	if err := t.Expect(append(slices.Clone(names), last...)); err != nil {
		return err
	}
	folder := place.Local(root)
	for _, name := range names {
		if _, done := t.Done(name); done {
			continue
		}
		how, err := t.CopyFile(folder, name, name, false, nil, nil)
		if err != nil {
			return err
		}
		if keep(name) {
			if err := t.Record(place.Part{Name: name, How: how}); err != nil {
				return err
			}
		}
	}
	return t.Finish(last, func(name string) ([]byte, error) { return os.ReadFile(filepath.Join(root, name)) })
}

// lost is the error of a run whose claim another took, rather than what that broke.
func (a *away) lost(ctx context.Context, err error) error {
	if a == nil || ctx.Err() != nil {
		return err
	}
	if cause := context.Cause(a.Context()); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}
