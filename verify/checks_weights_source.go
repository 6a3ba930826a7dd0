package verify

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/posenc/hint"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// untouching are the values of --to that leave a stock source's tensors as they
// are in the native layout: the encoding is in config.json alone.
var untouching = []string{"rope", "hope", "hope-ab1", "hope-ab2", "hope-ab3", "p-rope", "nope", "pi", "yarn"}

// sourceHashes compares the tensor files with the source's, of which pecvt.json
// has the SHA-256 where convert was asked for it: a tensor that was changed deep
// inside, in the conversion or after it, is found without the source. Nothing is
// recorded where no hash is.
func (s *session) sourceHashes() error {
	m, err := s.manifest()
	if m == nil || err != nil {
		return nil // exported, not converted; or damaged, which the check metadata says
	}
	known := map[string]string{}   // by content
	headers := map[string]string{} // by header
	for _, f := range m.Source.Files {
		if f.SHA256 != "" {
			known[f.SHA256], headers[f.HeaderSHA256] = f.Name, f.Name
		}
	}
	if len(known) == 0 {
		return nil
	}
	c := report.Check{Name: report.CheckSourceWeights, Runner: run.RefName, Against: run.ManifestFile, Verdict: report.Pass}
	var rewritten []string
	for _, f := range s.ckpt.Files() {
		name := filepath.Base(f.Path)
		s.step("hash %s", name)
		sum, err := s.sha256(f.Path)
		if err != nil {
			return err
		}
		if known[sum] != "" {
			continue
		}
		from := headers[f.HeaderSHA256]
		e := s.loaded.Extension
		plain := e == nil || e.Rotation == nil && e.Bias == nil // a factor of queries has no tensors
		stock := len(m.Source.Manifest) == 0 && !m.refitted() && plain && slices.Contains(untouching, m.Flags.To) && m.Flags.Layout == "native"
		if from != "" && stock {
			c.Verdict = report.Fail
			c.Detail = fmt.Sprintf("%s has the tensors of the source's %s, but not their numbers: "+hint.To+" %s changes none (SHA-256 %s…)", name, from, m.Flags.To, sum[:12])
			break
		}
		rewritten = append(rewritten, name)
	}
	if c.Verdict == report.Pass && len(rewritten) > 0 {
		c.Verdict, c.Detail = report.Skipped, fmt.Sprintf("%s: written anew by the conversion; "+hint.Against+" compares the numbers", strings.Join(rewritten, ", "))
	}
	s.add(c)
	return nil
}

// sha256 is a file's, in hexadecimal.
func (s *session) sha256(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("weights: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	buf := make([]byte, 4<<20)
	for {
		n, err := f.Read(buf)
		h.Write(buf[:n])
		if err == io.EOF {
			return hex.EncodeToString(h.Sum(nil)), nil
		}
		if err != nil {
			return "", fmt.Errorf("weights: %w", err)
		}
		if err := s.ctx.Err(); err != nil {
			return "", err
		}
	}
}
