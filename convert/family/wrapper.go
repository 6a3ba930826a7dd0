package family

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/convert/family/config"
	"github.com/pecvt/pecvt/posenc"
)

// textKey is where a wrapper's configuration holds the one of its language model.
const textKey = "text_config"

// Wrapper is a kind of model, of vision say, with the language model of a family
// inside. The language model alone is read: its logits for text without an image
// are what the family computes.
type Wrapper struct {
	// ModelType is config.json's, Architecture the class that stock loaders use.
	ModelType, Architecture string
	// Texts are the language models that it may have, the first one where
	// text_config has no model_type.
	Texts []Text
	// Spellings are the names that a checkpoint's writers gave the language model's
	// tensors, the usual one first.
	Spellings []Spelling
	// Beside are what the names of the other tensors begin with.
	Beside []string
	// Tied is tie_word_embeddings where the whole configuration does not say it.
	Tied bool
	// Ties is whose tie_word_embeddings counts.
	Ties Ties
	// Causal: text alone is causal, whatever use_bidirectional_attention says of prompts
	// that the processor marks.
	Causal bool
	// BareLogits: the class makes logits by the head alone, without the factor and the
	// cap that the language model has by itself.
	BareLogits bool
	// Flat: published configurations hold the language model's keys at the top, without
	// text_config. Own are the keys there that are not of it; one that ends in * is the
	// beginning of several.
	Flat bool
	Own  []string
}

// Text is a language model's model_type inside of a wrapper, and that of the family
// that computes the same for text; an empty Family is the model_type.
type Text struct {
	ModelType, Family string
	// Defaults are the sizes of its configuration class, as a JSON object: published
	// files leave out of text_config what is as there.
	Defaults string
	// Change, where not nil, is what sets it apart from the family.
	Change func(Spec) Spec
	// EitherWay: experts in one tensor may lie either way round, as its shape says.
	EitherWay bool
}

// Spelling is what stands in the place of "model." and of "lm_head".
type Spelling struct{ Base, Head string }

// Wrapped is the wrapper that a model is the language model of.
type Wrapped struct {
	// ModelType and Architecture are the wrapper's.
	ModelType, Architecture string
	// File is the whole config.json.
	File *Config
	// Beside are the stored tensors of its other parts.
	Beside []string

	row    Wrapper
	text   Text
	flat   bool
	stored *Object // the language model's configuration as it stands in the file
	inner  *Object // the same as a family of its own would have it
}

// File is the whole config.json that Config is, or is a part of.
func (m *Model) File() *Config {
	if m.Wrapper != nil {
		return m.Wrapper.File
	}
	return m.Config
}

// Whole puts an edited Config into the file that it is of: what is not edited stays
// word for word.
func (m *Model) Whole(edited *Object) *Object {
	w := m.Wrapper
	if w == nil {
		return edited
	}
	text := w.stored.Clone()
	for _, key := range w.inner.Keys() {
		if edited.Raw(key) == nil {
			text.Delete(key)
		}
	}
	for _, key := range edited.Keys() {
		if raw := edited.Raw(key); !bytes.Equal(raw, w.inner.Raw(key)) {
			text.Set(key, raw)
		}
	}
	if w.flat {
		return text
	}
	whole := w.File.Object.Clone()
	whole.Set(textKey, text)
	return whole
}

// wrapper finds the row of a model_type.
func (t Table) wrapper(modelType string) *Wrapper {
	if i := slices.IndexFunc(t.Wrappers, func(w Wrapper) bool { return w.ModelType == modelType }); i >= 0 {
		return &t.Wrappers[i]
	}
	return nil
}

// unwrap returns the configuration of the language model inside as one of its family
// alone, nil where the row's kind holds none.
func (w Wrapper) unwrap(c *Config) (*Config, *Wrapped, error) {
	stored, err := c.Object.Object(textKey)
	if err != nil {
		return nil, nil, err
	}
	of := &Wrapped{ModelType: w.ModelType, Architecture: w.Architecture, File: c, row: w, stored: stored}
	if stored == nil {
		if !w.Flat {
			return nil, nil, Unsupported("model_type %q without key %q, where its language model stands; download config.json again", w.ModelType, textKey)
		}
		of.stored, of.flat = c.Object, true
	}
	inner := of.stored.Clone()
	if of.flat {
		for _, key := range inner.Keys() {
			if matches(w.Own, key) {
				inner.Delete(key)
			}
		}
	}
	text, err := w.text(inner, of.flat)
	if err != nil {
		return nil, nil, err
	}
	if err := text.complete(inner); err != nil {
		return nil, nil, err
	}
	of.text = text
	if w.Causal {
		inner.Delete("use_bidirectional_attention")
	}
	inner.Set("model_type", cmp.Or(text.Family, text.ModelType))
	if err := plainAxes(inner); err != nil {
		return nil, nil, err
	}
	of.inner = inner
	return &Config{Object: inner, Path: c.Path, Ignore: c.Ignore}, of, nil
}

