package family

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/convert/family/config"
	"github.com/pecvt/pecvt/posenc"
)

// fromBlock builds the model of a configuration with a block: its source, then
// what the block replaces.
func (t Table) fromBlock(c *Config, has func(tensor string) bool) (*Model, error) {
	e, source, err := parseBlock(c.Object)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Path, err)
	}
	own, err := t.fromConfig(&Config{Object: source, Path: c.Path, Ignore: c.Ignore}, has)
	if err != nil {
		return nil, fmt.Errorf("%s.source: %w", BlockKey, err)
	}
	m := *own
	// the source's values are read into its own layers, which keep them
	m.Blocks, m.Parameters, m.values = slices.Clone(own.Blocks), slices.Clone(own.Parameters), slices.Clone(own.values)
	for i, a := range own.Attentions() {
		c := *a
		m.Blocks[i].Mixer = &c
	}
	e.Source = own
	m.Extension = e
	if e.Rotation != nil {
		if err := m.blockRotation(e.Rotation); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", c.Path, BlockKey, err)
		}
	}
	if e.Bias != nil {
		if err := m.Biasable(); err != nil {
			return nil, fmt.Errorf("%s: %s: bias: %w", c.Path, BlockKey, err)
		}
		m.blockBias(e.Bias)
	}
	if e.QueryScale != nil {
		if err := m.blockQueryScale(*e.QueryScale); err != nil {
			return nil, fmt.Errorf("%s: %s: %s: %w", c.Path, BlockKey, QueryScaleKey, err)
		}
	}
	return &m, nil
}

// parseBlock reads the keys, and refuses those it does not know.
func parseBlock(c *Object) (*Extension, *Object, error) {
	if err := onlyKeys(c, "the configuration", "architectures", "model_type", "vocab_size", BlockKey); err != nil {
		return nil, nil, err
	}
	if err := outerKeys(c); err != nil {
		return nil, nil, err
	}
	block, err := c.Object(BlockKey)
	if err != nil {
		return nil, nil, err
	}
	if block == nil {
		return nil, nil, fmt.Errorf("key %q is missing: it describes a model of type %q", BlockKey, BlockKey)
	}
	version, ok, err := block.Int("version")
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("%s: %w", BlockKey, err)
	case !ok:
		return nil, nil, fmt.Errorf("%s: key %q is missing: expected %d", BlockKey, "version", BlockVersion)
	case version != BlockVersion:
		return nil, nil, fmt.Errorf("%s: version %d: this program reads version %d: %w; use the program that wrote the folder", BlockKey, version, BlockVersion, posenc.ErrUnsupported)
	}
	e, source, err := parseVersion1(block)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", BlockKey, err)
	}
	return e, source, nil
}

// outerKeys requires what stands beside the block to be as it was written: it
// stops other loaders, and describes nothing.
func outerKeys(c *Object) error {
	if c.Has("architectures") {
		if classes, err := c.Texts("architectures"); err != nil || !slices.Equal(classes, []string{blockArchitecture}) {
			return fmt.Errorf("key %q is %s: expected [%q]: the sizes and the family are those of %s.source", "architectures", found(c, "architectures"), blockArchitecture, BlockKey)
		}
	}
	if c.Has("vocab_size") {
		if n, _, err := c.Int("vocab_size"); err != nil || n != blockVocabulary {
			return fmt.Errorf("key %q is %s: expected %d: the vocabulary is that of %s.source", "vocab_size", found(c, "vocab_size"), blockVocabulary, BlockKey)
		}
	}
	return nil
}

