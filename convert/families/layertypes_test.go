package families_test

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
)

func object(t *testing.T, text string) *family.Object {
	t.Helper()
	o, err := family.ParseObject([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

const olmo3Yarn = `{"beta_fast":32.0,"beta_slow":1.0,"factor":4.0,"original_max_position_embeddings":16,"rope_type":"yarn"}`

// The keys of transformers 4 say full attention's scaling alone.
func TestLayerTypesOlder(t *testing.T) {
	newer, err := golden(t, "olmo3", func(o *family.Object) {
		both := `{"full_attention":` + strings.Replace(olmo3Yarn, "}", `,"rope_theta":500000}`, 1) + `,"sliding_attention":{"rope_type":"default","rope_theta":500000}}`
		o.Set("rope_parameters", object(t, both))
	})
	if err != nil {
		t.Fatal(err)
	}
	older, err := golden(t, "olmo3", func(o *family.Object) {
		o.Delete("rope_parameters")
		o.Delete("layer_types")
		o.Set("num_hidden_layers", 4)
		o.Set("rope_scaling", object(t, olmo3Yarn))
		o.Set("rope_theta", 500000)
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(older.Ropes()) != 2 || !reflect.DeepEqual(older.Rope, newer.Rope) || older.TrainedLength != 16 {
		t.Errorf("older keys: %+v, trained on %d; newer keys: %+v", older.Ropes(), older.TrainedLength, newer.Rope)
	}
	for i, a := range older.Attentions() {
		full := i == 3
		if (a.Window == 0) != full || (a.Rope == nil) != full {
			t.Errorf("layer %d: window %d, a rotation of its own: %v", i, a.Window, a.Rope != nil)
		}
		// a sliding layer's plane p turns by 500000^(−2p/d), unscaled
		if p, d := 3, a.QKDim; !full {
			want := math.Pow(500000, -2*float64(p)/float64(d))
			if got := a.Rotary.InvFreq[p]; math.Abs(got-want) > 1e-12*want || a.Rotary.Gain != 1 {
				t.Errorf("layer %d: plane %d turns by %v, gain %v: want %v", i, p, got, a.Rotary.Gain, want)
			}
		}
	}
}

func TestLayerTypesRefused(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(o *family.Object)
		want string
	}{
		"one dictionary": {func(o *family.Object) {
			o.Set("rope_parameters", object(t, `{"rope_type":"default","rope_theta":500}`))
		}, "full_attention"},
		"base of the older keys": {func(o *family.Object) {
			o.Delete("rope_parameters")
			o.Set("rope_theta", 500)
		}, "rope_theta is 500"},
		"no window": {func(o *family.Object) { o.Set("sliding_window", nil) }, "sliding_window is null"},
	} {
		if _, err := golden(t, "olmo3", c.edit); !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v: want a refusal that names %q", name, err, c.want)
		}
	}
}

// No stock loader reads truncate inside a dictionary of a type of layers.
func TestLayerTypesTruncate(t *testing.T) {
	m, err := golden(t, "olmo3", func(o *family.Object) {
		both, _ := o.Object("rope_parameters")
		full, _ := both.Object("full_attention")
		full.Set("truncate", false)
		both.Set("full_attention", full)
		o.Set("rope_parameters", both)
	})
	if err != nil {
		t.Fatal(err)
	}
	if !m.Rope.Truncate || !strings.Contains(strings.Join(m.Warnings, "\n"), "truncate") {
		t.Errorf("truncate %v, warnings %q", m.Rope.Truncate, m.Warnings)
	}
}

// The keys of Gemma 3's first releases, which say no type of any layer.
func TestGemma3Older(t *testing.T) {
	path := filepath.Join("..", "..", "testdata", "families", "gemma3_text", "config.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	read := func(edit func(o *family.Object)) (*family.Model, error) {
		o := object(t, string(text))
		edit(o)
		return families.FromConfig(&family.Config{Object: o, Path: path})
	}
	newer, err := read(func(o *family.Object) {})
	if err != nil {
		t.Fatal(err)
	}
	older, err := read(func(o *family.Object) {
		for _, key := range []string{"rope_parameters", "layer_types", "_sliding_window_pattern"} {
			o.Delete(key)
		}
		o.Set("sliding_window_pattern", 2)
		o.Set("rope_theta", 5000)
		o.Set("rope_local_base_freq", 100)
	})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(older.Ropes(), newer.Ropes()) || len(older.Ropes()) != 2 {
		t.Errorf("older keys: %+v, newer keys: %+v", older.Ropes(), newer.Ropes())
	}
	for i, a := range older.Attentions() {
		if b := newer.Blocks[i].Attn(); a.Window != b.Window || !reflect.DeepEqual(a.Rotary, b.Rotary) || a.Scale != b.Scale {
			t.Errorf("layer %d: window %d, %v, scale %v: want %d, %v, %v", i, a.Window, a.Rotary, a.Scale, b.Window, b.Rotary, b.Scale)
		}
	}
	if _, err := read(func(o *family.Object) { o.Set("attn_logit_softcapping", 50) }); !errors.Is(err, posenc.ErrUnsupported) {
		t.Errorf("a cap that stock loaders pass over: %v", err)
	}
}
