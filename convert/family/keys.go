package family

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/convert/family/config"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
)

// quantisation are the keys that say how weights are quantised; what the tensors
// show decides (package evidence).
var quantisation = []string{"quantization_config", "compression_config", "quantization"}

// ropeKeys are read by every family with rotary parameters.
var ropeKeys = []string{"rope_parameters", "rope_scaling", "rope_theta", "partial_rotary_factor", "original_max_position_embeddings"}

// ConfigKeys lists the keys that the family reads, sorted; one that ends in * is
// the beginning of several.
func (s Spec) ConfigKeys() []string {
	k := s.keys()
	list := append([]string{"model_type", "tie_word_embeddings"}, s.Reads...)
	for _, keys := range k.all() {
		list = append(list, keys...)
	}
	for _, rule := range []Rule{s.QKVBias, s.OBias, s.MLPBias, s.HeadBias, s.HeadDenseBias, s.QKNorm, s.Parallel, s.Conv.Bias} {
		list = append(list, rule.Key, rule.Older)
	}
	list = append(list, s.HeadDenseAct, s.EpsKey, s.EpsOlder, s.Rope.ThetaKey, s.Rope.PartialKey, s.LayerBases, s.Conv.Length)
	if s.Latent != nil {
		list = append(list, s.Latent.keys()...)
	}
	if s.Rope.Sliding != nil {
		list = append(list, s.Rope.Sliding.ThetaKey)
	}
	if s.Window.Key != "" {
		list = append(list, s.Window.Key, "layer_types")
		if !s.Window.ByType {
			list = append(list, s.Window.Switch, "max_window_layers", "use_sliding_window")
		}
	}
	if s.OutGate != nil {
		list = append(list, s.OutGate.If.Key, s.OutGate.If.Older)
	}
	if s.ByLayer != nil {
		list = append(list, s.ByLayer.Size, s.ByLayer.Vocab)
	}
	list = append(list, s.Experts.keys()...)
	list = append(list, s.Indexer.keys()...)
	list = append(list, s.Mamba.keys()...)
	list = append(list, s.RGLRU.keys()...)
	list = append(list, s.Delta.keys()...)
	list = append(list, ropeKeys...)
	slices.Sort(list)
	return slices.Compact(slices.DeleteFunc(list, func(key string) bool { return key == "" }))
}

// reads reports whether the family computes with a key.
func (s Spec) reads(key string) bool { return matches(s.ConfigKeys(), key) }

// keys are the family's spellings of the sizes.
func (s Spec) keys() Keys {
	if s.Keys.Hidden == nil {
		return HFKeys
	}
	return s.Keys
}

// epsKeys lists the spellings of the norms' ε.
func (s Spec) epsKeys() []string {
	if s.EpsOlder == "" {
		return []string{s.EpsKey}
	}
	return []string{s.EpsKey, s.EpsOlder}
}

// all lists the spellings of each size, in the order in which they count.
func (k Keys) all() [][]string {
	return [][]string{k.Vocab, k.Hidden, k.Layers, k.Heads, k.KVHeads, k.Inner, k.MaxPositions, k.HeadDim, k.Act}
}

// checkKeys judges every key of the configuration: the family reads it, it is
// known to change nothing, or it is refused by name. What loaders of the family
// pass over and others compute with is warned of.
func checkKeys(r *Reader, spec Spec, m *Model) {
	reads := spec.ConfigKeys()
	var unknown, names []string
	for _, key := range r.C.Keys() {
		raw := r.C.Raw(key)
		g, guarded := config.FindGuarded(key)
		switch {
		case matches(reads, key), slices.Contains(quantisation, key), config.IsInert(key):
		case guarded && (g.IsNeutral(raw) || key == "sliding_window" && switchedOff(r.C)):
		case guarded && g.Foreign:
			m.Warn("config.json declares %s (%s), which loaders of family %s do not read, nor does pecvt: a model that was trained with it computes something else here", key, found(r.C.Object, key), spec.Name)
		case key == "layer_types" && allFull(r.C):
		case guarded:
			r.Fail(fmt.Errorf("key %q is %s, which asks for %s: %w; %s", key, found(r.C.Object, key), g.Means, posenc.ErrUnsupported, g.Advice))
		case config.IsEmpty(raw):
		default:
			if _, ok := config.SynonymOf(key); ok {
				continue // checkSynonyms compares it
			}
			if string(raw) == "false" {
				m.Warn("config.json says %s: false; the key is unknown here and taken for a part that is switched off", key)
				continue
			}
			unknown, names = append(unknown, key+" ("+found(r.C.Object, key)+")"), append(names, key)
		}
	}
	if unknown != nil {
		r.Fail(hintUnknown(spec, unknown, names))
	}
	checkSynonyms(r, spec, m)
	checkNulls(r, spec)
	checkClass(r, spec, m)
}

