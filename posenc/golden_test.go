package posenc_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/posenctest"
)

// tolerance is for goldens computed in float32: relative to the largest hidden
// state of the layer.
const tolerance = 1e-5

// compare judges the outputs of all layers, first layer first, and returns the
// largest relative difference.
func compare(t *testing.T, golden weights, m goldenModel, embed func(int64) []float64, names []string) {
	t.Helper()
	ids := golden.ids()
	for i, name := range names {
		if name == "" {
			continue
		}
		want := golden.vec(name)
		largest, worst := 0.0, 0.0
		for s, seq := range ids {
			xs := make([][]float64, len(seq))
			for p, id := range seq {
				xs[p] = embed(id)
			}
			out := m.run(i+1, xs)[i]
			at := s * len(seq) * len(xs[0])
			for _, row := range out {
				for _, v := range row {
					largest = max(largest, math.Abs(want[at]))
					worst = max(worst, math.Abs(v-want[at]))
					at++
				}
			}
		}
		if !(worst <= tolerance*largest) {
			t.Errorf("%s differs by %.3g of its largest %.3g", name, worst/largest, largest)
		}
		t.Logf("%s: %.2g of the largest", name, worst/largest)
	}
}

// TestGrapeGoldens runs the official GRAPE models.
func TestGrapeGoldens(t *testing.T) {
	for _, c := range []struct {
		name   string
		detail func(w weights, layer string) (posenc.Rotation, posenc.Bias)
	}{
		{"grape-rope", grapeRope},
		{"grape-m-nonctx", func(w weights, l string) (posenc.Rotation, posenc.Bias) {
			logFreq := w.mat(l + "attn.grape.log_freq")
			heads := make(posenc.PerHead, logFreq.Rows)
			for h := range heads {
				r, err := posenc.GrapeM(logFreq.Row(h), 16, 16)
				must(w.t, nil, err)
				heads[h] = r
			}
			return heads, nil
		}},
		{"grape-m-nonctx-shared", grapeShared},
		{"grape-m-ctx", grapeShared},
		{"grape-alibi", func(w weights, _ string) (posenc.Rotation, posenc.Bias) {
			return nil, posenc.NewALiBi(slopes(w.t))
		}},
		{"grape-a-keygated", gatedOf("keygated_bias")},
		{"grape-a-querygated", gatedOf("querygated_bias")},
		{"grape-a-querykeygated", gatedOf("querykeygated_bias")},
		{"grape-fox", func(w weights, l string) (posenc.Rotation, posenc.Bias) {
			f := posenc.FoX{W: w.mat(l + "attn.core.fgate_proj.weight"), C: w.vec(l + "attn.core.fgate_proj.bias")}
			return nil, must(w.t, f, f.Check())
		}},
		{"grape-ap-v1", pathOf(posenc.Untied, 8)},
		{"grape-ap-v1-kvshift", pathOf(posenc.Untied, 8)},
		{"grape-ap-v1-pktie", pathOf(posenc.TieK, 16)},
	} {
		t.Run(c.name, func(t *testing.T) { grape(t, c.name, c.detail, false) })
	}
	// the same weights in Hugging Face's orientation, norms after the rotation
	// included
	t.Run("grape-rope, folded", func(t *testing.T) { grape(t, "grape-rope", grapeRope, true) })
	t.Run("grape-m-nonctx-shared, folded", func(t *testing.T) { grape(t, "grape-m-nonctx-shared", grapeShared, true) })
}

