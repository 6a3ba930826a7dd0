package families_test

import (
	"errors"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/store/storetest"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/posenc"
)

// roformer's norms are those of sums: each stands before what reads it.
func TestRoFormerNorms(t *testing.T) {
	m, err := golden(t, "roformer", with(nil))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"roformer.embeddings", "roformer.encoder.layer.0.output"} {
		b := m.Blocks[i]
		if b.AttnNorm.Weight.Tensor != want+".LayerNorm.weight" || b.AttnNorm.Bias.Tensor != want+".LayerNorm.bias" || b.Residual == nil {
			t.Errorf("layer %d reads %+v", i, b.AttnNorm)
		}
	}
	if got := m.FinalNorm.Weight.Tensor; got != "roformer.encoder.layer.1.output.LayerNorm.weight" {
		t.Errorf("the final norm is %s", got)
	}
}

// Forms of roformer that are no decoder, or another one, are refused by their key.
func TestRoFormerRefusals(t *testing.T) {
	for key, value := range map[string]string{"is_decoder": "false", "rotary_value": "true", "add_cross_attention": "true", "embedding_size": "16", "tie_word_embeddings": "false"} {
		if _, err := golden(t, "roformer", with(map[string]string{key: value})); !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), key) {
			t.Errorf("%s %s: %v: want a refusal that names it", key, value, err)
		}
	}
	if _, err := golden(t, "roformer", with(map[string]string{"is_decoder": ""})); !errors.Is(err, posenc.ErrUnsupported) {
		t.Errorf("without is_decoder, which stock takes for false: %v", err)
	}
}

// The stored table of positions is held against its sinusoids, in any type; a model
// without one has them all the same.
func TestRoFormerTable(t *testing.T) {
	const table = "roformer.encoder.embed_positions.weight"
	s, err := store.Open(filepath.Join("..", "..", "testdata", "families", "roformer"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	load := func(edit func(v *storetest.Tensor) error) error {
		tensors := map[string]storetest.Tensor{}
		if _, err := storetest.Copy(s, func(name string, v *storetest.Tensor) error {
			if name == table {
				if edit == nil {
					return nil
				}
				if err := edit(v); err != nil {
					return err
				}
			}
			tensors[name] = *v
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		edited, err := storetest.New(s.Root(), s.FS(), tensors)
		if err != nil {
			t.Fatal(err)
		}
		_, err = families.Load(edited)
		return err
	}
	as := func(d tensor.DType) func(v *storetest.Tensor) error {
		return func(v *storetest.Tensor) error { return v.Encode(d) }
	}
	for name, edit := range map[string]func(v *storetest.Tensor) error{"absent": nil, "float16": as(tensor.F16), "bfloat16": as(tensor.BF16)} {
		if err := load(edit); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, x := range []float32{0.01, float32(math.NaN())} {
		err := load(func(v *storetest.Tensor) error {
			bits := math.Float32bits(x)
			for i := range 4 { // position 3, plane 2
				v.Data[4*(3*16+2)+i] = byte(bits >> (8 * i))
			}
			return nil
		})
		if !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), table) || !strings.Contains(err.Error(), "position 3, column 2") {
			t.Errorf("with %v in the table: %v", x, err)
		}
	}
}
