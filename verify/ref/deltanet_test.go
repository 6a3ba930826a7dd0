package ref

import (
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/store/storetest"
)

// A published OLMo Hybrid has convolutions as wide as what they read, and olmo2's names
// of the norms of its attention layers; what stock transformers saves of it is cut and
// named otherwise, and the classes have names of their own. All are one model.
func TestOLMoHybridPublished(t *testing.T) {
	const dir, net = "families/olmo_hybrid", "model.layers.0.linear_attn."
	_, c := checkpoint(t, dir)
	g := readGolden(t, dir+"/golden.safetensors")
	logits := func(s store.Store) []float64 {
		m, err := families.Load(s)
		if err != nil {
			t.Fatal(err)
		}
		out, err := New(m, s).Forward(t.Context(), Input{IDs: g.ids}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		return out.Logits
	}
	want := logits(c)
	for how, names := range map[string]*strings.Replacer{
		"published": strings.NewReplacer("layers.1.feedforward_layer_norm", "layers.1.post_attention_layernorm"),
		"in code":   strings.NewReplacer("attention_layer_norm", "input_layernorm", "feedforward_layer_norm", "post_attention_layernorm"),
	} {
		var taps []byte
		for _, name := range []string{"q_conv1d", "k_conv1d", "v_conv1d"} {
			raw, err := c.Bytes(net + name + ".weight")
			if err != nil {
				t.Fatal(err)
			}
			taps = append(taps, raw...)
		}
		m, err := storetest.Copy(c, nil)
		if err != nil {
			t.Fatal(err)
		}
		tensors := map[string]storetest.Tensor{}
		for name, v := range m.Tensors {
			v.Place = nil
			tensors[names.Replace(name)] = v
		}
		for _, part := range []struct {
			name string
			n    int64
		}{{"q", 32}, {"k", 32}, {"v", 64}} {
			at := net + part.name + "_conv1d.weight"
			v := tensors[at]
			v.Shape, v.Data, taps = []int64{part.n, 1, 4}, taps[:part.n*16], taps[part.n*16:]
			tensors[at] = v
		}
		other, err := storetest.New(c.Root(), c.FS(), tensors)
		if err != nil {
			t.Fatal(err)
		}
		if got := logits(other); !slices.Equal(got, want) {
			t.Errorf("%s: other logits", how)
		}
	}
}
