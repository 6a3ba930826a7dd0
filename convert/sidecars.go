package convert

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/pecvt/pecvt/convert/family"
)

// sidecars are the files beside a checkpoint that come along, as patterns of
// lower-case names.
var sidecars = []string{
	"tokenizer*.json", "tokenizer.model*", "*.tiktoken", "tekken.json", "spiece.model", "vocab.*", "merges.txt",
	"special_tokens_map.json", "added_tokens.json", "generation_config.json", "chat_template.*",
	"preprocessor_config.json", "processor_config.json",
	"license*", "notice*", "readme.md", "use_policy.md",
}

func isSidecar(name string) bool {
	lower := strings.ToLower(name)
	for _, pattern := range sidecars {
		if ok, _ := filepath.Match(pattern, lower); ok {
			return true
		}
	}
	return false
}

// planConfig adds config.json: the source's bytes where nothing changes.
func (p *Plan) planConfig(m *family.Model) error {
	if !p.rewrite.ConfigChanged {
		var err error
		if p.config, err = os.ReadFile(m.Config.Path); err != nil {
			return fmt.Errorf("config: %w", err)
		}
		return p.addCopy("config.json", "config.json")
	}
	text, err := p.rewrite.Config.Indented()
	if err != nil {
		return fmt.Errorf("%s: %w", m.Config.Path, err)
	}
	p.config = text
	p.Files = append(p.Files, FilePlan{Name: "config.json", Action: Write, Bytes: int64(len(text))})
	return nil
}

// planSidecars adds what comes along and lists what stays. Hidden files are
// passed over in silence.
func (p *Plan) planSidecars() error {
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		return fmt.Errorf("source folder: %w", err)
	}
	taken := map[string]bool{"config.json": true, manifestName: true, filepath.Base(p.source.index): true}
	for _, f := range p.source.Files {
		taken[f.Name] = true
	}
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, ".") || taken[name] {
			continue
		}
		info, err := os.Stat(filepath.Join(p.dir, name))
		switch {
		case err != nil && isSidecar(name):
			return lostSidecar(p.dir, name, err)
		case err != nil:
			p.LeftBehind = append(p.LeftBehind, name)
		case info.IsDir():
			p.LeftBehind = append(p.LeftBehind, name+"/")
		case !info.Mode().IsRegular() || !isSidecar(name):
			p.LeftBehind = append(p.LeftBehind, name)
		default:
			if f, err := os.Open(filepath.Join(p.dir, name)); err != nil {
				return lostSidecar(p.dir, name, err)
			} else if err := f.Close(); err != nil {
				return lostSidecar(p.dir, name, err)
			}
			if err := p.addCopy(name, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// lostSidecar is the error for a file that should come along and cannot be read:
// a result without its tokenizer would be of little use.
func lostSidecar(dir, name string, err error) error {
	path := filepath.Join(dir, name)
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	if to, lerr := os.Readlink(path); lerr == nil {
		return fmt.Errorf("%s: a link to %s that cannot be read: %w; fetch that file or remove the link", path, to, err)
	}
	return fmt.Errorf("%s: cannot be read: %w; make it readable or move it away", path, err)
}

// addCopy adds a copy of one of the source's small files.
func (p *Plan) addCopy(name, source string) error {
	info, err := os.Stat(filepath.Join(p.dir, source))
	if err != nil {
		return fmt.Errorf("source folder: %w", err)
	}
	p.Files = append(p.Files, FilePlan{Name: name, Action: Copy, Bytes: info.Size(), Source: source})
	return nil
}
