package family

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/convert/family/evidence"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/posenc"
)

// claim checks every weight against the stored tensors and that nothing is left.
func (m *Model) claim(s store.Store) error {
	claimed := make(map[string]bool, len(s.Names()))
	first := true
	for at := range m.eachRole() {
		w := *at.Weight
		info, ok := s.Lookup(w.Tensor)
		if !ok {
			return m.missing(s, w)
		}
		if !sameShape(info.Shape, w.Stored) {
			return fmt.Errorf("%s: tensor %q has shape %v: config.json asks for %v; config.json belongs to another model, or the tensor does", store.Where(s, w.Tensor), w.Tensor, info.Shape, w.Stored)
		}
		if !info.DType.IsFloat() {
			return fmt.Errorf("%s: tensor %q has dtype %s: expected a floating-point one; quantised checkpoints are %w: use the unquantised one", store.Where(s, w.Tensor), w.Tensor, info.DType, posenc.ErrUnsupported)
		}
		if first {
			m.DType, first = info.DType, false
		}
		if info.Name == w.Tensor {
			at.Tensor = info.Name // one string in memory for both
		}
		claimed[at.Tensor] = true
	}
	for _, n := range m.Ignored {
		claimed[n] = true
	}
	if m.Tied {
		if err := m.storedHead(s, claimed); err != nil {
			return err
		}
	}
	return m.others(s, claimed)
}

// missing is the error for a weight that is not stored, with the likely reason.
func (m *Model) missing(s store.Store, w Weight) error {
	const text = "%s: tensor %q is missing: family %s expects it with shape %v; "
	if absent, ok := s.(interface{ Unheld(string) string }); ok {
		if shard := absent.Unheld(w.Tensor); shard != "" {
			return fmt.Errorf(text+"the index lists it in %s, which does not hold it: index and shards are not of one checkpoint; download both again", s.Root(), w.Tensor, m.Family, w.Stored, shard)
		}
	}
	if w.Tensor == m.headName && !m.Tied {
		return fmt.Errorf(text+"the head is stored nowhere and tie_word_embeddings is false: set it to true if the head is the embedding, else this is a model without one (an embedding model, or the base of another head), which has no logits", s.Root(), w.Tensor, m.Family, w.Stored)
	}
	if found := evidence.Prefix(s, s.Names(), m.base, m.embed); found != "" && m.embed != "" {
		return fmt.Errorf(text+"%s: %w", s.Root(), w.Tensor, m.Family, w.Stored, found, posenc.ErrUnsupported)
	}
	if found := m.otherExperts(s, w.Tensor); len(found) > 0 {
		return fmt.Errorf(text+"stored there are %s: experts in a layout that pecvt does not read: %w; save them as transformers does, or as one gate_proj, up_proj and down_proj for each expert", s.Root(), w.Tensor, m.Family, w.Stored, some(found), posenc.ErrUnsupported)
	}
	return fmt.Errorf(text+"the checkpoint is incomplete or config.json belongs to another model: download both again, or name the model_type that they are of", s.Root(), w.Tensor, m.Family, w.Stored)
}

// others judges the stored tensors that no weight claims: those that stock loaders
// pass over are ignored, with a warning where they hold something; any other is
// refused.
func (m *Model) others(s store.Store, claimed map[string]bool) error {
	var extra, reasons []string
	because := map[string][]string{}
	for _, n := range s.Names() {
		if claimed[n] {
			continue
		}
		if m.Wrapper.beside(n) {
			m.Wrapper.Beside = append(m.Wrapper.Beside, n)
			continue
		}
		why, ok := evidence.Passed(n)
		if !ok {
			why, ok = evidence.Beyond(n, len(m.Blocks), m.extra)
		}
		if !ok {
			if ok, err := zeroBias(s, n); err != nil {
				return err
			} else if !ok {
				extra = append(extra, n)
				continue
			}
			why = "biases of zero, which some quantisers write beside every weight"
		}
		m.Ignored = append(m.Ignored, n)
		if why != "" && because[why] == nil {
			reasons = append(reasons, why)
		}
		because[why] = append(because[why], n)
	}
	if len(extra) > 0 {
		return fmt.Errorf("%s: %d tensors that family %s does not know: %s; the checkpoint holds more than config.json describes: %w; if they are no part of the model, save it without them; if they are layers, write their number into num_hidden_layers, or those of a multi-token head into num_nextn_predict_layers; else it is of another family", s.Root(), len(extra), m.Family, some(extra), posenc.ErrUnsupported)
	}
	for _, why := range reasons {
		m.Warn("%d tensors are passed over, as stock loaders do: %s: %s", len(because[why]), some(because[why]), why)
	}
	return nil
}

// zeroBias tells whether a tensor is a bias beside a quantised weight and holds
// nothing: AutoGPTQ wrote one for every linear, with or without a bias of its own.
func zeroBias(s store.Store, name string) (bool, error) {
	base, ok := strings.CutSuffix(name, ".bias")
	storage := store.Quantised(s)
	if !ok || storage == nil || storage.Tensors[base+".weight"] == nil {
		return false, nil
	}
	raw, err := store.Bytes(s, name)
	return !slices.ContainsFunc(raw, func(b byte) bool { return b != 0 }), err
}

// leftover warns of what declares quantised weights where none are.
func (m *Model) leftover(declared []string) {
	if declared == nil {
		return
	}
	for _, key := range quantisation {
		if m.File().Has(key) {
			m.Leftover = append(m.Leftover, key)
		}
	}
	m.Warn("the weights are plain %s of their full shapes, and no scales are stored: %s is a leftover, as a merge into plain weights leaves it; it is passed over here and may be removed (stock loaders would quantise the weights anew, or stop at it)", m.DType, strings.Join(declared, ", "))
}

// some lists the first few names.
func some(names []string) string {
	return strings.Join(names[:min(len(names), 4)], ", ") + ellipsis(len(names) > 4)
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
		return Unsupported("%s: tie_word_embeddings is true, yet tensor %q is stored and differs from %q: loaders disagree on it (transformers 5 keeps the stored one, transformers 4 the embedding); set tie_word_embeddings to false if the stored head is meant, else drop the tensor", store.Where(s, name), name, m.Embed.Tensor)
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
