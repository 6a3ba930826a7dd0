package family

import (
	"fmt"
	"math"
	"strings"

	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/posenc"
)

// Load reads the configuration beside a checkpoint, builds the model it
// describes and claims every stored tensor exactly once.
func Load(ckpt *safetensors.Checkpoint) (*Model, error) {
	c, err := LoadConfig(ckpt.Dir)
	if err != nil {
		return nil, err
	}
	m, err := FromConfig(c)
	if err != nil {
		return nil, err
	}
	if err := m.claim(ckpt); err != nil {
		return nil, err
	}
	return m, nil
}

// FromConfig builds the model a configuration describes, without looking at
// any tensor.
func FromConfig(c *Config) (*Model, error) {
	name, ok, err := c.Text("model_type")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Path, err)
	}
	if !ok {
		return nil, fmt.Errorf("%s: key %q is missing: it names the model family", c.Path, "model_type")
	}
	spec, err := Find(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Path, err)
	}
	r := &reader{c: c}
	m := build(r, spec)
	if r.err != nil {
		return nil, r.err
	}
	return m, nil
}

// maxPlanes bounds layers × head size, for which every layer's spectrum is
// allocated; real models stay under 1 << 16.
const maxPlanes = 1 << 22

// build applies a family's data to a configuration.
func build(r *reader, spec Spec) *Model {
	m := &Model{Family: spec.Name, ModelType: spec.ModelType, Config: r.c,
		Vocab: r.size("vocab_size"), Hidden: r.size("hidden_size"), MaxPositions: r.size("max_position_embeddings"),
		Tied: r.boolOr(spec.Tied, "tie_word_embeddings")}
	layers, heads := r.size("num_hidden_layers"), r.size("num_attention_heads")
	kv := r.sizeOr(heads, "num_key_value_heads")
	width := r.size("intermediate_size")
	eps := r.float(spec.EpsKey)
	if r.err != nil {
		return nil
	}
	if layers > 1<<12 {
		r.fail(fmt.Errorf("key %q is %d: no model has that many layers", "num_hidden_layers", layers))
		return nil
	}
	if !(eps > 0) {
		r.fail(fmt.Errorf("key %q is %v: expected a positive number", spec.EpsKey, eps))
	}
	headDim := headSize(r, spec, m.Hidden, heads)
	if heads%kv != 0 {
		r.fail(fmt.Errorf("%d attention heads cannot share %d key/value heads evenly", heads, kv))
	}
	if r.err != nil {
		return nil
	}
	if layers*headDim > maxPlanes {
		r.fail(fmt.Errorf("%d layers of head size %d: no model is that large", layers, headDim))
		return nil
	}
	r.fail(readRope(m, headDim, spec.Rope))
	if r.err == nil {
		r.fail(spec.checkRope(m.Rope))
	}
	act := activation(r)
	windows := spec.Window.layers(r, layers)
	if r.err != nil {
		return nil
	}
	spectrum, err := m.Rope.Spectrum(m.TrainedLength)
	r.fail(err)
	if r.err != nil {
		return nil
	}
	b := builder{r: r, spec: spec, n: spec.Names, eps: eps}
	h, d := int64(m.Hidden), int64(headDim)
	q, k, inner := int64(heads)*d, int64(kv)*d, int64(width)
	m.Embed = whole(b.n.Embed+".weight", int64(m.Vocab), h)
	m.FinalNorm = b.norm(b.n.FinalNorm, h)
	m.Head = Linear{Weight: whole(b.n.Head+".weight", int64(m.Vocab), h)}
	if m.Tied {
		m.Head.Weight = m.Embed
	}
	m.Blocks = make([]Block, layers)
	for i := range m.Blocks {
		b.layer = i
		att := Attention{Heads: heads, KVHeads: kv, HeadDim: headDim, Scale: 1 / math.Sqrt(float64(headDim)), Window: windows[i],
			Rotary: posenc.Rotary{Spectrum: spectrum.Clone(), HeadDim: headDim, Dim: m.Rope.RotaryDim()}}
		qkvBias := b.has(spec.QKVBias)
		if b.n.QKV != "" {
			att.Q, att.K, att.V = b.part(b.n.QKV, qkvBias, h, 0, q, q+2*k), b.part(b.n.QKV, qkvBias, h, q, k, q+2*k), b.part(b.n.QKV, qkvBias, h, q+k, k, q+2*k)
		} else {
			att.Q, att.K, att.V = b.linear(b.n.Q, qkvBias, q, h), b.linear(b.n.K, qkvBias, k, h), b.linear(b.n.V, qkvBias, k, h)
		}
		att.O = b.linear(b.n.O, b.has(spec.OBias), h, q)
		if spec.QKNorm {
			qn, kn := b.norm(b.n.QNorm, d), b.norm(b.n.KNorm, d)
			att.QNorm, att.KNorm = &qn, &kn
		}
		r.fail(att.Rotary.Check())
		mlp := MLP{Act: act, Gated: b.n.Gate != "" || b.n.GateUp != "", Down: b.linear(b.n.Down, b.has(spec.MLPBias), h, inner)}
		switch {
		case b.n.GateUp != "":
			mlp.Gate, mlp.Up = b.part(b.n.GateUp, b.has(spec.MLPBias), h, 0, inner, 2*inner), b.part(b.n.GateUp, b.has(spec.MLPBias), h, inner, inner, 2*inner)
		default:
			if mlp.Gated {
				mlp.Gate = b.linear(b.n.Gate, b.has(spec.MLPBias), inner, h)
			}
			mlp.Up = b.linear(b.n.Up, b.has(spec.MLPBias), inner, h)
		}
		m.Blocks[i] = Block{AttnNorm: b.norm(b.n.AttnNorm, h), MLPNorm: b.norm(b.n.MLPNorm, h), Attn: att, MLP: mlp}
	}
	for i := range layers {
		for _, t := range b.n.Ignore {
			m.Ignored = append(m.Ignored, strings.ReplaceAll(t, "{i}", fmt.Sprint(i)))
		}
	}
	if spec.Adjust != nil {
		spec.Adjust(r, m)
	}
	consistency(m)
	return m
}