// grape runs one of the official models; folded, with every rotation reversed
// and the sign in the projections.
func grape(t *testing.T, name string, detail func(weights, string) (posenc.Rotation, posenc.Bias), folded bool) {
	w, golden := open(t, name, "model.safetensors"), open(t, name, "golden.safetensors")
	wte := w.mat("transformer.wte.weight")
	layer := func(i int) string { return fmt.Sprintf("transformer.h.%d.", i) }
	m := goldenModel{heads: 4, headDim: 16}
	m.encoding = func(i int) posenctest.Hybrid {
		r, b := detail(w, layer(i))
		if folded {
			r = r.(posenc.Rotary).Reversed()
		}
		return posenctest.Hybrid{Rotation: r, Bias: b}
	}
	m.normAfter = m.encoding(0).Rotation != nil
	m.attn = func(i int) projections {
		p := grapeProjections(w, layer(i)+"attn.")
		if !folded {
			return p
		}
		for _, l := range []linear{p.q, p.k} {
			for h := range m.heads {
				rows := make([][]float64, m.headDim)
				for r := range rows {
					rows[r] = l.w.Row(h*m.headDim + r)
				}
				if err := posenc.FoldBasis(rows, posenc.Signs(m.encoding(i).Rotation.(posenc.Rotary))); err != nil {
					t.Fatal(err)
				}
			}
		}
		return p
	}
	m.attnNorm = func(i int, x []float64) []float64 { return rmsNorm(x, w.vec(layer(i)+"ln_1.weight"), 1e-5) }
	m.block = func(i int, x, attn []float64) []float64 {
		h := plus(x, attn)
		n := rmsNorm(h, w.vec(layer(i)+"ln_2.weight"), 1e-5)
		gate, up := w.linear(layer(i)+"mlp.c_fc1").of(n), w.linear(layer(i)+"mlp.c_fc2").of(n)
		for k, g := range gate {
			up[k] *= g * posenc.Sigmoid(g)
		}
		return plus(h, w.linear(layer(i)+"mlp.c_proj").of(up))
	}
	if name == "grape-m-ctx" {
		m.phase = func(i int) *posenc.ContextPhase {
			p := &posenc.ContextPhase{W: w.mat(layer(i) + "attn.omega_proj.weight"), B: w.vec(layer(i) + "attn.omega_proj.bias"), Scale: 16}
			if err := p.Check(); err != nil {
				t.Fatal(err)
			}
			return p
		}
	}
	compare(t, golden, m, func(id int64) []float64 { return wte.Row(int(id)) }, []string{"hidden.0", "hidden.1"})
}

// TestALiBiGoldens runs transformers' ALiBi families.
func TestALiBiGoldens(t *testing.T) {
	alibi := func(n int) posenc.ALiBi { return posenc.NewALiBi(slopesOf(t, n)) }
	t.Run("bloom", func(t *testing.T) { bloomLike(t, "bloom", "golden.safetensors", alibi(4), geluTanh) })
	t.Run("bloom-6heads", func(t *testing.T) { bloomLike(t, "bloom-6heads", "golden.safetensors", alibi(6), geluTanh) })
	falcon := falconOf(t, 4, 0.25)
	t.Run("falcon-alibi/sdpa", func(t *testing.T) { bloomLike(t, "falcon-alibi", "golden.safetensors", falcon, gelu) })
	// The eager path of transformers 5.23.0 adds Falcon's bias twice, in the
	// mask and to the scores; its sdpa path, the default, adds it once.
	falcon.Factor *= 2
	t.Run("falcon-alibi/eager", func(t *testing.T) { bloomLike(t, "falcon-alibi", "golden.eager.safetensors", falcon, gelu) })
	t.Run("mpt", func(t *testing.T) {
		w, golden := open(t, "mpt", "model.safetensors"), open(t, "mpt", "golden.safetensors")
		wte := w.mat("transformer.wte.weight")
		layer := func(i int) string { return fmt.Sprintf("transformer.blocks.%d.", i) }
		s, err := posenc.SlopesMPT(4, 8)
		if err != nil {
			t.Fatal(err)
		}
		m := goldenModel{heads: 4, headDim: 16}
		m.encoding = func(int) posenctest.Hybrid { return posenctest.Hybrid{Bias: posenc.NewALiBi(s)} }
		m.attn = func(i int) projections {
			qkv := w.linear(layer(i) + "attn.Wqkv")
			return projections{q: qkv.rows(span(0, 64)...), k: qkv.rows(span(64, 128)...), v: qkv.rows(span(128, 192)...), o: w.linear(layer(i) + "attn.out_proj")}
		}
		m.attnNorm = func(i int, x []float64) []float64 { return layerNorm(x, w.vec(layer(i)+"norm_1.weight"), nil) }
		m.block = func(i int, x, attn []float64) []float64 {
			h := plus(x, attn)
			up := w.linear(layer(i) + "ffn.up_proj").of(layerNorm(h, w.vec(layer(i)+"norm_2.weight"), nil))
			for k, v := range up {
				up[k] = gelu(v)
			}
			return plus(h, w.linear(layer(i)+"ffn.down_proj").of(up))
		}
		compare(t, golden, m, func(id int64) []float64 { return wte.Row(int(id)) }, []string{"hidden.1"})
	})
}

