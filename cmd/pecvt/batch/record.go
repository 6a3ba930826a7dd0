package batch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/pecvt/pecvt/convert/fsio"
	"github.com/pecvt/pecvt/convert/place"
)

// maxRecord bounds a record before it is read.
const maxRecord = 256 << 20

func recordPath(folder, job string) string { return filepath.Join(folder, job+".json") }

// readRecord reads a job's record, nil where there is none.
func readRecord(folder, job string) (*Record, error) {
	path := recordPath(folder, job)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxRecord))
	if err != nil {
		return nil, err
	}
	r := &Record{}
	if err := json.Unmarshal(raw, r); err != nil || r.Name != job {
		return nil, fmt.Errorf("%s is no record of the job %q: remove it, or name another folder for the records", path, job)
	}
	return r, nil
}

// writeRecord puts a record into its place, whole.
func writeRecord(folder string, r *Record) error {
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return fsio.Whole(recordPath(folder, r.Name), 0o644, true, func(w io.Writer) error {
		_, err := w.Write(append(raw, '\n'))
		return err
	})
}

// Records are the records of all jobs, in the order of the file; one that this run did
// not come to has the status [NotStarted].
func (p Plan) Records(jobs []Job) ([]*Record, error) {
	var out []*Record
	for _, j := range jobs {
		r, err := readRecord(p.Folder, j.Name)
		if err != nil {
			return nil, err
		}
		switch {
		case r == nil || r.Run != p.Run:
			r = &Record{Name: j.Name, Verb: j.Verb, Arguments: j.Arguments(), After: j.After, Status: NotStarted, Run: p.Run}
		case r.Status == running:
			r.Status = Interrupted
		}
		out = append(out, r)
	}
	return out, nil
}

// matches tells whether both are of the same command line, program and files.
func (r *Record) matches(other *Record) bool {
	return slices.Equal(r.Arguments, other.Arguments) && r.Version == other.Version && r.Inputs == other.Inputs
}

// keeps tells whether the job need not run: its record says so and its target is as it
// was, or it was ended by a kill between the target's appearance and the record.
func (r *Record) keeps(ctx context.Context, older *Record, j Job, resume bool) bool {
	switch {
	case older == nil || !older.matches(r):
		return false
	case older.wentWell():
		return j.Out == "" && resume || j.Out != "" && older.Target != "" && older.Target == target(ctx, j)
	case older.Status == running && j.Out != "" && (j.Verb != "import" || place.IsURL(j.Out)): // on the disk its files appear one by one
		if files, newest, err := elsewhere(ctx, j.Out); files != nil || err != nil {
			return err == nil && !newest.Before(older.Started.Truncate(time.Second)) // services keep no parts of it
		}
		info, err := os.Stat(j.Out)
		return err == nil && !info.ModTime().Before(older.Started)
	}
	return false
}

// target says what the job's target is now, "" where there is none, or it is not
// finished.
func target(ctx context.Context, j Job) string {
	files, _, err := elsewhere(ctx, j.Out)
	if files == nil && err == nil {
		_, err = os.Stat(j.Out)
	}
	if err != nil {
		return ""
	}
	return fingerprint(ctx, j.Out)
}

// elsewhere lists the files of a folder that is not on the local disk, or the one file,
// each with its version, and when the newest was written; nil of a path.
func elsewhere(ctx context.Context, path string) (files []string, newest time.Time, err error) {
	at, err := place.Parse(path)
	if err != nil || !place.IsURL(path) {
		return nil, newest, nil
	}
	if _, local := at.Local(); local {
		return nil, newest, nil
	}
	only := ""
	if place.IsFile(at.Base()) {
		at, only = at.Split()
	}
	folder, err := at.Open(ctx)
	if err != nil {
		return nil, newest, err
	}
	defer folder.Close()
	entries, err := folder.ReadDir()
	if err != nil {
		return nil, newest, err
	}
	files = []string{}
	for _, e := range entries {
		if e.IsDir() || only != "" && only != e.Name() {
			continue
		}
		version, err := folder.Version(e.Name())
		if err != nil {
			return nil, newest, err
		}
		if info, err := e.Info(); err == nil && info.ModTime().After(newest) {
			newest = info.ModTime()
		}
		files = append(files, e.Name()+" "+version)
	}
	if only != "" && len(files) == 0 {
		return nil, newest, fs.ErrNotExist
	}
	return files, newest, nil
}

// fingerprint is a hash of the names, sizes and times of files and of the files of
// folders, elsewhere of their versions. Whatever is no file, or cannot be looked at,
// counts by its text alone.
func fingerprint(ctx context.Context, paths ...string) string {
	h := sha256.New()
	for _, path := range paths {
		fmt.Fprintf(h, "%q\n", path)
		if files, _, _ := elsewhere(ctx, path); files != nil {
			fmt.Fprintf(h, "%q\n", files)
			continue
		}
		info, err := os.Stat(path)
		if err != nil {
			continue
		}
		add := func(info fs.FileInfo) {
			if info.Mode().IsRegular() {
				fmt.Fprintf(h, "%q %d %d\n", info.Name(), info.Size(), info.ModTime().UnixNano())
			}
		}
		add(info)
		if entries, err := os.ReadDir(path); err == nil {
			for _, e := range entries {
				if info, err := os.Stat(filepath.Join(path, e.Name())); err == nil {
					add(info)
				}
			}
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}
