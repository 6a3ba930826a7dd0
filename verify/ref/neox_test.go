package ref

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/posenc"
)

// neox describes testdata/gpt-neox by hand: what llama-shaped families do not
// have is LayerNorm with biases, a parallel block, an MLP without a gate,
// erf gelu, and rows of a fused matrix that alternate by head.
func neox(layers int) *family.Model {
	const hidden, inner, heads, d, vocab = 64, 128, 4, 16, 128
	tensor := func(name string, shape ...int64) family.Weight {
		return family.Weight{Tensor: name, Shape: shape, Stored: shape}
	}
	norm := func(name string) family.Norm {
		bias := tensor(name+".bias", hidden)
		return family.Norm{Kind: family.LayerNorm, Weight: tensor(name+".weight", hidden), Bias: &bias, Eps: 1e-5}
	}
	linear := func(name string, out, in int64) family.Linear {
		bias := tensor(name+".bias", out)
		return family.Linear{Weight: tensor(name+".weight", out, in), Bias: &bias}
	}
	m := &family.Model{Vocab: vocab, Hidden: hidden, Embed: tensor("gpt_neox.embed_in.weight", vocab, hidden),
		FinalNorm: norm("gpt_neox.final_layer_norm"), Head: family.Linear{Weight: tensor("lm_head.weight", vocab, hidden)}}
	for i := range layers {
		name := fmt.Sprintf("gpt_neox.layers.%d.", i)
		fused := func(part int64) family.Linear {
			var rows []family.Range
			for h := range int64(heads) {
				rows = append(rows, family.Range{Begin: (3*h + part) * d, End: (3*h + part + 1) * d})
			}
			l := linear(name+"attention.query_key_value", 3*hidden, hidden)
			l.Weight.Shape, l.Weight.Rows = []int64{hidden, hidden}, rows
			l.Bias.Shape, l.Bias.Rows = []int64{hidden}, rows
			return l
		}
		m.Blocks = append(m.Blocks, family.Block{Parallel: true,
			AttnNorm: norm(name + "input_layernorm"), MLPNorm: norm(name + "post_attention_layernorm"),
			Attn: family.Attention{Heads: heads, KVHeads: heads, HeadDim: d, Scale: 1 / math.Sqrt(d),
				Q: fused(0), K: fused(1), V: fused(2), O: linear(name+"attention.dense", hidden, hidden),
				Rotary: posenc.Rotary{HeadDim: d, Dim: d / 4, Spectrum: posenc.Spectrum{InvFreq: posenc.InvFreq(10000, d/4), Gain: 1}}},
			MLP: family.MLP{Act: "gelu", Up: linear(name+"mlp.dense_h_to_4h", inner, hidden), Down: linear(name+"mlp.dense_4h_to_h", hidden, inner)}})
	}
	return m
}

func TestNeoX(t *testing.T) {
	src, err := safetensors.OpenCheckpoint("testdata/gpt-neox")
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	g := readGolden(t, "../verify/ref/testdata/gpt-neox/golden.safetensors")
	out, err := New(neox(2), src).Forward(context.Background(), Input{IDs: g.ids}, Options{KeepHidden: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(g.hidden) != 3 {
		t.Fatalf("%d hidden states, want 3", len(g.hidden))
	}
	near(t, "logits", out.Logits, g.logits, limit)
	for i, want := range g.hidden {
		near(t, fmt.Sprintf("hidden.%d", i), out.Hidden[i], want, limit)
	}
}
