package verify

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// files compares the folder with what pecvt.json lists of it: every file is
// there, of its size and, where one is recorded, with its SHA-256. What a
// tokenizer.json or a generation_config.json lost shows in no logits. Folders
// without a pecvt.json, as export makes, have no such list.
func (s *session) files() error {
	m, err := s.manifest()
	if m == nil || err != nil {
		return nil // there is none; one that cannot be read is the check metadata's
	}
	c := report.Check{Name: report.CheckFiles, Runner: run.RefName, Against: run.ManifestFile, Verdict: report.Pass}
	for _, f := range m.Files {
		s.step("file %s", f.Name)
		if c.Detail, err = s.unlikeFile(f.Name, f.Bytes, f.SHA256); err != nil {
			return err
		}
		if c.Detail != "" {
			c.Verdict = report.Fail
			break
		}
	}
	s.add(c)
	return nil
}

// unlikeFile tells how a file differs from what is recorded of it, "" where it
// does not. A name that leads out of the folder is no file of it.
func (s *session) unlikeFile(name string, size int64, sum string) (string, error) {
	if name == "." || !fs.ValidPath(name) || !filepath.IsLocal(filepath.FromSlash(name)) {
		return fmt.Sprintf("%s lists %q: expected a file of the folder", run.ManifestFile, name), nil
	}
	path := filepath.Join(s.dir, filepath.FromSlash(name))
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf("%s is missing: %s lists it with %d bytes", name, run.ManifestFile, size), nil
	case err != nil:
		return "", fmt.Errorf("files: %w", err)
	case !info.Mode().IsRegular():
		return fmt.Sprintf("%s is no file: %s lists it with %d bytes", name, run.ManifestFile, size), nil
	case info.Size() != size:
		return fmt.Sprintf("%s has %d bytes: %s says %d", name, info.Size(), run.ManifestFile, size), nil
	case sum == "":
		return "", nil
	}
	got, err := s.sha256(path)
	if err != nil {
		return "", err
	}
	if got != sum {
		return fmt.Sprintf("%s is not what was converted: SHA-256 %.12s…, %s says %.12s…", name, got, run.ManifestFile, sum), nil
	}
	return "", nil
}
