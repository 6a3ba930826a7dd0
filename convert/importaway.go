package convert

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/convert/fsio"
	"github.com/pecvt/pecvt/convert/gguf/unpack"
	"github.com/pecvt/pecvt/convert/place"
	"github.com/pecvt/pecvt/convert/torchfile"
)

// importTarget is the target of an import that is not on the local disk; nil where it is.
// The checkpoint is a path or a URL.
func importTarget(ctx context.Context, checkpoint, folder string) (*place.Target, place.Place, error) {
	to, name, err := targetPlace(folder)
	if err != nil {
		return nil, to, err
	}
	if _, local := to.Local(); local {
		return nil, to, nil
	}
	if place.IsFile(to.Base()) {
		return nil, to, fmt.Errorf("target %s: a folder is written, and a URL that ends so is read as that of a file: choose another name", name)
	}
	from, err := place.Parse(checkpoint)
	if err != nil {
		return nil, to, err
	}
	if from.Overlaps(to) || to.Overlaps(from) && !place.IsImportFile(from.Base()) {
		return nil, to, fmt.Errorf("target %s holds the source %s, or lies in it: the source is never written to; choose another target", name, from)
	}
	t, err := to.Target(ctx)
	return t, to, err
}

// CheckImport says before any work what [Import] would say of a folder that is not on the
// local disk: that something is there already, or nothing can be written there. Nothing
// stays of the attempt. The checkpoint may be a URL, which Import does not take; that a
// folder elsewhere is none is said too, before it is fetched.
func CheckImport(ctx context.Context, checkpoint, folder string) error {
	t, _, err := importTarget(ctx, checkpoint, folder)
	if err != nil {
		return err
	}
	if t == nil {
		return checkpointAway(ctx, checkpoint)
	}
	defer t.Close()
	if _, _, err := vacant(ctx, t, ""); err != nil {
		return err
	}
	if err := checkpointAway(ctx, checkpoint); err != nil {
		return err
	}
	return t.Try(ctx)
}

// checkpointAway looks for the files of a checkpoint in a folder that is not on the local
// disk.
func checkpointAway(ctx context.Context, checkpoint string) error {
	at, err := place.Parse(checkpoint)
	if err != nil {
		return err
	}
	if _, local := at.Local(); local || place.IsImportFile(at.Base()) {
		return nil
	}
	f, err := at.Open(ctx)
	if err != nil {
		return err
	}
	defer f.Close()
	for _, name := range torchfile.Names() {
		if _, err := f.Stat(name); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return torchfile.Missing(f.Root())
}

// vacant checks that nothing lies at the target, but for what an ended import of the plan
// left there; an empty plan is any.
func vacant(ctx context.Context, t *place.Target, plan string) ([]place.Entry, *place.Unfinished, error) {
	there, err := t.List(ctx)
	if err != nil {
		return nil, nil, err
	}
	older, err := t.Unfinished(ctx)
	switch {
	case err != nil:
		return nil, nil, err
	case older == nil && len(there) > 0:
		return nil, nil, fmt.Errorf("target %s exists: nothing is replaced by an import; choose another", t.Root())
	case older != nil && plan != "" && older.Plan != plan:
		return nil, nil, fmt.Errorf("target %s holds what another command, or one with another version of the source, left unfinished: that command finishes it; choose another target, or remove what lies there", t.Root())
	}
	return there, older, nil
}

// importAway imports into a folder elsewhere: it is claimed, all is made on the local
// disk, then sent in the order of a conversion.
func importAway(ctx context.Context, t *place.Target, checkpoint, name string, opts ImportOptions) (_ *Imported, err error) {
	defer func() {
		if !passing(ctx, err) {
			t.Spoil()
		}
		cause := context.Cause(t.Context()) // before Close ends it
		t.Close()
		if err != nil && ctx.Err() == nil && cause != nil && !errors.Is(cause, context.Canceled) {
			err = cause
		}
		if err != nil && t.Left() {
			err = &LeftError{err, name}
		}
	}()
	plan, err := importIdentity(checkpoint, opts)
	if err != nil {
		return nil, err
	}
	there, older, err := vacant(ctx, t, plan)
	if err != nil {
		return nil, err
	}
	own, err := fsio.NewTemporary("", "import")
	if err != nil {
		return nil, fmt.Errorf("target %s: no folder for temporary files: %w", name, err)
	}
	defer own.Remove()
	if err := t.Claim(plan, nil, nil, older, there); err != nil {
		return nil, err
	}
	dir := filepath.Join(own.Dir, "made")
	r, err := importLocal(t.Context(), checkpoint, dir, opts)
	if err != nil {
		return nil, interrupted(ctx, err)
	}
	if err := send(t, dir, func(file string) bool { return strings.HasSuffix(file, ".safetensors") }); err != nil {
		return nil, interrupted(ctx, err)
	}
	r.Output, r.Wrote = name, t.Written()
	return r, nil
}

// importIdentity tells an import, and the version of its source, from all others.
func importIdentity(checkpoint string, opts ImportOptions) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "import %q %q %d %q %v\n", opts.ToolVersion, filepath.Base(checkpoint), opts.MaxShardSize, opts.DType, opts.NoTokenizer)
	dir, names := filepath.Dir(checkpoint), []string{filepath.Base(checkpoint)}
	if info, err := os.Stat(checkpoint); err != nil {
		return "", fmt.Errorf("import: %w", err)
	} else if info.IsDir() {
		dir = checkpoint
	}
	if !unpack.Opens(checkpoint) { // what comes along lies beside it
		entries, err := os.ReadDir(dir)
		if err != nil {
			return "", fmt.Errorf("import: %w", err)
		}
		names = nil
		for _, e := range entries {
			if !e.IsDir() {
				names = append(names, e.Name())
			}
		}
		slices.Sort(names)
	}
	for _, name := range names {
		v, err := place.Local(dir).Version(name)
		if err != nil {
			return "", fmt.Errorf("import: %w", err)
		}
		fmt.Fprintf(h, "%q %q\n", name, v)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