// warnOfSpectra warns where the frequencies in the block's tensors are not those
// that the source's configuration declares: the tensors count, and the source
// says so no more. Planes that stand still are what a selection leaves.
func (m *Model) warnOfSpectra() error {
	e := m.Extension
	if e == nil || e.Rotation == nil || e.Rotation.Form != "" || e.Source.Rope.Type == "" {
		return nil
	}
	still, all := 0, 0
	for i, a := range m.Attentions() {
		if a.Rotary.Dim == 0 {
			continue
		}
		declared, err := e.Source.RopeOf(a).Spectrum(e.Source.TrainedLength)
		if err != nil {
			return err
		}
		rows, heads := [][]float64{a.Rotary.InvFreq}, a.KVHeads // one row for them all
		if a.Spectra != nil {
			rows, heads = a.Spectra.InvFreq, 1
		}
		for h, row := range rows {
			for p, f := range row {
				want := declared.InvFreq[p]
				if want != 0 {
					all += heads
				}
				if f == 0 && want != 0 {
					still += heads
					continue
				}
				if math.Abs(math.Abs(f)-want) > sourceTolerance*want {
					m.Warn("tensor %q: plane %d of head %d turns by %.6g per position, %s.source declares %.6g: the tensors were changed after the conversion, by training or otherwise; they are used", BlockTensor(i, "rotation.inv_freq"), p, h, f, BlockKey, want)
					return nil
				}
			}
		}
	}
	if still > 0 {
		m.Warn("%d of the %d (layer, key/value head, plane) that turn in %s.source stand still here, as a selection of planes leaves them", still, all, BlockKey)
	}
	return nil
}

// sourceTolerance is relative: a spectrum that somebody stored in float32 is
// still the source's.
const sourceTolerance = 1e-6

func parseVersion1(block *Object) (*Extension, *Object, error) {
	if err := onlyKeys(block, "the block", "version", "source", "rotation", "bias", QueryScaleKey); err != nil {
		return nil, nil, err
	}
	source, err := block.Object("source")
	if err != nil {
		return nil, nil, err
	}
	if source == nil {
		return nil, nil, fmt.Errorf("key %q is missing: it holds the source's configuration", "source")
	}
	if name, _, err := source.Text("model_type"); err != nil || name == BlockKey {
		return nil, nil, fmt.Errorf("source: model_type %q: expected a family's, blocks do not nest", name)
	}
	e := &Extension{}
	if e.Rotation, err = parseRotation(block); err != nil {
		return nil, nil, fmt.Errorf("rotation: %w", err)
	}
	if e.Bias, err = parseBias(block); err != nil {
		return nil, nil, fmt.Errorf("bias: %w", err)
	}
	if e.QueryScale, err = parseQueryScale(block); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", QueryScaleKey, err)
	}
	if e.Rotation == nil && e.Bias == nil && e.QueryScale == nil {
		return nil, nil, fmt.Errorf("neither %q nor %q nor %q: such a model is its source; use source as config.json", "rotation", "bias", QueryScaleKey)
	}
	return e, source, nil
}

func parseRotation(block *Object) (*RotationBlock, error) {
	o, err := block.Object("rotation")
	if o == nil || err != nil {
		return nil, err
	}
	b := &RotationBlock{}
	keys, err := b.parseForm(o)
	if err != nil {
		return nil, err
	}
	if err := onlyKeys(o, "it", append([]string{"type", "attention_factor", "attention_factors"}, keys...)...); err != nil {
		return nil, err
	}
	if err := oneOf(o, "type", "grape-m"); err != nil {
		return nil, err
	}
	if o.Has("attention_factors") {
		b.AttentionFactors, err = parseFactors(o)
		return b, err
	}
	gain, ok, err := o.Float("attention_factor")
	if err != nil {
		return nil, err
	}
	if !ok || posenc.CheckGain(gain) != nil {
		return nil, fmt.Errorf("key %q is %s: expected a positive number, from %v to %v", "attention_factor", found(o, "attention_factor"), 1.0/posenc.MaxGain, posenc.MaxGain)
	}
	b.AttentionFactor = gain
	return b, nil
}

