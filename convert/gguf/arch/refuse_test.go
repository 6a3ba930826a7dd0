package arch

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/gguf"
	"github.com/pecvt/pecvt/posenc"
)

// headerOf reads the header of a file that llama.cpp's converter made.
func headerOf(t testing.TB, name string) *gguf.Header {
	t.Helper()
	f, err := gguf.Open(filepath.Join("testdata", name+".gguf"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := *f.Header
	h.KVs, h.Tensors = slices.Clone(h.KVs), slices.Clone(h.Tensors)
	for i := range h.KVs {
		h.KVs[i].Raw = bytes.Clone(h.KVs[i].Raw)
	}
	return &h
}

func ones(n int) Numbers {
	return func(string) ([]float32, error) {
		list := make([]float32, n)
		for i := range list {
			list[i] = 1
		}
		return list, nil
	}
}

// What changes what is computed, and is not read, is refused by its name; what is
// damaged says so.
func TestRefused(t *testing.T) {
	planes := []int64{4}
	for what, c := range map[string]struct {
		from        string
		edit        func(h *gguf.Header)
		want        string
		unsupported bool
	}{
		"architecture": {"qwen2", func(h *gguf.Header) { h.Set(gguf.NewText("general.architecture", "qwen")) }, `architecture "qwen" is unknown`, true},
		"unknown key":  {"qwen2", func(h *gguf.Header) { h.Set(gguf.NewUint32("qwen2.interleave", 1)) }, "qwen2.interleave is not known", true},
		"base":         {"qwen2", func(h *gguf.Header) { h.Set(gguf.NewFloat32("qwen2.rope.freq_base", -1)) }, "qwen2.rope.freq_base is -1: expected a positive number", false},
		"no base":      {"qwen2", func(h *gguf.Header) { h.Set(gguf.NewFloat32("qwen2.rope.freq_base", float32(math.NaN()))) }, "qwen2.rope.freq_base is NaN", false},
		"no length":    {"qwen2", func(h *gguf.Header) { h.Set(gguf.NewUint32("qwen2.context_length", 0)) }, "qwen2.context_length is 0: expected 1 to", false},
		"length":       {"qwen2", func(h *gguf.Header) { h.Set(gguf.NewUint32("qwen2.context_length", math.MaxUint32)) }, "qwen2.context_length is 4294967295", false},
		"experts":      {"qwen2", func(h *gguf.Header) { h.Set(gguf.NewUint32("qwen2.expert_count", 8)) }, "a mixture of experts", true},
		"not causal":   {"qwen2", func(h *gguf.Header) { h.Set(gguf.NewBool("qwen2.attention.causal", false)) }, "attention.causal is false", true},
		"window":       {"qwen2", func(h *gguf.Header) { h.Set(gguf.NewUint32("qwen2.attention.sliding_window", 8)) }, "sliding_window is 8", true},
		"factors without effect": {"qwen2", func(h *gguf.Header) {
			h.Tensors = append(h.Tensors, gguf.Tensor{Name: FreqTensor, Type: gguf.F32, Dims: planes})
		}, "whose graph does not apply it", true},
		"part of a head": {"qwen2", func(h *gguf.Header) { h.Set(gguf.NewUint32("qwen2.rope.dimension_count", 4)) }, "turns whole heads", true},
		"rope type":      {"qwen2", func(h *gguf.Header) { h.Set(gguf.NewText("qwen2.rope.scaling.type", "dynamic")) }, `"dynamic"`, true},
		"longrope without factors": {"llama-tied-bf16", func(h *gguf.Header) { h.Set(gguf.NewText("llama.rope.scaling.type", "longrope")) },
			"without rope_factors_long.weight", true},
		"yarn's own factor": {"qwen2", func(h *gguf.Header) {
			h.Set(gguf.NewText("qwen2.rope.scaling.type", "yarn"))
			h.Set(gguf.NewFloat32("qwen2.rope.scaling.factor", 4))
			h.Set(gguf.NewFloat32("qwen2.rope.scaling.yarn_ext_factor", 0.5))
		}, "yarn_ext_factor is not known", true},
		"layers differ": {"qwen2", func(h *gguf.Header) { h.Set(gguf.NewInt32s("qwen2.feed_forward_length", []int32{8, 16})) }, "8 in one layer and 16", true},
		"no heads":      {"qwen2", func(h *gguf.Header) { h.Set(gguf.NewUint32("qwen2.attention.head_count", 0)) }, "expected a positive number", false},
		"uneven groups": {"qwen2", func(h *gguf.Header) { h.Set(gguf.NewUint32("qwen2.attention.head_count_kv", 3)) }, "a whole number of heads", false},
		"no width":      {"qwen2", func(h *gguf.Header) { h.Remove("qwen2.embedding_length") }, "embedding_length is missing", false},
		"a text":        {"qwen2", func(h *gguf.Header) { h.Set(gguf.NewText("qwen2.block_count", "2")) }, "qwen2.block_count", false},
		"vocabulary":    {"qwen2", func(h *gguf.Header) { h.Set(gguf.NewUint32("qwen2.vocab_size", 7)) }, "has 128 rows", false},
		"few factors": {"llama3-scaled", func(h *gguf.Header) {
			for i := range h.Tensors {
				if h.Tensors[i].Name == FreqTensor {
					h.Tensors[i].Dims = []int64{3}
				}
			}
		}, "one for each plane that turns", false},
		"steep": {"mpt", func(h *gguf.Header) { h.Set(gguf.NewFloat32("mpt.attention.max_alibi_bias", 0)) }, "learnt positions", true},
	} {
		h := headerOf(t, c.from)
		c.edit(h)
		_, err := Describe(h, ones(4))
		if err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, posenc.ErrUnsupported) != c.unsupported || errors.Is(err, gguf.ErrFormat) == c.unsupported {
			t.Errorf("%s: error %v, want %q (unsupported: %v)", what, err, c.want, c.unsupported)
		}
	}
	h := headerOf(t, "llama3-scaled")
	for _, bad := range []float32{0, -1, float32(math.Inf(1)), float32(math.NaN())} {
		tensor, _ := h.Tensor(FreqTensor)
		list := make([]float32, tensor.Dims[0])
		for i := range list {
			list[i] = bad
		}
		if _, err := Describe(h, func(string) ([]float32, error) { return list, nil }); !errors.Is(err, gguf.ErrFormat) {
			t.Errorf("factors of %v: %v", bad, err)
		}
	}
}

// The names of both sides lead to each other, and rows to each row once.
func TestNamesAndOrders(t *testing.T) {
	for _, a := range Table() {
		for _, n := range a.Names {
			for _, suffix := range []string{".weight", ".bias"} {
				there := strings.Replace(n.GGUF, "{i}", "11", 1) + suffix
				stored, order, ok := a.Stored(there)
				back, again, found := a.InGGUF(stored)
				if !ok || !found || back != there || order != n.Order || again != n.Order {
					t.Errorf("%s: %s is %s, which is %s", a.Name, there, stored, back)
				}
			}
		}
		for _, name := range []string{"blk.01.attn_norm.weight", "blk..attn_norm.weight", "blk.-1.attn_norm.weight", "output", "rope_freqs.weight"} {
			if stored, _, ok := a.Stored(name); ok {
				t.Errorf("%s: %s is %s", a.Name, name, stored)
			}
		}
	}
	s := Sizes{Heads: 6, KVHeads: 2, HeadDim: 4}
	for order, n := range map[Order]int64{AsIs: 24, TurnedQ: 24, TurnedK: 8, Grouped: 40} {
		if err := order.Check(s, n); err != nil {
			t.Error(err)
		}
		if err := order.Check(s, n+1); err == nil && order != AsIs {
			t.Errorf("order %d of %d rows is accepted", order, n+1)
		}
		var rows []int64
		for i := range n {
			rows = append(rows, order.Row(s, i))
		}
		slices.Sort(rows)
		for i, r := range rows {
			if r != int64(i) {
				t.Fatalf("order %d: rows %v", order, rows)
			}
		}
	}
}

// FuzzDescribe: whatever the metadata say, a configuration or an error.
func FuzzDescribe(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "*.gguf"))
	if err != nil || len(files) == 0 {
		f.Fatal(err)
	}
	for _, path := range files {
		file, err := gguf.Open(path)
		if err != nil {
			f.Fatal(err)
		}
		start := file.DataStart()
		file.Close()
		raw, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw[:start])
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		// The data are claimed to be there, so that the fuzzer gets past them.
		h, _, err := gguf.Read(endless{bytes.NewReader(content)}, int64(len(content))+1<<18, "f")
		if err != nil {
			return
		}
		d, err := Describe(h, ones(4))
		if err == nil && (len(d.Config) == 0 || d.Sizes.HeadDim <= 0 || d.Sizes.KVHeads <= 0) {
			t.Fatalf("%+v", d)
		}
	})
}

// endless has zeros behind its content.
type endless struct{ r *bytes.Reader }

func (e endless) ReadAt(p []byte, at int64) (int, error) {
	clear(p)
	if at < e.r.Size() {
		_, _ = e.r.ReadAt(p, at) // the rest is zeros
	}
	return len(p), nil
}
