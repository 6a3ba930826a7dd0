package verify

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/convert/fsio"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// diagnose says what the checks of the graph's own data found, so that a
// failed check of its answers can say where to look; "" where they found
// nothing.
func (s *session) diagnose() string {
	for _, c := range s.report.Checks {
		if c.Verdict == report.Fail && (c.Name == report.CheckWeights || c.Name == report.CheckTables) {
			return fmt.Sprintf("%s; see the check %s", c.Blame, c.Name)
		}
	}
	return ""
}

// strayWeight tells of the first external weight that is not where the tensor
// file's header has the tensor of its name, or of the first copy that is not of
// its bytes; "" where there is none.
func (s *session) strayWeight() string {
	for _, t := range s.info.Model.GetGraph().GetInitializer() {
		location, offset, length := run.External(t)
		if !strings.HasSuffix(location, ".safetensors") && !s.stores(location) {
			if found := s.strayCopy(t, location, offset, length); found != "" {
				return found
			}
			continue
		}
		name := t.GetName()
		info, from, ok := s.behind(name)
		at, placed := s.ckpt.Place(info.Name)
		switch {
		case !ok:
			return fmt.Sprintf("the graph's weight %q is no tensor of the checkpoint", name)
		case !placed:
			return fmt.Sprintf("the graph takes %q from %s, the checkpoint has it in no file", name, location)
		case filepath.Base(at.File) != location:
			return fmt.Sprintf("the graph takes %q from %s, the checkpoint has it in %s", name, location, filepath.Base(at.File))
		case offset != at.Offset+from || offset+length > at.Offset+at.Length:
			return fmt.Sprintf("the graph takes %q from bytes %d to %d of %s, whose header has it at %d to %d",
				name, offset, offset+length, location, at.Offset+from, at.Offset+at.Length)
		}
	}
	return ""
}

// stores tells whether a file of that name is one of the checkpoint's.
func (s *session) stores(name string) bool {
	return slices.ContainsFunc(s.ckpt.Files(), func(f store.File) bool { return filepath.Base(f.Path) == name })
}

// strayLink finds a tensor file that is a symbolic link out of the folder:
// ONNX Runtime and the interpreter refuse external data outside it.
func (s *session) strayLink() string {
	dir, err := filepath.EvalSymlinks(s.dir)
	if err != nil {
		return ""
	}
	for _, f := range s.ckpt.Files() {
		name := filepath.Base(f.Path)
		to, err := filepath.EvalSymlinks(filepath.Join(s.dir, name))
		if err == nil && filepath.Dir(to) != fsio.Absolute(dir) && filepath.Dir(to) != dir {
			return fmt.Sprintf("%s is a symbolic link to %s: a graph's weights must lie in its own folder; put the file there, or a hard link", name, to)
		}
	}
	return ""
}
