package weights

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/verify/run"
)

// strayDigest tells of the first initializer whose bytes are not those that were
// written: of codes that suit a text no number of the checkpoint says what they were,
// and the reference computes with whatever they mean now. "" where all are.
func (s *placed) strayDigest() string {
	for _, t := range s.info.Model.GetGraph().GetInitializer() {
		want := ""
		for _, p := range t.GetMetadataProps() {
			if p.GetKey() == names.Digest {
				want = p.GetValue()
			}
		}
		_, rounded := run.RoundedWeight(t.GetName())
		switch {
		case want == "" && rounded && s.info.Rounding == "given":
			return fmt.Sprintf("the graph's weight %q was chosen to suit a text, and no digest of it is there (%s)", t.GetName(), names.Digest)
		case want == "":
			continue
		}
		got, where, err := s.digest(t)
		if err != nil {
			return err.Error()
		}
		if got != want {
			return fmt.Sprintf("the graph's weight %q: %s have the SHA-256 %s; those that were written have %s", t.GetName(), where, got, want)
		}
	}
	return ""
}

// digest is that of an initializer's bytes, and says where they lie.
func (s *placed) digest(t *onnxpb.TensorProto) (sum, where string, err error) {
	location, offset, length := run.External(t)
	if location == "" {
		return names.DigestOf(sha256.Sum256(t.GetRawData())), "its bytes in " + filepath.Base(s.info.Path), nil
	}
	where = fmt.Sprintf("bytes %d to %d of %s", offset, offset+length, location)
	f, err := os.Open(filepath.Join(s.dir, filepath.FromSlash(location)))
	if err != nil {
		return "", where, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(f, offset, length)); err != nil {
		return "", where, err
	}
	return names.DigestOf([sha256.Size]byte(h.Sum(nil))), where, nil
}
