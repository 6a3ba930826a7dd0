package verify

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pecvt/pecvt/verify/genai"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// genAI compares genai_config.json, where there is one, with the graph and the
// checkpoint: onnxruntime-genai believes it.
func (s *session) genAI() error {
	raw, err := os.ReadFile(filepath.Join(s.dir, genai.File))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	c := report.Check{Name: report.CheckGenAI, Runner: run.InterpName, Against: run.GraphFile, Verdict: report.Pass}
	if c.Detail = (&genai.Folder{Dir: s.dir, Model: s.model, Graph: s.info}).Wrong(raw); c.Detail != "" {
		c.Verdict, c.Blame = report.Fail, genai.File+" is of another graph, or was changed: emit the graph again with pecvt export"
	}
	s.add(c)
	return nil
}
