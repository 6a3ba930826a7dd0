package convert

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/pecvt/pecvt/convert/quant"
)

// sidecars are the files beside a checkpoint that come along, as patterns of
// lower-case names.
var sidecars = []string{
	"tokenizer*.json", "tokenizer.model*", "*.tiktoken", "tekken.json", "spiece.model", "vocab.*", "merges.txt",
	"special_tokens_map.json", "added_tokens.json", "generation_config.json", "chat_template.*",
	"preprocessor_config.json", "processor_config.json", "video_preprocessor_config.json",
	"*.spm", "sentencepiece*", "tokenization_*.py", // the code of a tokenizer that names it
	"modules.json", "config_sentence_transformers.json", "sentence_bert_config.json", // an embedding model's
	"license*", "notice*", "readme.md", "use_policy.md",
}

// sidecarFolders are the folders of which such files come along.
var sidecarFolders = []struct {
	folder string
	files  []string
}{
	{"additional_chat_templates", []string{"*.jinja"}},
	{"[0-9]_*", []string{"*.json", "*.safetensors", "*.txt"}}, // modules of an embedding model: 1_Pooling, 2_Dense
}

func isSidecar(name string) bool { return matchesAny(sidecars, name) }

func matchesAny(patterns []string, name string) bool {
	lower := strings.ToLower(name)
	for _, pattern := range patterns {
		if ok, _ := filepath.Match(pattern, lower); ok {
			return true
		}
	}
	return false
}

// planSidecars adds what comes along and lists what stays. Hidden files are
// passed over in silence. What declares quantised weights comes along with them.
func (p *Plan) planSidecars(quantised bool) error {
	if p.beside != nil {
		p.planBeside()
		return nil
	}
	comes := func(name string) bool { return isSidecar(name) || quantised && name == quant.SideFile }
	entries, err := p.folder.ReadDir()
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
		info, err := p.folder.Stat(name)
		switch {
		case err != nil && comes(name):
			return p.lostSidecar(name, err)
		case err != nil:
			p.LeftBehind = append(p.LeftBehind, name)
		case info.IsDir():
			if err := p.planFolder(name); err != nil {
				return err
			}
		case !info.Mode().IsRegular() || !comes(name):
			p.LeftBehind = append(p.LeftBehind, name)
		default:
			if err := p.addSidecar(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// planFolder adds the files of a folder that come along; the folder, or what else is
// in it, stays.
func (p *Plan) planFolder(folder string) error {
	var patterns []string
	for _, f := range sidecarFolders {
		if ok, _ := filepath.Match(f.folder, folder); ok {
			patterns = f.files
		}
	}
	if patterns == nil { // nor is it listed, which takes a request elsewhere
		p.LeftBehind = append(p.LeftBehind, folder+"/")
		return nil
	}
	entries, err := fs.ReadDir(p.folder.FS(), folder)
	if err != nil {
		p.LeftBehind = append(p.LeftBehind, folder+"/")
		return nil
	}
	for _, e := range entries {
		name := path.Join(folder, e.Name())
		info, err := p.folder.Stat(name)
		switch {
		case err != nil || !info.Mode().IsRegular() || !matchesAny(patterns, e.Name()):
			p.LeftBehind = append(p.LeftBehind, name)
		default:
			if err := p.addSidecar(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// addSidecar adds a copy of a file that can be read.
func (p *Plan) addSidecar(name string) error {
	f, err := p.folder.Open(name)
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return p.lostSidecar(name, err)
	}
	return p.addCopy(name, name)
}

// lostSidecar is the error for a file that should come along and cannot be read:
// a result without its tokenizer would be of little use.
func (p *Plan) lostSidecar(name string, err error) error {
	path := p.folder.Path(name)
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	_, local := p.folder.Local()
	if to, lerr := os.Readlink(path); local && lerr == nil {
		return fmt.Errorf("%s: a link to %s that cannot be read: %w; fetch that file or remove the link", path, to, err)
	}
	return fmt.Errorf("%s: cannot be read: %w; make it readable or move it away", path, err)
}

// addCopy adds a copy of one of the source's small files.
func (p *Plan) addCopy(name, source string) error {
	info, err := p.folder.Stat(source)
	if err != nil {
		return fmt.Errorf("source folder: %w", err)
	}
	p.Files = append(p.Files, FilePlan{Name: name, Action: Copy, Bytes: info.Size(), Source: source})
	return nil
}
