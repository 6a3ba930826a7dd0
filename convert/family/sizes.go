package family

import (
	"cmp"
	"fmt"

	"github.com/pecvt/pecvt/posenc"
)

// HeadSizes are the numbers of a layer's query heads and key/value heads, and the
// sizes of queries and keys, and of values.
type HeadSizes struct{ Heads, KVHeads, QK, V int }

// sizes are the numbers every layer is built from.
type sizes struct {
	layers, heads, kv, headDim, inner int
	eps                               float64
	act                               string
	latent                            *latentSizes // nil without latent attention
}

// maxPlanes bounds layers × head size and layers × heads, for which every
// layer's spectrum, slopes and rows are allocated; real models stay under
// 1 << 16. maxGates bounds the product of all three, for gates and spectra per
// head; real models stay under 1 << 23.
const (
	maxPlanes = 1 << 22
	maxGates  = 1 << 25
)

// readSizes reads the model's and the layers' sizes.
func readSizes(r *Reader, spec Spec, m *Model) sizes {
	k := spec.keys()
	m.Vocab, m.Hidden = r.Size(k.Vocab...), r.Size(k.Hidden...)
	m.MaxPositions, m.TrainedLengthFrom = spec.MaxPositions, "the family's default length"
	if key := r.Present(k.MaxPositions); key != "" || spec.MaxPositions == 0 {
		m.MaxPositions, m.TrainedLengthFrom = r.Size(k.MaxPositions...), key
	}
	m.TrainedLength = m.MaxPositions
	for _, key := range append([]string{"tie_word_embeddings"}, k.Heads...) {
		if string(r.C.Raw(key)) == "null" { // elsewhere null often is the default
			r.Fail(fmt.Errorf("key %q is null: stock loaders stop at that; give its value, or remove the key", key))
		}
	}
	m.Tied = r.BoolOr(spec.Tied, "tie_word_embeddings")
	s := sizes{layers: r.Size(k.Layers...), heads: r.Size(k.Heads...)}
	if spec.Halves {
		s.layers *= 2
	}
	if s.kv = r.SizeOr(s.heads, k.KVHeads...); spec.OneKV {
		s.kv = 1
	}
	if spec.Inner != nil && r.Present(k.Inner) == "" {
		s.inner = spec.Inner(m.Hidden)
	} else {
		s.inner = r.Size(k.Inner...)
	}
	if spec.InnerOf != nil && r.Err == nil {
		s.inner = spec.InnerOf(r, s.inner)
	}
	s.eps = spec.Eps
	if key := r.Present(spec.epsKeys()); key != "" || spec.Eps == 0 {
		s.eps = r.Float(cmp.Or(key, spec.EpsKey))
	}
	if r.Err != nil {
		return s
	}
	if s.layers > 1<<12 {
		r.Fail(fmt.Errorf("key %q is %d: no model has that many layers", r.Present(k.Layers), s.layers))
		return s
	}
	if !(s.eps > 0) {
		r.Fail(fmt.Errorf("key %q is %v: expected a positive number", spec.EpsKey, s.eps))
	}
	if s.latent = spec.Latent.sizes(r, m.Hidden, s.heads, s.kv); s.latent != nil {
		s.headDim = s.latent.still + s.latent.turned
	} else {
		s.headDim = headSize(r, spec, k, m.Hidden, s.heads)
	}
	if s.heads%s.kv != 0 {
		r.Fail(fmt.Errorf("%d attention heads cannot share %d key/value heads evenly", s.heads, s.kv))
	}
	if r.Err == nil && (s.layers*s.headDim > maxPlanes || s.layers*s.heads > maxPlanes || s.layers*s.heads*s.headDim > maxGates) {
		r.Fail(fmt.Errorf("%d layers of %d heads of head size %d: no model is that large", s.layers, s.heads, s.headDim))
	}
	s.act = activation(r, spec, k.Act)
	return s
}

