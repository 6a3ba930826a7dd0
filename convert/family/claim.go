package family

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/posenc"
)

// claim checks every weight against the checkpoint and that nothing is left.
func (m *Model) claim(ckpt *safetensors.Checkpoint) error {
	names := ckpt.Names()
	claimed := map[string]bool{}
	m.DType = 0
	for i, w := range m.Weights() {
		info, file, ok := ckpt.Lookup(w.Tensor)
		if !ok {
			return fmt.Errorf("%s: tensor %q is missing: family %s expects it with shape %v; the checkpoint is incomplete or config.json belongs to another model", ckpt.Dir, w.Tensor, m.Family, w.Stored)
		}
		if !sameShape(info.Shape, w.Stored) {
			return fmt.Errorf("%s: tensor %q has shape %v: config.json asks for %v", file.Path, w.Tensor, info.Shape, w.Stored)
		}
		if !info.DType.IsFloat() {
			return fmt.Errorf("%s: tensor %q has dtype %s: expected a floating-point one; quantised checkpoints are %w", file.Path, w.Tensor, info.DType, posenc.ErrUnsupported)
		}
		if i == 0 {
			m.DType = info.DType
		}
		claimed[w.Tensor] = true
	}
	for _, n := range m.Ignored {
		claimed[n] = true
	}
	if m.Tied {
		m.storedHead(ckpt, claimed)
	}
	var extra []string
	for _, n := range names {
		if !claimed[n] {
			extra = append(extra, n)
		}
	}
	if len(extra) > 0 {
		shown := extra[:min(len(extra), 4)]
		return fmt.Errorf("%s: %d tensors that family %s does not know: %s%s; the checkpoint holds more than config.json describes: %w", ckpt.Dir, len(extra), m.Family, strings.Join(shown, ", "), ellipsis(len(extra) > 4), posenc.ErrUnsupported)
	}
	return nil
}

// storedHead claims a head that is stored although it is tied: transformers
// drops it and uses the embedding, and so does pecvt.
func (m *Model) storedHead(ckpt *safetensors.Checkpoint, claimed map[string]bool) {
	name := m.headName
	if _, _, ok := ckpt.Lookup(name); !ok || claimed[name] {
		return
	}
	claimed[name] = true
	m.Ignored = append(m.Ignored, name)
	head, err1 := ckpt.Bytes(name)
	embed, err2 := ckpt.Bytes(m.Embed.Tensor)
	if err1 == nil && err2 == nil && !bytes.Equal(head, embed) {
		m.warn("tie_word_embeddings is true, yet %s is stored and differs from %s; it is ignored, as transformers does: untie the configuration if it is meant", name, m.Embed.Tensor)
	}
}

func ellipsis(more bool) string {
	if more {
		return ", …"
	}
	return ""
}

func sameShape(a, b []int64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