// bloomLike runs Bloom and Falcon (sequential form), whose fused projections
// hold q, k, v per head.
func bloomLike(t *testing.T, name, file string, bias posenc.Bias, act func(float64) float64) {
	w, golden := open(t, name, "model.safetensors"), open(t, name, file)
	heads, d := bias.Heads(), 16
	wte := w.mat("transformer.word_embeddings.weight")
	layer := func(i int) string { return fmt.Sprintf("transformer.h.%d.", i) }
	norm := func(name string, x []float64) []float64 {
		return layerNorm(x, w.vec(name+".weight"), w.vec(name+".bias"))
	}
	m := goldenModel{heads: heads, headDim: d}
	m.encoding = func(int) posenctest.Hybrid { return posenctest.Hybrid{Bias: bias} }
	m.attn = func(i int) projections {
		qkv := w.linear(layer(i) + "self_attention.query_key_value")
		var q, k, v []int
		for h := range heads {
			at := 3 * d * h
			q, k, v = append(q, span(at, at+d)...), append(k, span(at+d, at+2*d)...), append(v, span(at+2*d, at+3*d)...)
		}
		return projections{q: qkv.rows(q...), k: qkv.rows(k...), v: qkv.rows(v...), o: w.linear(layer(i) + "self_attention.dense")}
	}
	m.attnNorm = func(i int, x []float64) []float64 { return norm(layer(i)+"input_layernorm", x) }
	m.block = func(i int, x, attn []float64) []float64 {
		h := plus(x, attn)
		up := w.linear(layer(i) + "mlp.dense_h_to_4h").of(norm(layer(i)+"post_attention_layernorm", h))
		for k, v := range up {
			up[k] = act(v)
		}
		return plus(h, w.linear(layer(i)+"mlp.dense_4h_to_h").of(up))
	}
	embed := func(id int64) []float64 {
		if w.has("transformer.word_embeddings_layernorm.weight") {
			return norm("transformer.word_embeddings_layernorm", wte.Row(int(id)))
		}
		return wte.Row(int(id))
	}
	compare(t, golden, m, embed, []string{"hidden.1"})
}

// TestALiBiRewritesOnBloom: every exact rewrite of ALiBi, in Bloom's golden.
func TestALiBiRewritesOnBloom(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(slopes []float64) (posenc.Bias, error)
	}{
		{"grape-a key", func(s []float64) (posenc.Bias, error) { return posenc.GatedFromALiBi(s, 16, false, true) }},
		{"grape-a query", func(s []float64) (posenc.Bias, error) { return posenc.GatedFromALiBi(s, 16, true, false) }},
		{"grape-a querykey", func(s []float64) (posenc.Bias, error) { return posenc.GatedFromALiBi(s, 16, true, true) }},
		{"grape-ap", func(s []float64) (posenc.Bias, error) { return posenc.PathIntegralFromALiBi(s, 4, 64) }},
		{"fox", func(s []float64) (posenc.Bias, error) { return posenc.FoXFromALiBi(s, 64) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := c.make(slopes(t))
			if err != nil {
				t.Fatal(err)
			}
			bloomLike(t, "bloom", "golden.safetensors", b, geluTanh)
		})
	}
}

