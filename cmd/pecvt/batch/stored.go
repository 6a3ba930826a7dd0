package batch

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/pecvt/pecvt/convert/fsio"
)

// partsName is the folder in that of the records, which no job's name can be, where the
// output of parts lies until their job ends well, so that the same command need not run
// them again: PARTS/JOB/NUMBER.
const partsName = ".parts"

// storedPart is a part that was done.
type storedPart struct {
	// Of is what the part is one of: command line, program, files and number of parts.
	Of      string
	Outcome Outcome
}

func partsFolder(records, job string) string { return filepath.Join(records, partsName, job) }

func partPath(records, job string, part int) string {
	return filepath.Join(partsFolder(records, job), strconv.Itoa(part))
}

// divided tells the parts of a job from those of another command line, another program
// or other files.
func (r *Record) divided(parts int) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q %q %q %d", r.Arguments, r.Version, r.Inputs, parts)
	return hex.EncodeToString(h.Sum(nil))
}

// readPart gives what a part came to in an earlier run. Whatever cannot be read, or is of
// another division, is none.
func readPart(records string, t task) (o Outcome, ok bool) {
	f, err := os.Open(partPath(records, t.Job.Name, t.Part))
	if err != nil {
		return o, false
	}
	defer f.Close()
	var s storedPart
	raw, err := io.ReadAll(io.LimitReader(f, maxRecord))
	if err != nil || json.Unmarshal(raw, &s) != nil || s.Of != t.Record.divided(t.Of) {
		return o, false
	}
	return s.Outcome, true
}

// writePart keeps what a part came to. One without output has left it elsewhere, where
// its verb finds it.
func writePart(records string, t task, o Outcome) error {
	if len(o.Stdout) == 0 {
		return nil
	}
	raw, err := json.Marshal(storedPart{t.Record.divided(t.Of), o})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(partsFolder(records, t.Job.Name), 0o777); err != nil {
		return err
	}
	return fsio.Whole(partPath(records, t.Job.Name, t.Part), 0o644, true, func(w io.Writer) error {
		_, err := w.Write(raw)
		return err
	})
}

// dropParts removes the parts of a job that ended well.
func dropParts(records, job string) error {
	err := os.RemoveAll(partsFolder(records, job))
	_ = os.Remove(filepath.Join(records, partsName)) // unless others have parts there
	return err
}

// dropOtherParts removes the parts of jobs that the batch does not have.
func (p Plan) dropOtherParts() error {
	entries, err := os.ReadDir(filepath.Join(p.Folder, partsName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, level := range p.Levels {
		for _, j := range level {
			known[j.Name] = true
		}
	}
	for _, e := range entries {
		if !known[e.Name()] {
			err = errors.Join(err, dropParts(p.Folder, e.Name()))
		}
	}
	return err
}
