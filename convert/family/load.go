package family

import (
	"fmt"
	"slices"

	"github.com/pecvt/pecvt/convert/family/config"
	"github.com/pecvt/pecvt/convert/family/evidence"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/posenc"
)

// Load reads the configuration beside a store of tensors, builds the model it
// describes, claims every stored tensor exactly once and reads the small
// tensors whose values belong to the model (Parameters). A NaN or an infinity
// among those, or in a projection that the encoding reads, is an error. What the
// folder holds instead of plain weights of one causal model is refused as what it
// is; see package evidence.
//
// Keys of the configuration in ignore are those of which somebody says that they
// change nothing of what the model computes: they count as absent. A key that
// the family reads is an error.
func (t Table) Load(s store.Store, ignore []string) (*Model, error) {
	c, err := config.Load(s.Root(), s.FS())
	if err != nil {
		return nil, err
	}
	c.Ignore = ignore
	if err := evidence.Adapter(s); err != nil {
		return nil, err
	}
	if err := evidence.Quantised(s, c); err != nil {
		return nil, err
	}
	m, err := t.fromConfig(c, func(tensor string) bool {
		_, ok := s.Lookup(tensor)
		return ok
	})
	if err != nil {
		return nil, err
	}
	m.keptLength(s.FS())
	m.deltaPieces(s)
	if err := m.checkDecays(s); err != nil {
		return nil, err
	}
	if err := m.checkSinusoids(s); err != nil {
		return nil, err
	}
	m.eitherWay(s)
	if err := m.claim(s); err != nil {
		return nil, err
	}
	if q := store.Quantised(s); q != nil {
		m.Quantised = q
		m.Warnings = append(m.Warnings, q.Warnings...)
	} else {
		m.leftover(evidence.Declared(s.FS(), c))
	}
	m.Warnings = append(m.Warnings, evidence.Files(s.FS())...)
	for _, read := range m.values {
		if err := read(s); err != nil {
			return nil, fmt.Errorf("%s: %w", s.Root(), err)
		}
	}
	if err := m.warnOfSpectra(); err != nil {
		return nil, fmt.Errorf("%s: %w", s.Root(), err)
	}
	for p := range m.EachPart() {
		if !p.Encoding || p.Kind != KindLinear {
			continue // values were read above
		}
		for _, w := range p.Weights {
			if err := store.CheckFinite(s, w.Tensor); err != nil {
				return nil, err
			}
		}
	}
	return m, nil
}

// FromConfig builds the model a configuration describes, without looking at
// any tensor: names are those of the family's own writers, and what Load reads
// from Parameters (learned frequencies, slopes and gates) stays zero.
func (t Table) FromConfig(c *Config) (*Model, error) { return t.fromConfig(c, nil) }

// fromConfig builds the model; has, if not nil, says which tensors are stored.
func (t Table) fromConfig(c *Config, has func(tensor string) bool) (*Model, error) {
	name, ok, err := c.Text("model_type")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Path, err)
	}
	if !ok {
		return nil, fmt.Errorf("%s: key %q is missing: it names the model family", c.Path, "model_type")
	}
	if name == BlockKey {
		return t.fromBlock(c, has)
	}
	if c.Raw(BlockKey) != nil {
		return nil, fmt.Errorf("%s: key %q stands beside model_type %q: the two contradict each other; a folder that pecvt wrote has model_type %q, and a stock one no such key", c.Path, BlockKey, name, BlockKey)
	}
	var wrapped *Wrapped
	if row := t.wrapper(name); row != nil {
		inner, w, err := row.unwrap(c)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Path, err)
		}
		c, wrapped = inner, w
		name, _, _ = c.Text("model_type")
	} else if err := evidence.Wrapper(c, t.known); err != nil {
		return nil, fmt.Errorf("%s: %w", c.Path, err)
	}
	spec, err := t.Find(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Path, officialGrape(c, name, err))
	}
	if wrapped != nil && wrapped.text.Change != nil {
		spec = wrapped.text.Change(spec)
	}
	if c, err = c.Without(c.Ignore, spec.reads); err != nil {
		return nil, err
	}
	r := &Reader{C: c}
	if spec.Variant != nil {
		spec = spec.Variant(r, spec)
	}
	if r.Err != nil {
		return nil, r.Err
	}
	spec.Names = spec.spelled(has)
	if wrapped != nil {
		spec.Names = wrapped.names(spec.Names, has)
		wrapped.tied(r, spec, has)
	}
	m := build(r, spec)
	if r.Err != nil {
		return nil, r.Err
	}
	m.Wrapper = wrapped
	m.bareLogits()
	m.resolve(has, spec.Spelled)
	return m, nil
}

// spelled returns the names as a checkpoint's writer spelled them.
func (s Spec) spelled(has func(tensor string) bool) Names {
	n := s.Names
	if has == nil {
		return n
	}
	for _, c := range s.Older {
		older := func(name string) bool {
			other := c.apply(name)
			return other != name && !has(name+".weight") && has(other+".weight")
		}
		if older(n.Embed) || older(n.Head) {
			n = n.renamed(c)
		}
	}
	return n
}

// officialGrape adds what to do to the error for a configuration of the
// official GRAPE code, which names every variant gpt2.
func officialGrape(c *Config, name string, err error) error {
	classes, _ := c.Texts("architectures")
	if name != "gpt2" || !slices.Equal(classes, []string{"GPT"}) {
		return err
	}
	return fmt.Errorf("model_type %q of class GPT: the official GRAPE code writes that for all its variants: set model_type to %q and grape_variant to one of %s: %w", name, Grape.ModelType, listGrape(), posenc.ErrUnsupported)
}