// text is the row of the language model.
func (w Wrapper) text(inner *Object, flat bool) (none Text, err error) {
	name, ok, err := inner.Text("model_type")
	if err != nil {
		return none, err
	}
	if !ok || flat {
		name = w.Texts[0].ModelType
	}
	var valid []string
	for _, t := range w.Texts {
		if t.ModelType == name {
			return t, nil
		}
		valid = append(valid, t.ModelType)
	}
	return none, fmt.Errorf("model_type %q is a wrapper: its language model is %s, and there model_type %q, which is %w in it (valid: %s); save it as a checkpoint of its own", w.ModelType, textKey, name, posenc.ErrUnsupported, strings.Join(valid, ", "))
}

// complete adds the sizes that the file leaves out.
func (t Text) complete(inner *Object) error {
	if t.Defaults == "" {
		return nil
	}
	sizes, err := config.ParseObject([]byte(t.Defaults))
	if err != nil {
		return fmt.Errorf("internal error: defaults of %s: %w", t.ModelType, err)
	}
	for _, key := range sizes.Keys() {
		if inner.Raw(key) == nil {
			inner.Set(key, sizes.Raw(key))
		}
	}
	return nil
}

// plainAxes renames the rope type of positions of several axes: those of text are the
// same on every axis, which is the plain rotation.
func plainAxes(inner *Object) error {
	for _, key := range []string{"rope_parameters", "rope_scaling"} {
		dict, err := inner.Object(key)
		if err != nil {
			return err
		}
		if dict == nil {
			continue
		}
		changed := false
		for _, k := range []string{"rope_type", "type"} {
			if name, ok, err := dict.Text(k); err == nil && ok && name == "mrope" {
				dict.Set(k, "default")
				changed = true
			}
		}
		if changed {
			inner.Set(key, dict)
		}
	}
	return nil
}

// names are a family's under the wrapper's prefixes, as the checkpoint has them.
func (w Wrapped) names(n Names, has func(tensor string) bool) Names {
	for i, s := range w.row.Spellings {
		c := Rename{From: "model.", To: s.Base}
		if has != nil && !has(c.apply(n.Embed)+".weight") && i+1 < len(w.row.Spellings) {
			continue
		}
		if has != nil && !has(c.apply(n.Embed)+".weight") {
			return w.row.Spellings[0].of(n)
		}
		return s.of(n)
	}
	return n
}

func (s Spelling) of(n Names) Names {
	head := n.Head
	n = n.renamed(Rename{From: "model.", To: s.Base})
	if head != "" {
		n.Head = s.Head
	}
	return n
}

// Ties says whose tie_word_embeddings makes the head the embedding in transformers 5,
// where none is stored.
type Ties int

// TiesWhole is the whole configuration's, TiesEither its or the language model's,
// TiesText the language model's alone. TiesNever: the class holds the language model
// with its head, and ties nothing.
const (
	TiesWhole Ties = iota
	TiesEither
	TiesText
	TiesNever
)

// tied decides whether the head is the embedding. transformers 5 goes by the whole
// configuration, and keeps a head that is stored all the same; transformers 4 by the
// language model's.
func (w *Wrapped) tied(r *Reader, spec Spec, has func(tensor string) bool) {
	outer, said, err := w.File.Bool("tie_word_embeddings")
	r.Fail(err)
	if !said {
		outer = w.row.Tied
	}
	own, said, err := r.C.Bool("tie_word_embeddings")
	r.Fail(err)
	if !said {
		own = spec.Tied
	}
	stored := has != nil && has(spec.Names.Head+".weight")
	switch w.row.Ties {
	case TiesEither:
		outer = outer || own && !stored
	case TiesText:
		outer = own
	case TiesNever:
		outer = false
	}
	if outer && !own && stored {
		outer = false
	}
	if outer != own {
		c := r.C.Object.Clone()
		c.Set("tie_word_embeddings", outer)
		r.C = &config.Config{Object: c, Path: r.C.Path, Ignore: r.C.Ignore}
		w.inner.Set("tie_word_embeddings", json.RawMessage(fmt.Sprint(outer)))
	}
	switch {
	case own && w.row.Ties == TiesNever:
		r.Warn("tie_word_embeddings is true in %s: transformers 5 keeps the head of %s apart all the same, transformers 4 ties it", textKey, w.Architecture)
	case own && !outer:
		r.Warn("tie_word_embeddings is false, and true in %s: transformers 5 takes the first, transformers 4 the second; make them agree", textKey)
	}
}

// bareLogits leaves out what the wrapper's class does not compute.
func (m *Model) bareLogits() {
	if w := m.Wrapper; w != nil && w.row.BareLogits && (m.LogitScale != 0 || m.LogitCap != 0) {
		m.LogitScale, m.LogitCap = 0, 0
		m.Warn("%s makes logits by the head alone, and so does pecvt here; the language model by itself, and loaders that hold it so (transformers before 4.52), multiply or cap them", w.Architecture)
	}
}

// beside reports whether a stored tensor is of the wrapper's other parts.
func (w *Wrapped) beside(tensor string) bool {
	return w != nil && slices.ContainsFunc(w.row.Beside, func(start string) bool { return strings.HasPrefix(tensor, start) })
}