// headSize reads the head size: head_dim, else the family's own default, else
// hidden_size over the heads.
func headSize(r *reader, spec Spec, hidden, heads int) int {
	if r.c.Has("head_dim") || spec.HeadDim != 0 {
		d := r.sizeOr(spec.HeadDim, "head_dim")
		if d%2 != 0 {
			r.fail(fmt.Errorf("head size %d (key %q) is odd: rotary planes pair coordinates, so an even one is expected", d, "head_dim"))
		}
		return d
	}
	if hidden%heads != 0 {
		r.fail(fmt.Errorf("hidden_size %d does not divide by %d attention heads, and there is no head_dim", hidden, heads))
		return 0
	}
	d := hidden / heads
	if d%2 != 0 {
		r.fail(fmt.Errorf("head size %d (hidden_size %d over %d heads) is odd: rotary planes pair coordinates, so an even one is expected", d, hidden, heads))
	}
	return d
}

// activation reads hidden_act; an unknown one is refused by name.
func activation(r *reader) string {
	name, ok, err := r.c.Text("hidden_act")
	r.fail(err)
	if !ok && err == nil {
		r.fail(fmt.Errorf("key %q is missing", "hidden_act"))
		return ""
	}
	switch name {
	case "silu", "swish":
		return "silu"
	case "gelu":
		return "gelu"
	case "gelu_new", "gelu_pytorch_tanh", "gelu_fast":
		return "gelu_tanh"
	}
	if err == nil {
		r.fail(fmt.Errorf("hidden_act %q%s: %w", name, posenc.Suggest(name, []string{"silu", "gelu", "gelu_pytorch_tanh"}), posenc.ErrUnsupported))
	}
	return ""
}

// consistency collects what is odd but not wrong.
func consistency(m *Model) {
	if declared, ok, err := m.Config.Text("dtype"); err == nil && ok {
		if older, ok, err := m.Config.Text("torch_dtype"); err == nil && ok && older != declared {
			m.warn("dtype (%s) and torch_dtype (%s) disagree", declared, older)
		}
	}
	if m.TrainedLength > m.MaxPositions {
		m.warn("the trained length %d (%s) exceeds max_position_embeddings %d", m.TrainedLength, m.TrainedLengthFrom, m.MaxPositions)
	}
	if m.Rope.Type == "yarn" && m.Rope.Factor != 0 && m.TrainedLength > 0 {
		if implied := float64(m.MaxPositions) / float64(m.TrainedLength); implied != m.Rope.Factor {
			m.warn("yarn's factor is %v, but max_position_embeddings / %s is %v; %v is used", m.Rope.Factor, m.TrainedLengthFrom, implied, m.Rope.Factor)
		}
	}
	if !m.Config.Has("rope_theta") {
		if _, dict, err := ropeDict(m.Config); err == nil && !dict.Has("rope_theta") {
			m.warn("rope_theta is not declared; the family's default %v is used", m.Rope.Theta)
		}
	}
}
