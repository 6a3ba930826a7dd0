package interp

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// decoder is a graph of the size of a small language model: per layer a norm,
// four attention projections, causal grouped attention and a gated MLP, with
// bf16 weights in an external file behind Casts; a tied head at the end.
type decoder struct {
	layers, hidden, inner, heads, kvHeads, vocab int
}

func (d decoder) write(tb testing.TB, dir string) *onnxpb.ModelProto {
	tb.Helper()
	f, err := os.Create(filepath.Join(dir, "weights.bin"))
	if err != nil {
		tb.Fatal(err)
	}
	g := &graphBuilder{g: &onnxpb.GraphProto{Name: "decoder"}}
	offset := int64(0)
	random := rand.New(rand.NewPCG(1, 2))
	weight := func(name string, rows, cols int) string {
		raw := make([]byte, 2*rows*cols)
		for i := 0; i < len(raw); i += 2 {
			// Sign and fraction at random, exponents of numbers around 1/32.
			bits := uint16(random.Uint32())&0x807f | 122<<7
			raw[i], raw[i+1] = byte(bits), byte(bits>>8)
		}
		if _, err := f.Write(raw); err != nil {
			tb.Fatal(err)
		}
		g.g.Initializer = append(g.g.Initializer, &onnxpb.TensorProto{
			Name: name, DataType: int32(onnxpb.TensorProto_BFLOAT16), Dims: []int64{int64(rows), int64(cols)},
			DataLocation: onnxpb.TensorProto_EXTERNAL,
			ExternalData: []*onnxpb.StringStringEntryProto{
				{Key: "location", Value: "weights.bin"},
				{Key: "offset", Value: strconv.FormatInt(offset, 10)},
				{Key: "length", Value: strconv.Itoa(len(raw))},
			},
		})
		offset += int64(len(raw))
		g.node("Cast", []string{name}, name+"/f32", intAttr("to", int64(onnxpb.TensorProto_FLOAT)))
		return name + "/f32"
	}
	linear := func(x, name string, out, in int) string {
		g.node("Gemm", []string{x, weight(name, out, in)}, name+"/y", intAttr("transB", 1))
		return name + "/y"
	}
	g.g.Initializer = append(g.g.Initializer, floatTensor("ones", slicesOf(1, d.hidden), int64(d.hidden)),
		int64Tensor("batched", 1, -1, 0), int64Tensor("flat", -1, 0))
	size := d.hidden / d.heads
	embed := weight("embed", d.vocab, d.hidden)
	x := g.node("Gather", []string{embed, "ids"}, "x")
	for l := range d.layers {
		at := func(s string) string { return fmt.Sprintf("%d/%s", l, s) }
		h := g.node("RMSNormalization", []string{x, "ones"}, at("norm1"))
		parts := []string{
			linear(h, at("q"), d.hidden, d.hidden),
			linear(h, at("k"), d.kvHeads*size, d.hidden),
			linear(h, at("v"), d.kvHeads*size, d.hidden),
		}
		for i, p := range parts {
			width := []int64{int64(d.hidden), int64(d.kvHeads * size), int64(d.kvHeads * size)}[i]
			g.g.Initializer = append(g.g.Initializer, int64Tensor(p+"/shape", 1, -1, width))
			parts[i] = g.node("Reshape", []string{p, p + "/shape"}, p+"/3d")
		}
		g.node("Attention", parts, at("attn"), intAttr("is_causal", 1),
			intAttr("q_num_heads", int64(d.heads)), intAttr("kv_num_heads", int64(d.kvHeads)))
		g.g.Initializer = append(g.g.Initializer, int64Tensor(at("2d"), -1, int64(d.hidden)))
		h = g.node("Reshape", []string{at("attn"), at("2d")}, at("attn2"))
		x = g.node("Add", []string{x, linear(h, at("o"), d.hidden, d.hidden)}, at("x1"))
		h = g.node("RMSNormalization", []string{x, "ones"}, at("norm2"))
		gate := linear(h, at("gate"), d.inner, d.hidden)
		up := linear(h, at("up"), d.inner, d.hidden)
		s := g.node("Sigmoid", []string{gate}, at("sigmoid"))
		s = g.node("Mul", []string{gate, s}, at("silu"))
		s = g.node("Mul", []string{s, up}, at("gated"))
		x = g.node("Add", []string{x, linear(s, at("down"), d.hidden, d.inner)}, at("x2"))
	}
	x = g.node("RMSNormalization", []string{x, "ones"}, "norm")
	g.node("Gemm", []string{x, embed}, "logits", intAttr("transB", 1))
	g.input("ids", onnxpb.TensorProto_INT64, "tokens")
	g.output("logits")
	if err := f.Close(); err != nil {
		tb.Fatal(err)
	}
	return g.model()
}

func slicesOf(x float32, n int) []float32 {
	s := make([]float32, n)
	for i := range s {
		s[i] = x
	}
	return s
}

// BenchmarkPrefill runs 128 tokens, BenchmarkStep one, through 135 million
// bf16 parameters in the proportions of SmolLM2-135M.
func BenchmarkPrefill(b *testing.B) { benchmark(b, 128) }

func BenchmarkStep(b *testing.B) { benchmark(b, 1) }

func benchmark(b *testing.B, tokens int) {
	d := decoder{layers: 30, hidden: 576, inner: 1536, heads: 9, kvHeads: 3, vocab: 49152}
	dir := b.TempDir()
	p, err := Load(d.write(b, dir), dir)
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	ids := make([]int64, tokens)
	for i := range ids {
		ids[i] = int64(i * 37 % d.vocab)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Run(map[string]*Array{"ids": Ints(ids, tokens)}); err != nil {
			b.Fatal(err)
		}
	}
}