func hintUnknown(spec Spec, unknown, names []string) error {
	return hint.Errorf("keys that family %s does not read and that are not known to be without effect: %s: %w; if they change nothing of what the model computes, say so with "+hint.IgnoreKeys+" %s (or remove them from config.json), else it is another model than the family's", spec.Name, strings.Join(unknown, ", "), posenc.ErrUnsupported, strings.Join(names, ","))
}

// checkClass warns where the configuration names other code than the stock class.
func checkClass(r *Reader, spec Spec, m *Model) {
	classes, err := r.C.Texts("architectures")
	r.Fail(err)
	stem := strings.ToLower(strings.TrimSuffix(spec.Architecture, "ForCausalLM"))
	for _, class := range classes {
		kind, ours := strings.CutPrefix(strings.ToLower(class), stem)
		if !ours || !slices.Contains([]string{"forcausallm", "model", "lmheadmodel", ""}, kind) {
			m.Warn("architectures names %s, and what is read is %s: a class of other code may compute something else", class, spec.Architecture)
		}
	}
	if r.C.Has("auto_map") {
		m.Warn("auto_map names code beside the checkpoint: what is read is the stock %s; loaders that run that code (trust_remote_code) may compute something else", spec.Architecture)
	}
}

// switchedOff: a window that its own switch turns off.
func switchedOff(c *Config) bool { return string(c.Raw("use_sliding_window")) == "false" }

// allFull: layer_types says what families without it are anyway.
func allFull(c *Config) bool {
	kinds, err := c.Texts("layer_types")
	return err == nil && !slices.ContainsFunc(kinds, func(kind string) bool { return kind != "full_attention" })
}

// matches reports whether a key is in a list, some of which end in *.
func matches(list []string, key string) bool {
	return slices.ContainsFunc(list, func(k string) bool {
		start, open := strings.CutSuffix(k, "*")
		return k == key || open && strings.HasPrefix(key, start)
	})
}

// checkSynonyms compares the spellings of one number: of those that the family's
// loaders read the first one counts, the others must say the same or are warned
// of.
func checkSynonyms(r *Reader, spec Spec, m *Model) {
	for _, s := range config.Synonyms() {
		reads := spec.order(s)
		if reads == nil {
			spec.unread(r, s, m)
			continue
		}
		used := r.Present(reads)
		for _, key := range s.Keys {
			raw := r.C.Raw(key)
			switch {
			case key == used || slices.Contains(spec.Reads, key) || raw == nil || string(raw) == "null" || spec.inRope(r.C, s):
			case used == "" && slices.Contains(spec.required(), reads[0]):
				r.Fail(fmt.Errorf("key %q is missing: loaders of family %s read %s from it, and not from %q, which is there; rename that", reads[0], spec.Name, s.Number, key))
			case used == "":
				m.Warn("%s is %s, which loaders of family %s do not read: they take %s from %q, which is not there, and so its default; rename the key if it is meant", key, found(r.C.Object, key), spec.Name, s.Number, reads[0])
			case spec.sameNumber(r.C, s, used, key):
			default:
				m.Warn("%s is %s and %s is %s, two spellings of %s: loaders of family %s take %s, and so does pecvt; make them agree or remove %s", used, found(r.C.Object, used), key, found(r.C.Object, key), s.Number, spec.Name, used, key)
			}
		}
	}
}

