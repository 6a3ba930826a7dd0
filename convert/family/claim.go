package family

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/posenc"
)

// claim checks every weight against the stored tensors and that nothing is left.
func (m *Model) claim(s store.Store) error {
	claimed := map[string]bool{}
	m.DType = 0
	for i, w := range m.Weights() {
		info, ok := s.Lookup(w.Tensor)
		if !ok {
			return fmt.Errorf("%s: tensor %q is missing: family %s expects it with shape %v; the checkpoint is incomplete or config.json belongs to another model", s.Root(), w.Tensor, m.Family, w.Stored)
		}
		if !sameShape(info.Shape, w.Stored) {
			return fmt.Errorf("%s: tensor %q has shape %v: config.json asks for %v", store.Where(s, w.Tensor), w.Tensor, info.Shape, w.Stored)
		}
		if !info.DType.IsFloat() {
			return fmt.Errorf("%s: tensor %q has dtype %s: expected a floating-point one; quantised checkpoints are %w", store.Where(s, w.Tensor), w.Tensor, info.DType, posenc.ErrUnsupported)
		}
		if i == 0 {
			m.DType = info.DType
		}
		claimed[w.Tensor] = true
		if w.Scales != nil {
			if _, ok := s.Lookup(w.Scales.Tensor); !ok {
				return fmt.Errorf("%s: tensor %q is missing: it holds the scales of %q", s.Root(), w.Scales.Tensor, w.Tensor)
			}
			claimed[w.Scales.Tensor] = true
		}
	}
	for _, n := range m.Ignored {
		claimed[n] = true
	}
	if m.Tied {
		if err := m.storedHead(s, claimed); err != nil {
			return err
		}
	}
	var extra []string
	for _, n := range s.Names() {
		if !claimed[n] {
			extra = append(extra, n)
		}
	}
	if len(extra) > 0 {
		shown := extra[:min(len(extra), 4)]
		return fmt.Errorf("%s: %d tensors that family %s does not know: %s%s; the checkpoint holds more than config.json describes: %w", s.Root(), len(extra), m.Family, strings.Join(shown, ", "), ellipsis(len(extra) > 4), posenc.ErrUnsupported)
	}
	return nil
}

// storedHead claims a head that is stored although it is tied. Loaders disagree
// on one that differs from the embedding: transformers 4 drops it, transformers 5
// keeps it.
func (m *Model) storedHead(s store.Store, claimed map[string]bool) error {
	name := m.headName
	if _, ok := s.Lookup(name); !ok || claimed[name] {
		return nil
	}
	head, err := store.Bytes(s, name)
	if err != nil {
		return err
	}
	embed, err := store.Bytes(s, m.Embed.Tensor)
	if err != nil {
		return err
	}
	if !bytes.Equal(head, embed) {
		return unsupported("%s: tie_word_embeddings is true, yet tensor %q is stored and differs from %q: loaders disagree on it (transformers 5 keeps the stored one, transformers 4 the embedding); set tie_word_embeddings to false if the stored head is meant, else drop the tensor", store.Where(s, name), name, m.Embed.Tensor)
	}
	claimed[name] = true
	m.Ignored = append(m.Ignored, name)
	return nil
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
