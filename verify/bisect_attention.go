package verify

import (
	"fmt"
	"strings"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// ofAttention are the counterparts within a layer's attention; step is the
// node's name below it.
func (e *expecter) ofAttention(n *onnxpb.NodeProto, step string, output, layer int) *counterpart {
	b := &e.s.model.Blocks[layer]
	a := b.Attn()
	tap := func(name string) string { return fmt.Sprintf("/layers.%d/attn/%s", layer, name) }
	parts := projections(a)
	context := "context"
	if a.HeadNorm != nil {
		context = "head_norm"
	}
	switch step {
	case "Attention", "GroupQueryAttention":
		if output > 0 {
			return e.ofCache(layer, output)
		}
		if step == "Attention" {
			return plain(tap("context"), func(f []float64) *wanted { return e.heads(f, a.Heads) })
		}
		return plain(tap("context"), func(f []float64) *wanted { return e.rows(f, e.b, e.n, a.Heads*a.VDim) })
	case "head_norm/RMSNormalization", "head_norm/LayerNormalization":
		return plain(tap("head_norm"), func(f []float64) *wanted { return e.heads(f, a.Heads) })
	case "out/Transpose":
		return plain(tap(context), func(f []float64) *wanted { return e.rows(f, e.b, e.n, a.Heads, a.VDim) })
	case "out/Reshape":
		return plain(tap(context), e.flat)
	case "o_proj/Gemm", "o_proj/Add":
		switch {
		case step == "o_proj/Gemm" && a.O.Bias != nil:
			return plain(tap("o_proj"), e.flat)
		case !b.Parallel:
			return plain(fmt.Sprintf("/layers.%d/attn_residual", layer), e.flat)
		}
		x, y := e.stream(layer), tap("o_proj")
		return &counterpart{[]string{x, y}, func(t map[string][]float64) *wanted {
			sum := append([]float64(nil), t[x]...)
			for i, v := range t[y] {
				sum[i] += v
			}
			return e.flat(sum)
		}}
	case "qkv_proj/Gemm", "qkv/Reshape":
		return e.packed(tap, step == "qkv/Reshape")
	case "phase/ContextPhase":
		if output > 0 {
			return nil
		}
		return plain(tap("phase"), func(f []float64) *wanted {
			w := e.heads(f, len(f)/(e.b*e.n)) // (batch, phases, tokens, 1)
			w.shape = w.shape[:3]
			return w
		})
	}
	part, rest, _ := strings.Cut(step, "/")
	letter, kind, _ := strings.Cut(part, "_")
	p, ok := parts[letter]
	if !ok {
		return nil
	}
	last := letter + "_proj" // before the rotation
	if p.shift {
		last = letter + "_shift"
	}
	if p.norm && !a.NormAfter {
		last = letter + "_norm"
	}
	asHeads := func(f []float64) *wanted { return e.heads(f, p.heads) }
	asTokens := func(f []float64) *wanted { return e.rows(f, e.b, e.n, p.heads, a.QKDim) }
	switch {
	case kind == "proj" && rest == "Gemm":
		return plain(tap(letter+"_proj"), e.flat)
	case kind == "norm" && rest == "Reshape":
		return plain(tap(letter+"_proj"), asTokens)
	case kind == "norm" && a.NormAfter:
		return plain(tap(letter+"_norm"), asHeads)
	case kind == "norm":
		return plain(tap(letter+"_norm"), asTokens)
	case kind == "shift" && rest == "Add":
		return plain(tap(letter+"_shift"), asTokens)
	case kind != "":
		return nil
	case rest == "Reshape" && e.s.info.Attention == "ort":
		return plain(tap(last), func(f []float64) *wanted { return e.rows(f, e.b, e.n, p.heads*a.QKDim) })
	case rest == "Reshape":
		return plain(tap(letter+"_proj"), asTokens)
	case rest == "Transpose":
		return plain(tap(last), asHeads)
	case rest == "fold/Reshape":
		return plain(tap(last), anyShape(asHeads))
	case rest == "Rotation":
		return plain(tap(letter+"_rotated"), anyShape(asHeads))
	case rest == "unfold/Reshape":
		return plain(tap(letter+"_rotated"), asHeads)
	}
	return nil
}

// anyShape compares the elements in their order alone.
func anyShape(make func(f []float64) *wanted) func(f []float64) *wanted {
	return func(f []float64) *wanted {
		w := make(f)
		w.shape = nil
		return w
	}
}

// packed are queries, keys and values side by side.
func (e *expecter) packed(tap func(string) string, split bool) *counterpart {
	names := []string{tap("q_proj"), tap("k_proj"), tap("v_proj")}
	return &counterpart{names, func(t map[string][]float64) *wanted {
		var all []float64
		for row := range e.b * e.n {
			for _, name := range names {
				w := len(t[name]) / (e.b * e.n)
				all = append(all, t[name][row*w:(row+1)*w]...)
			}
		}
		if split {
			return e.rows(all, e.b, e.n, len(all)/(e.b*e.n))
		}
		return e.flat(all)
	}}
}

// ofCache is what a layer's attention caches: keys as they meet in the score
// (output 1) or values (output 2).
func (e *expecter) ofCache(layer, output int) *counterpart {
	a := e.s.model.Blocks[layer].Attn()
	letter := []string{"", "k", "v"}[min(output, 2)]
	p := projections(a)[letter]
	last := letter + "_proj"
	if p.shift {
		last = letter + "_shift"
	}
	if p.norm && !a.NormAfter {
		last = letter + "_norm"
	}
	if letter == "k" && a.Rotary.Planes() > 0 {
		last = letter + "_rotated"
	}
	if p.norm && a.NormAfter {
		last = letter + "_norm"
	}
	if letter == "k" && e.wide(layer) {
		return nil // a bias put coordinates of its own before each key
	}
	return plain(fmt.Sprintf("/layers.%d/attn/%s", layer, last), func(f []float64) *wanted {
		var past []float64
		if e.cache != nil {
			past = e.cache.Keys[layer]
			if letter == "v" {
				past = e.cache.Values[layer]
			}
		}
		return e.cached(f, a.KVHeads, past)
	})
}

// wide tells keys that are cached with more coordinates than the model's.
func (e *expecter) wide(layer int) bool {
	name := fmt.Sprintf("past_key_values.%d.key", layer)
	for _, c := range e.s.info.Caches {
		if c.Past == name {
			return c.Dims[3] != int64(e.s.model.Blocks[layer].Attn().QKDim)
		}
	}
	return true
}
