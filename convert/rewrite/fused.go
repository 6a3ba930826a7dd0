package rewrite

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/hint"
)

// fuse writes a Llama-shaped model in the fused layout of a family that stock
// loaders run with a partial rotary dimension: qkv holds the rows of Q, K and
// V, gate_up those of gate and up.
func (r *Rewrite) fuse(m *family.Model, target family.Spec, order []source, p posenc.RopeParams) error {
	const native = hint.Layout + " native can"
	// what is refused below says more
	if err := m.Beyond(family.UngatedMLP, family.ParallelBlocks, family.UnrotatedLayers); err != nil {
		return fmt.Errorf("%w in the layout of family %s; %s", err, target.Name, native)
	}
	window := m.FirstAttn().Window
	gone := map[string]bool{}
	for i := range m.Blocks {
		a, mlp := m.Blocks[i].Attn(), m.Blocks[i].MLP()
		switch {
		case anyBias(a.Q, a.K, a.V, a.O, mlp.Gate, mlp.Up, mlp.Down):
			return fmt.Errorf("the model has biases, family %s holds none: %w; %s", target.Name, posenc.ErrUnsupported, native)
		case a.Rotary.Dim == 0 || a.QNorm != nil || a.KNorm != nil || !mlp.Gated || m.Blocks[i].Parallel:
			return fmt.Errorf("layer %d is not shaped as family %s holds it: %w; %s", i, target.Name, posenc.ErrUnsupported, native)
		case a.Window != window:
			return fmt.Errorf("layers differ in their sliding window, family %s has one for all: %w; %s", target.Name, posenc.ErrUnsupported, native)
		}
		qkv := append(perHead(a.Q.Weight, order), perHead(a.K.Weight, order)...)
		r.concat(target.Names.QKV, i, append(qkv, rowsOf(a.V.Weight)...), a.Q.Weight.Shape[1], gone)
		r.concat(target.Names.GateUp, i, append(rowsOf(mlp.Gate.Weight), rowsOf(mlp.Up.Weight)...), mlp.Gate.Weight.Shape[1], gone)
	}
	for _, e := range r.Edits {
		delete(gone, e.Name)
	}
	for name := range gone {
		r.Consumed = append(r.Consumed, name)
	}
	sort.Strings(r.Consumed)
	sort.Slice(r.Edits, func(i, j int) bool { return r.Edits[i].Name < r.Edits[j].Name })
	return r.fusedConfig(m, target, window, p)
}

// concat adds the tensor that a name template and a layer give, unless it is
// stored that way already.
func (r *Rewrite) concat(template string, layer int, pieces []Piece, width int64, gone map[string]bool) {
	e := Edit{Name: strings.ReplaceAll(template, "{i}", strconv.Itoa(layer)) + ".weight"}
	var rows int64
	for _, p := range pieces {
		e.Pieces = joined(e.Pieces, p)
		rows += p.Count()
	}
	if len(e.Pieces) == 1 && e.Pieces[0].Tensor == e.Name {
		return
	}
	e.Shape = []int64{rows, width}
	for _, p := range e.Pieces {
		gone[p.Tensor] = true
	}
	r.Edits = append(r.Edits, e)
}

func anyBias(list ...family.Linear) bool {
	for _, l := range list {
		if l.Bias != nil {
			return true
		}
	}
	return false
}

// fusedConfig turns the configuration into the target family's. What the two
// families' loaders default differently is spelled out: an absent key must not
// change its meaning with the family.
func (r *Rewrite) fusedConfig(m *family.Model, target family.Spec, window int, p posenc.RopeParams) error {
	if a := m.FirstAttn(); p.Type == "longrope" && m.Hidden != a.Heads*a.QKDim {
		return hint.Errorf("stock loaders of family %s take the head size of per-plane factors to be hidden_size over the heads (%d), it is %d: %w; "+hint.Layout+" native can",
			target.Name, m.Hidden/a.Heads, a.QKDim, posenc.ErrUnsupported)
	}
	c := r.Config
	if m.ModelType != target.ModelType {
		c.Set("architectures", []string{target.Architecture})
		c.Set("model_type", target.ModelType)
		for _, key := range []string{"attention_bias", "mlp_bias", "pretraining_tp", "auto_map"} {
			c.Delete(key)
		}
		for _, d := range []struct {
			key   string
			value any
		}{{"bos_token_id", 1}, {"eos_token_id", 2}, {"pad_token_id", nil}, {"num_key_value_heads", m.FirstAttn().KVHeads}, {"tie_word_embeddings", m.Tied}} {
			if c.Raw(d.key) == nil {
				c.Set(d.key, d.value)
			}
		}
	}
	if window > 0 {
		setNumber(c, "sliding_window", float64(window))
	} else if c.Has("sliding_window") || c.Raw("sliding_window") == nil {
		c.Set("sliding_window", nil)
	}
	length := r.TrainLength
	if r.AfterLong != nil {
		length = m.TrainedLength
	}
	setNumber(c, original, float64(length))
	return nil
}