func must(t *testing.T, b posenc.Bias, err error) posenc.Bias {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// falconOf is ALiBi as Falcon applies it: rounded, and added before the scale.
func falconOf(t *testing.T, n int, scale float64) posenc.ALiBi {
	return posenc.ALiBi{Slope: slopesOf(t, n), Factor: scale, BF16: true}
}

func slopes(t *testing.T) []float64 { return slopesOf(t, 4) }

func slopesOf(t *testing.T, n int) []float64 {
	t.Helper()
	s, err := posenc.Slopes(n)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func span(from, to int) (at []int) {
	for i := from; i < to; i++ {
		at = append(at, i)
	}
	return at
}

func grapeRope(_ weights, _ string) (posenc.Rotation, posenc.Bias) {
	r := posenc.Rotary{Spectrum: posenc.Spectrum{InvFreq: posenc.InvFreq(10000, 16), Gain: 1}, HeadDim: 16, Dim: 16}
	return r.Reversed(), nil
}

func grapeShared(w weights, l string) (posenc.Rotation, posenc.Bias) {
	r, err := posenc.GrapeM(w.vec(l+"attn.grape.log_freq"), 1, 16)
	return r, must(w.t, nil, err)
}

func gatedOf(name string) func(weights, string) (posenc.Rotation, posenc.Bias) {
	return func(w weights, l string) (posenc.Rotation, posenc.Bias) {
		l += "attn." + name + "."
		g := posenc.Gated{Omega: posenc.Omega(w.vec(l+"omega"), slopes(w.t))}
		if w.has(l + "u") {
			g.U = posenc.NormalizeRows(w.mat(l+"u"), 1e-6)
		}
		if w.has(l + "v") {
			g.V = posenc.NormalizeRows(w.mat(l+"v"), 1e-6)
		}
		return nil, must(w.t, g, g.Check())
	}
}

func pathOf(tie posenc.Tie, dim int) func(weights, string) (posenc.Rotation, posenc.Bias) {
	return func(w weights, l string) (posenc.Rotation, posenc.Bias) {
		p := posenc.PathIntegral{Beta: slopes(w.t), Dim: dim, Tie: tie}
		if tie == posenc.Untied {
			p.P = w.mat(l + "attn.c_p.weight")
		}
		return nil, must(w.t, p, p.Check())
	}
}

// grapeProjections reads either spelling: nanoGPT's, or FoX's with its core.
func grapeProjections(w weights, l string) projections {
	if w.has(l + "core.q_proj.weight") {
		l += "core."
		return projections{q: w.linear(l + "q_proj"), k: w.linear(l + "k_proj"), v: w.linear(l + "v_proj"), o: w.linear(l + "c_proj"),
			qNorm: w.vec(l + "q_norm.weight"), kNorm: w.vec(l + "k_norm.weight")}
	}
	p := projections{q: w.linear(l + "c_q"), o: w.linear(l + "c_proj")}
	shifted := func(name string) (linear, *posenc.Shift) {
		if !w.has(l + name + ".shift_proj.weight") {
			return w.linear(l + name), nil
		}
		s := &posenc.Shift{W: w.mat(l + name + ".shift_proj.weight")}
		if err := s.Check(); err != nil {
			w.t.Fatal(err)
		}
		return w.linear(l + name + ".linear"), s
	}
	p.k, p.kShift = shifted("c_k")
	p.v, p.vShift = shifted("c_v")
	if w.has(l + "q_rms.weight") {
		p.qNorm, p.kNorm = w.vec(l+"q_rms.weight"), w.vec(l+"k_rms.weight")
	}
	return p
}
