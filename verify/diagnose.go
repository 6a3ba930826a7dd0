package verify

import (
	"fmt"
	"path/filepath"

	"github.com/pecvt/pecvt/convert/fsio"
	"github.com/pecvt/pecvt/verify/report"
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
