package place

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/convert/fsio"
)

// StageProgress is how far a staging has come, in bytes.
type StageProgress func(file string, done, total int64)

// Stage makes a model that is not on the local disk lie there too, for what needs files,
// and gives its path: the folder, or the file that the place is. A place of the local
// disk is itself. Files that are there already, of the version that the place has, are
// not fetched again; what an ended Stage left is gone on with.
//
// Files of a bucket come into the cache ([fsio.CacheDir]), places/PLACE/VERSION/NAME,
// those of a hub into the hub's own (HF_HUB_CACHE, or hub in HF_HOME), in its layout.
// All files of a folder and the folders in it come, but for hidden ones, those of other
// formats beside safetensors files (.bin, .pt, .pth, .h5, .msgpack, .ot, .gguf), and the
// folders original and checkpoint-*.
func Stage(ctx context.Context, text string, progress StageProgress) (string, error) {
	return stage(ctx, text, IsFile, false, progress)
}

// StageImport is [Stage] for a checkpoint of another format: a .pt or .bin file or an
// index of ones, which come with all of its folder, or a folder of them.
func StageImport(ctx context.Context, text string, progress StageProgress) (string, error) {
	return stage(ctx, text, IsImportFile, true, progress)
}

// IsImportFile is [IsFile] for checkpoints of other formats too.
func IsImportFile(name string) bool {
	lower := strings.ToLower(name)
	return IsFile(name) || strings.HasSuffix(lower, ".pt") || strings.HasSuffix(lower, ".pth") || strings.HasSuffix(lower, ".bin") || strings.HasSuffix(lower, ".bin.index.json")
}

func stage(ctx context.Context, text string, isFile func(name string) bool, all bool, progress StageProgress) (string, error) {
	at, err := Parse(text)
	if err != nil {
		return "", err
	}
	if local, ok := at.Local(); ok {
		return local, nil
	}
	only := ""
	if isFile(at.Base()) {
		at, only = at.Split()
	}
	f, err := at.Open(ctx)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if f.local { // in the hub's cache already, and that is all there is
		return filepath.Join(f.root, only), nil
	}
	dir, err := f.stage(ctx, at.Base(), only, all, progress)
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, only), nil
}

// IsFile tells whether a name is that of a file of a model, by its end, and not of a
// folder: a bucket knows none.
func IsFile(name string) bool {
	lower := strings.ToLower(name)
	return strings.HasSuffix(name, ".safetensors") || strings.HasSuffix(name, ".safetensors.index.json") || strings.HasSuffix(lower, ".gguf")
}

// stage fetches the files of the folder, or a GGUF file alone, to where they belong.
func (f *Folder) stage(ctx context.Context, base, only string, all bool, progress StageProgress) (string, error) {
	entries, err := f.wanted(only, all)
	if err != nil {
		return "", err
	}
	var total int64
	for _, e := range entries {
		total += e.Size
	}
	to, err := f.driver.cache(f, base, entries)
	if err != nil {
		return "", fmt.Errorf("%s: no cache to fetch it to: %w", f.root, err)
	}
	release, err := to.hold(ctx, f)
	if err != nil {
		return "", err
	}
	defer release()
	return to.dir, to.fetchAll(ctx, f, entries, func(file string, done int64) {
		if progress != nil {
			progress(file, done, total)
		}
	})
}

// hold makes the folders of a staging and takes its lock.
func (to *staging) hold(ctx context.Context, f *Folder) (release func(), err error) {
	for _, dir := range []string{to.work, filepath.Dir(to.lock)} {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return nil, fmt.Errorf("%s: the cache: %w; %s names another", f.root, err, to.env)
		}
	}
	release, err = fsio.Hold(ctx, to.lock, func() {
		if say := said.Load(); say != nil {
			(*say)(f.root + ": another process fetches it: waiting")
		}
	})
	if err != nil {
		return nil, fmt.Errorf("%s: the cache: %w", f.root, err)
	}
	return release, nil
}

// fetchAll fetches files whole, with the lock; progress is told of the bytes of all.
func (to *staging) fetchAll(ctx context.Context, f *Folder, entries []Entry, progress func(file string, done int64)) error {
	var done int64
	for _, e := range entries {
		tell := func(n int64) {
			done += n
			progress(e.Name, done)
		}
		if err := to.fetch(ctx, f, e, tell); err != nil {
			return fmt.Errorf("%w; what came stays in %s, and the same command goes on from there", err, to.work)
		}
	}
	return to.finish()
}

// staging is where a folder's files go.
type staging struct {
	// work is the folder of the cache, lock the file that is locked, dir the folder that
	// is handed out.
	work, lock, dir string
	env             string // the variable that names another
	// fetch makes a file of dir.
	fetch func(ctx context.Context, f *Folder, e Entry, tell fsio.Progress) error
	// finish is called when all are there, with the lock.
	finish func() error
}

