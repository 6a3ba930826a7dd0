package family_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/store/storetest"
	"github.com/pecvt/pecvt/convert/tensor"
)

// renamed is a golden model in memory with other names of its tensors; an empty
// name takes one away.
func renamed(t *testing.T, golden string, rename func(name string) string) store.Store {
	t.Helper()
	s, err := store.Open("../../testdata/golden/" + golden)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	m, err := storetest.Copy(s, func(_ string, v *storetest.Tensor) error {
		v.Place = nil
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	tensors := map[string]storetest.Tensor{}
	for name, v := range m.Tensors {
		if name = rename(name); name != "" {
			tensors[name] = v
		}
	}
	out, err := storetest.New(s.Root(), s.FS(), tensors)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Tensors are found as transformers 5.24 finds them, whose logits are the same to
// the last bit for each of these names (run): the model is that of the golden.
func TestNamesAsStockLoadersFindThem(t *testing.T) {
	for golden, prefix := range map[string]string{
		"llama-gqa": "model.", "mistral": "model.", "qwen2": "model.", "qwen3": "model.", "phi3": "model.", "smollm3": "model.", "olmo2": "model.",
		"stablelm": "model.", "starcoder2": "model.", "gpt-neox": "gpt_neox.", "bloom": "transformer.", "mpt": "transformer.", "falcon-multiquery": "transformer.",
	} {
		bare := func(name string) string { return strings.TrimPrefix(name, prefix) }
		for how, rename := range map[string]func(string) string{
			"bare": bare,
			"doubled": func(name string) string {
				if strings.HasPrefix(name, prefix) {
					return prefix + name
				}
				return name
			},
			"mixed": func(name string) string {
				if strings.Contains(name, ".0.") {
					return bare(name)
				}
				return name
			},
		} {
			same(t, golden, how, renamed(t, golden, rename))
		}
	}
	for golden, embed := range map[string]string{"smollm3": "model.embed_tokens.weight", "bloom": "transformer.word_embeddings.weight", "mpt": "transformer.wte.weight"} {
		same(t, golden, "the other half of the tied pair", renamed(t, golden, func(name string) string {
			if name == embed {
				return "lm_head.weight"
			}
			return name
		}))
	}
}

// same compares a model's weights with those of the golden it was made of.
func same(t *testing.T, golden, how string, s store.Store) {
	t.Helper()
	got, err := families.Load(s)
	if err != nil {
		t.Errorf("%s, %s: %v", golden, how, err)
		return
	}
	src, err := store.Open("../../testdata/golden/" + golden)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	want, err := families.Load(src)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.Warnings, want.Warnings) {
		t.Errorf("%s, %s: warnings %q", golden, how, got.Warnings)
	}
	theirs := want.Weights()
	for i, w := range got.Weights() {
		if name := got.StockName(w.Tensor); name != theirs[i].Tensor {
			t.Errorf("%s, %s: %s is called %s by the family's writers, want %s", golden, how, w.Tensor, name, theirs[i].Tensor)
		}
		a, err := w.Float64(s)
		if err != nil {
			t.Fatal(err)
		}
		b, err := theirs[i].Float64(src)
		if err != nil || !slices.Equal(a, b) {
			t.Errorf("%s, %s: %s is not %s: %v", golden, how, w.Tensor, theirs[i].Tensor, err)
			return
		}
	}
}

// What stands under another prefix is an error that names both and where the
// prefix comes from.
func TestForeignPrefixes(t *testing.T) {
	for prefix, origin := range map[string]string{"_orig_mod.": "torch.compile", "module.": "data-parallel", "language_model.": "vision or sound", "base_model.model.": "merge the adapter", "x.y.": "rename them"} {
		_, err := families.Load(renamed(t, "llama-gqa", func(name string) string { return prefix + name }))
		if err == nil || !strings.Contains(err.Error(), `"`+prefix+`model.…" where "model.…" is expected`) || !strings.Contains(err.Error(), origin) {
			t.Errorf("%s: %v", prefix, err)
		}
	}
}

// A bias of zeros beside a quantised weight of a linear that has none is passed over,
// one that holds something is refused.
func TestZeroBiasOfQuantisers(t *testing.T) {
	const bias = "model.layers.0.mlp.up_proj.bias"
	for value, want := range map[byte]string{0: "", 60: "does not know: " + bias} {
		src, err := store.Open("../../testdata/quantised/llama-gptq4")
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		s, err := storetest.Copy(store.Stored(src), func(_ string, v *storetest.Tensor) error { v.Place = nil; return nil })
		if err != nil {
			t.Fatal(err)
		}
		s.Tensors[bias] = storetest.Tensor{DType: tensor.F16, Shape: []int64{1}, Data: []byte{0, value}}
		with, err := storetest.New(src.Root(), src.FS(), s.Tensors)
		if err != nil {
			t.Fatal(err)
		}
		decoded, err := store.Decoded(with)
		if err != nil {
			t.Fatal(err)
		}
		m, err := families.Load(decoded)
		switch {
		case want == "" && (err != nil || !slices.Contains(m.Ignored, bias)):
			t.Errorf("%v: expected %s to be passed over", err, bias)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%v: want %q", err, want)
		}
	}
}