// unread warns of a number that loaders of the family make of others, unless it is
// what they make.
func (s Spec) unread(r *Reader, number config.Synonym, m *Model) {
	heads := r.Present(s.keys().Heads)
	for _, key := range number.Keys {
		switch {
		case !r.C.Has(key) || s.reads(key) || number.Keys[0] == "head_dim": // whose size is compared
		case number.Keys[0] == "num_key_value_heads" && config.Same(r.C.Raw(key), r.C.Raw(heads)):
		default:
			m.Warn("%s is %s, which loaders of family %s do not read, nor does pecvt: they make %s of the other keys", key, found(r.C.Object, key), s.Name, number.Number)
		}
	}
}

// order lists the spellings of a number that the family's loaders read, the one
// that counts first; nil where they read none.
func (s Spec) order(number config.Synonym) []string {
	own := append(s.keys().all(), s.epsKeys(), []string{"tie_word_embeddings"})
	if s.Position == nil {
		theta, partial := s.Rope.ThetaKey, s.Rope.PartialKey
		if theta == "" {
			theta = "rope_theta"
		}
		if partial == "" {
			partial = "partial_rotary_factor"
		}
		own = append(own, []string{theta}, []string{partial})
	}
	for _, keys := range own {
		if slices.ContainsFunc(keys, func(k string) bool { return k != "" && slices.Contains(number.Keys, k) }) {
			return keys
		}
	}
	return nil
}

// inRope: the number stands in the rope dictionary, which has the last word;
// reading it compares it with the spelling outside.
func (s Spec) inRope(c *Config, number config.Synonym) bool {
	inner := number.Keys[0]
	if inner != "rope_theta" && inner != "partial_rotary_factor" {
		return false
	}
	_, dict, err := ropeDict(c, s.Rope)
	return err != nil || dict.Has(inner)
}

// sameNumber compares two spellings; two names of one activation are the same.
func (s Spec) sameNumber(c *Config, number config.Synonym, a, b string) bool {
	if config.Same(c.Raw(a), c.Raw(b)) {
		return true
	}
	if number.Keys[0] != "hidden_act" {
		return false
	}
	x, _, err1 := c.Text(a)
	y, _, err2 := c.Text(b)
	return err1 == nil && err2 == nil && activations[x] != "" && activations[x] == activations[y]
}

// LengthKey is the key of a configuration that the number of positions is read from,
// and to be written to.
func (s Spec) LengthKey(o *Object) string {
	keys := s.keys().MaxPositions
	for _, key := range keys {
		if o.Has(key) {
			return key
		}
	}
	return keys[0]
}

// required are the sizes that have no default.
func (s Spec) required() []string {
	k := s.keys()
	list := []string{k.Hidden[0], k.Layers[0], k.Heads[0]}
	if s.Inner == nil {
		list = append(list, k.Inner[0])
	}
	if s.MaxPositions == 0 {
		list = append(list, k.MaxPositions[0])
	}
	if s.Eps == 0 {
		list = append(list, s.EpsKey)
	}
	if s.Act == "" && k.Act != nil {
		list = append(list, k.Act[0])
	}
	return list
}

// checkNulls refuses null where stock loaders stop at it (transformers 5) or take
// it for something else than an absent key.
func checkNulls(r *Reader, spec Spec) {
	k := spec.keys()
	list := append([]string{spec.EpsKey, spec.Rope.ThetaKey, spec.Rope.PartialKey}, k.Act...)
	list = append(list, k.MaxPositions...)
	if spec.HeadDim != 0 {
		list = append(list, k.HeadDim...)
	}
	if spec.Position == nil && spec.Rope.ThetaKey == "" {
		list = append(list, "rope_theta")
		if spec.Rope.Partial != 0 {
			list = append(list, "partial_rotary_factor")
		}
	}
	for _, key := range list {
		if key == "" || string(r.C.Raw(key)) != "null" || r.Present(k.MaxPositions) != "" && slices.Contains(k.MaxPositions, key) {
			continue
		}
		if number, ok := config.SynonymOf(key); ok && spec.inRope(r.C, number) {
			continue
		}
		r.Fail(fmt.Errorf("key %q is null, at which loaders of family %s stop: %w; write the value, or leave the key out for the default", key, spec.Name, posenc.ErrUnsupported))
	}
}