// wanted lists the files that come, those in folders too, and with all those of other
// formats beside safetensors files.
func (f *Folder) wanted(only string, all bool) ([]Entry, error) {
	if strings.HasSuffix(strings.ToLower(only), ".gguf") {
		e, err := f.entry(only)
		return []Entry{e}, err
	}
	var list []Entry
	folders := []string{""}
	for len(folders) > 0 {
		folder := folders[0]
		folders = folders[1:]
		entries, err := f.list(folder)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			base := path.Base(e.Name)
			switch {
			case strings.HasPrefix(base, "."):
			case e.Dir && base != "original" && !strings.HasPrefix(base, "checkpoint-"):
				folders = append(folders, e.Name)
			case !e.Dir:
				list = append(list, e)
			}
		}
		if len(list)+len(folders) > maxListed {
			return nil, fmt.Errorf("%s: over %d files: expected the folder of one model", f.root, maxListed)
		}
	}
	if !all && slices.ContainsFunc(list, func(e Entry) bool { return strings.HasSuffix(e.Name, ".safetensors") }) {
		list = slices.DeleteFunc(list, func(e Entry) bool {
			return slices.Contains([]string{".bin", ".pt", ".pth", ".h5", ".msgpack", ".ot", ".gguf"}, strings.ToLower(path.Ext(e.Name)))
		})
	}
	slices.SortFunc(list, func(a, b Entry) int { return cmp.Or(cmp.Compare(a.Size, b.Size), cmp.Compare(a.Name, b.Name)) })
	for _, e := range list {
		if !filepath.IsLocal(filepath.FromSlash(e.Name)) {
			return nil, fmt.Errorf("%s: a file called %q: no name of this system", f.root, e.Name)
		}
	}
	return list, nil
}

// cache is where the files of a bucket's folder go.
func (b *bucket) cache(f *Folder, base string, entries []Entry) (*staging, error) {
	return inPlaces(f, base, entries, "")
}

// inPlaces is where files of a folder go: one folder of the cache for all that are of one
// version, whose name ends as kind says.
func inPlaces(f *Folder, base string, entries []Entry, kind string) (*staging, error) {
	root, err := fsio.CacheDir()
	if err != nil {
		return nil, err
	}
	version := sha256.New()
	for _, e := range entries {
		fmt.Fprintf(version, "%q %d %q\n", e.Name, e.Size, cmp.Or(e.Version, e.ModTime.String()))
	}
	at := sha256.Sum256([]byte(f.id))
	work := filepath.Join(root, "places", hex.EncodeToString(at[:8]), hex.EncodeToString(version.Sum(nil)[:8])+kind)
	keep, err := keeping()
	if err != nil {
		return nil, err
	}
	s := &staging{work: work, lock: work + lockSuffix, dir: filepath.Join(work, base), env: fsio.EnvCache}
	s.finish = func() error {
		if err := use(work); err != nil {
			return fmt.Errorf("the cache: %w", err)
		}
		prune(filepath.Join(root, "places"), keep)
		return nil
	}
	s.fetch = func(ctx context.Context, f *Folder, e Entry, tell fsio.Progress) error {
		dst := filepath.Join(s.dir, filepath.FromSlash(e.Name))
		if err := os.MkdirAll(filepath.Dir(dst), 0o777); err != nil {
			return err
		}
		return f.download(ctx, e, dst, tell)
	}
	return s, nil
}

// cache is the hub's own: blobs by their digests, and a snapshot of the commit whose
// files are links to them.
func (h *hub) cache(f *Folder, base string, entries []Entry) (*staging, error) {
	root, err := hubCache()
	if err != nil {
		return nil, err
	}
	work := filepath.Join(root, "models--"+strings.ReplaceAll(h.repo, "/", "--"))
	snapshot := filepath.Join(work, "snapshots", h.commit)
	s := &staging{work: work, lock: filepath.Join(root, ".locks", filepath.Base(work), "pecvt.lock"), dir: filepath.Join(snapshot, filepath.FromSlash(h.folder)), env: "HF_HUB_CACHE"}
	s.fetch = func(ctx context.Context, f *Folder, e Entry, tell fsio.Progress) error {
		if !hexDigits(e.Version) {
			return fmt.Errorf("%s: listed with the digest %q: expected hexadecimal digits", f.Path(e.Name), e.Version)
		}
		blob := filepath.Join(work, "blobs", e.Version)
		link := filepath.Join(snapshot, filepath.FromSlash(h.folder+e.Name))
		for _, dir := range []string{filepath.Dir(blob), filepath.Dir(link)} {
			if err := os.MkdirAll(dir, 0o777); err != nil {
				return err
			}
		}
		if st, err := os.Stat(link); err == nil && st.Size() == e.Size {
			tell(e.Size)
			return nil
		}
		if err := f.download(ctx, e, blob, tell); err != nil {
			return err
		}
		os.Remove(link) // one that leads nowhere
		to, err := filepath.Rel(filepath.Dir(link), blob)
		if err == nil {
			err = os.Symlink(to, link)
		}
		if err != nil { // a system without links: the file itself, as the hub's client does
			return os.Rename(blob, link)
		}
		return nil
	}
	s.finish = func() error {
		if h.revision == h.commit {
			return nil
		}
		ref := filepath.Join(work, "refs", filepath.FromSlash(h.revision))
		if err := os.MkdirAll(filepath.Dir(ref), 0o777); err != nil {
			return err
		}
		return fsio.WriteWhole(ref, []byte(h.commit))
	}
	return s, nil
}

// hexDigits tells whether a text is a digest.
func hexDigits(text string) bool {
	raw, err := hex.DecodeString(text)
	return err == nil && len(raw) >= 20
}
