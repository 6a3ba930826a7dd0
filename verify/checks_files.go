package verify

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/posenc/hint"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// files compares the folder with what pecvt.json lists of it: every file is
// there, of its size and, where they are recorded, with its SHA-256 and the sums of its
// tensors. What a
// tokenizer.json or a generation_config.json lost shows in no logits. Folders
// without a pecvt.json, as export makes, have no such list.
func (s *session) files() error {
	if s.opts.File != "" {
		return s.ggufFile()
	}
	m, err := s.manifest()
	if m == nil || err != nil {
		return nil // there is none; one that cannot be read is the check metadata's
	}
	c := report.Check{Name: report.CheckFiles, Runner: run.RefName, Against: run.ManifestFile, Verdict: report.Pass}
	stored, unread := map[string]store.File{}, []string(nil)
	for _, f := range s.ckpt.Files() {
		stored[filepath.Base(f.Path)] = f
	}
	for _, f := range m.Files {
		s.step("file %s", f.Name)
		if s.partly != nil && s.partly.Holes(f.Name) {
			f.SHA256 = "" // of all its bytes
		}
		if c.Detail, err = s.unlikeFile(f.Name, f.Bytes, f.SHA256); err != nil {
			return err
		}
		of, tensors := stored[f.Name]
		known := f.CRC32C != "" && !strings.HasPrefix(f.CRC32C, "-")
		if c.Detail == "" && tensors && known && len(s.opts.Layers) == 0 { // else there is more than one wants to read
			if c.Detail, err = s.unlikeSums(of, f.CRC32C); err != nil {
				return err
			}
		}
		if tensors && !known && f.SHA256 == "" {
			unread = append(unread, f.Name)
		}
		if c.Detail != "" {
			c.Verdict = report.Fail
			break
		}
	}
	if n := len(unread); c.Verdict == report.Pass && n > 0 {
		name := unread[0]
		if n > 1 {
			name += fmt.Sprintf(" and %d more", n-1)
		}
		c.Detail = fmt.Sprintf("the bytes of %s were not compared: the conversion linked them, or shared their blocks, and read none of them; with "+hint.Hash+" it records the source's SHA-256, which is then compared", name)
		if slices.ContainsFunc(m.Source.Files, func(f sourceFile) bool { return f.SHA256 != "" }) {
			c.Detail = "" // the check of the source's hashes reads them
		}
	}
	s.add(c)
	return nil
}

// ggufFile compares a GGUF file with the sums that pecvt wrote into it; a file of
// another program has none.
func (s *session) ggufFile() error {
	s.step("file %s", filepath.Base(s.opts.File))
	sums, err := store.CompareSums(s.ctx, s.opts.File)
	if err != nil || !sums.Known {
		return err
	}
	c := report.Check{Name: report.CheckFiles, Runner: run.RefName, Against: filepath.Base(s.opts.File), Verdict: report.Pass, Detail: sums.Unlike}
	switch {
	case sums.Unlike != "":
		c.Verdict = report.Fail
	case !sums.Read:
		c.Detail = "its bytes were not compared: the conversion shared its source's blocks, and read none of them"
	}
	s.add(c)
	return nil
}

// unlikeSums tells which part of a tensor file does not have the sum that was recorded
// when it was written, "" where all do.
func (s *session) unlikeSums(f store.File, want string) (string, error) {
	ckpt := store.Stored(s.ckpt)
	ends := map[string]int64{"its header": f.DataStart}
	for _, name := range f.Tensors {
		if at, ok := ckpt.Place(name); ok {
			ends[fmt.Sprintf("tensor %q", name)] = at.Offset + at.Length
		}
	}
	parts := slices.SortedFunc(maps.Keys(ends), func(a, b string) int { return cmp.Compare(ends[a], ends[b]) })
	name := filepath.Base(f.Path)
	if len(want) != len(parts)*safetensors.SumDigits {
		return fmt.Sprintf("%s has %d tensors: %s has %d digits of sums, expected %d for each tensor and as many for the header", name, len(parts)-1, run.ManifestFile, len(want), safetensors.SumDigits), nil
	}
	sums := safetensors.NewSums(slices.Collect(maps.Values(ends)))
	if err := safetensors.SumFile(s.ctx, sums, f.Path, 0); err != nil {
		return "", fmt.Errorf("files: %s: %w", name, err)
	}
	return safetensors.Unlike(name, parts, sums.String(), want, run.ManifestFile), nil
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