// parseFactors reads a factor for each layer.
func parseFactors(o *Object) ([]float64, error) {
	if o.Has("attention_factor") {
		return nil, fmt.Errorf("keys %q and %q are both there: expected one of them", "attention_factor", "attention_factors")
	}
	gains, err := o.Floats("attention_factors")
	if err != nil {
		return nil, err
	}
	for i, gain := range gains {
		if posenc.CheckGain(gain) != nil {
			return nil, fmt.Errorf("key %q has %v for layer %d: expected a positive number, from %v to %v", "attention_factors", gain, i, 1.0/posenc.MaxGain, posenc.MaxGain)
		}
	}
	if len(gains) == 0 {
		return nil, fmt.Errorf("key %q is %s: expected a number for each layer", "attention_factors", found(o, "attention_factors"))
	}
	return gains, nil
}

func parseBias(block *Object) (*BiasBlock, error) {
	o, err := block.Object("bias")
	if o == nil || err != nil {
		return nil, err
	}
	names := slices.Sorted(maps.Values(biasTypes))
	if err := oneOf(o, "type", names...); err != nil {
		return nil, err
	}
	name, _, err := o.Text("type")
	if err != nil {
		return nil, err
	}
	b := &BiasBlock{}
	for kind, n := range biasTypes {
		if n == name {
			b.Kind = kind
		}
	}
	known := []string{"type"}
	switch b.Kind {
	case Gated:
		known = append(known, "gates")
		if err := b.parseGates(o); err != nil {
			return nil, err
		}
	case Path:
		known = append(known, "path_size")
		if b.PathSize, _, err = o.Int("path_size"); err != nil {
			return nil, err
		}
		if b.PathSize <= 0 || b.PathSize%2 != 0 || b.PathSize > 1<<16 {
			return nil, fmt.Errorf("key %q is %s: expected a positive even number", "path_size", found(o, "path_size"))
		}
	case Kerple:
		known = append(known, "kernel")
		if err := oneOf(o, "kernel", kernels...); err != nil {
			return nil, err
		}
		kernel, _, err := o.Text("kernel")
		if err != nil {
			return nil, err
		}
		b.Power = kernel == kernels[0]
	}
	return b, onlyKeys(o, "type "+name, known...)
}

func (b *BiasBlock) parseGates(o *Object) error {
	gates, err := o.Texts("gates")
	if err != nil {
		return err
	}
	for _, g := range gates {
		switch {
		case g == "query" && !b.ByQuery:
			b.ByQuery = true
		case g == "key" && !b.ByKey:
			b.ByKey = true
		default:
			return fmt.Errorf("gate %q: expected query and key, each at most once", g)
		}
	}
	if len(gates) == 0 {
		return fmt.Errorf("key %q is %s: expected a list of query and key, at least one", "gates", found(o, "gates"))
	}
	return nil
}

// onlyKeys refuses keys that are not listed, and nulls: what is not read must
// not seem to be said.
func onlyKeys(o *Object, what string, known ...string) error {
	for _, k := range o.Keys() {
		if !slices.Contains(known, k) {
			return fmt.Errorf("key %q: %s has the keys %s alone (version %d): %w", k, what, strings.Join(known, ", "), BlockVersion, posenc.ErrUnsupported)
		}
		if !o.Has(k) {
			return fmt.Errorf("key %q is null: leave it out, or say what is meant", k)
		}
	}
	return nil
}

// oneOf requires a string among the listed ones.
func oneOf(o *Object, key string, valid ...string) error {
	name, ok, err := o.Text(key)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("key %q is missing: expected one of %s", key, strings.Join(valid, ", "))
	}
	if !slices.Contains(valid, name) {
		return fmt.Errorf("%s %q%s: %w", key, name, posenc.Suggest(name, valid), posenc.ErrUnsupported)
	}
	return nil
}

// found spells a key's value for an error.
func found(o *Object, key string) string { return config.Clip(o.Spelled(key), 40) }