// headSize reads the head size: its key, else the family's own default, else
// the hidden size over the heads.
func headSize(r *Reader, spec Spec, k Keys, hidden, heads int) int {
	rotary := spec.Position == nil
	if own, ok, err := r.C.Int("head_dim"); spec.HiddenHeads && ok && err == nil && own*heads != hidden {
		r.Fail(Unsupported("head_dim is %d, yet %s %d over %d heads is %d, the head size that loaders of family %s have; some rotate by head_dim all the same: remove the key", own, r.Present(k.Hidden), hidden, heads, hidden/heads, spec.Name))
		return 0
	}
	if key := r.Present(k.HeadDim); !spec.HiddenHeads && key != "" || spec.HeadDim != 0 {
		d := r.SizeOr(spec.HeadDim, k.HeadDim...)
		if rotary && d%2 != 0 {
			r.Fail(fmt.Errorf("head size %d (key %q) is odd: rotary planes pair coordinates, so an even one is expected", d, k.HeadDim[0]))
		}
		return d
	}
	if hidden%heads != 0 {
		r.Fail(fmt.Errorf("%s %d does not divide by %d attention heads, and there is no head_dim", r.Present(k.Hidden), hidden, heads))
		return 0
	}
	d := hidden / heads
	if rotary && d%2 != 0 {
		r.Fail(fmt.Errorf("head size %d (%s %d over %d heads) is odd: rotary planes pair coordinates, so an even one is expected", d, r.Present(k.Hidden), hidden, heads))
	}
	return d
}

// activations are the names that configurations give to those pecvt computes.
var activations = map[string]string{"silu": "silu", "swish": "silu", "gelu": "gelu",
	"relu": "relu", "relu2": "relu2", "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "gelu_fast": "gelu_tanh"}

// activation reads the activation's name; an unknown one is refused by name.
func activation(r *Reader, spec Spec, keys []string) string {
	key := r.Present(keys)
	if key == "" {
		if spec.Act == "" {
			r.Fail(fmt.Errorf("key %q is missing", keys[0]))
		}
		return spec.Act
	}
	name, _, err := r.C.Text(key)
	r.Fail(err)
	if name == "xielu" && spec.Names.XIELU != "" {
		return name
	}
	if own := activations[name]; own != "" {
		return own
	}
	if err == nil {
		r.Fail(fmt.Errorf("%s %q is unknown (valid: silu, gelu, gelu_pytorch_tanh, relu, relu2): %w; use a checkpoint that has one of them", key, name, posenc.ErrUnsupported))
	}
	return ""
}

// consistency collects what is odd but not wrong.
func consistency(m *Model, def RopeDefaults) {
	if declared, ok, err := m.Config.Text("dtype"); err == nil && ok {
		if older, ok, err := m.Config.Text("torch_dtype"); err == nil && ok && older != declared {
			m.Warn("dtype (%s) and torch_dtype (%s) disagree", declared, older)
		}
	}
	if m.TrainedLength > m.MaxPositions {
		m.Warn("the trained length %d (%s) exceeds max_position_embeddings %d", m.TrainedLength, m.TrainedLengthFrom, m.MaxPositions)
	}
	if m.Rope.Type == "" {
		return
	}
	if m.Rope.Type == "yarn" && m.Rope.Factor != 0 && m.TrainedLength > 0 {
		if implied := float64(m.MaxPositions) / float64(m.TrainedLength); implied != m.Rope.Factor {
			m.Warn("yarn's factor is %v, but max_position_embeddings / %s is %v; %v is used", m.Rope.Factor, m.TrainedLengthFrom, implied, m.Rope.Factor)
		}
	}
	if !m.FullStill() && !m.Config.Has("rope_theta") && (def.ThetaKey == "" || !m.Config.Has(def.ThetaKey)) {
		if _, dict, err := ropeDict(m.Config, def); err == nil && !dict.Has("rope_theta") {
			m.Warn("rope_theta is not declared; the family's default %v is used", m.Rope.Theta)
		}
	}
}
