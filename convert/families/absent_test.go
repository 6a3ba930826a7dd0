package families_test

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/rewrite"
	"github.com/pecvt/pecvt/posenc"
)

// Where a configuration declares no rotation at all, families with a declaration of
// their own turn by that: what their stock classes (5.24) write down.
func TestRopeAbsent(t *testing.T) {
	for name, written := range map[string]string{
		"gemma4_text": `{"sliding_attention":{"rope_type":"default","rope_theta":10000.0},"full_attention":{"rope_type":"proportional","partial_rotary_factor":0.25,"rope_theta":1000000.0}}`,
		"lfm3":        `{"sliding_attention":{"rope_type":"default","rope_theta":10000.0},"full_attention":{"rope_type":"proportional","rope_theta":1000000.0,"partial_rotary_factor":0.5}}`,
		"laguna":      `{"full_attention":{"rope_type":"default","rope_theta":500000.0,"partial_rotary_factor":0.5},"sliding_attention":{"rope_type":"default","rope_theta":10000.0,"partial_rotary_factor":1.0}}`,
	} {
		want, err := golden(t, name, func(o *family.Object) { o.Set("rope_parameters", object(t, written)) })
		if err != nil {
			t.Fatal(err)
		}
		for _, absent := range []func(o *family.Object){
			func(o *family.Object) { o.Delete("rope_parameters") },
			func(o *family.Object) { o.Set("rope_parameters", nil) },
		} {
			got, err := golden(t, name, absent)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for i, a := range got.Attentions() {
				if !reflect.DeepEqual(a.Rotary, want.Blocks[i].Attn().Rotary) {
					t.Errorf("%s, layer %d: %+v, want %+v", name, i, a.Rotary, want.Blocks[i].Attn().Rotary)
				}
			}
		}
		_, err = golden(t, name, func(o *family.Object) {
			o.Delete("rope_parameters")
			o.Set("rope_theta", 5000)
		})
		if err == nil || !strings.Contains(err.Error(), "pass over the former") {
			t.Errorf("%s with rope_theta alone: %v", name, err)
		}
	}
}

// The layers of an lfm3 that lists none: convolutions on the first and every odd one.
func TestLayersOfLFM3(t *testing.T) {
	m, err := golden(t, "lfm3", func(o *family.Object) {
		o.Delete("layer_types")
		o.Set("num_hidden_layers", 6)
	})
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for i := range m.Blocks {
		switch a := m.Blocks[i].Attn(); {
		case a == nil:
			kinds = append(kinds, "conv")
		case a.Window > 0:
			kinds = append(kinds, "sliding")
		default:
			kinds = append(kinds, "full")
		}
	}
	if want := []string{"conv", "conv", "full", "conv", "sliding", "conv"}; !reflect.DeepEqual(kinds, want) {
		t.Errorf("layers %v: want %v", kinds, want)
	}
}

// What stock laguna would compute otherwise, or not at all.
func TestLagunaRefusals(t *testing.T) {
	for key, value := range map[string]any{"gating": false, "moe_apply_router_weight_on_input": true, "moe_router_logit_softcapping": 2.5} {
		if _, err := golden(t, "laguna", func(o *family.Object) { o.Set(key, value) }); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s %v: %v", key, value, err)
		}
	}
}

// A beam without rope keys turns in layers with a window alone; the queries of the
// others grow with their position.
func TestBeamStill(t *testing.T) {
	for _, edit := range []func(o *family.Object){
		func(o *family.Object) { o.Delete("rope_parameters") },
		func(o *family.Object) {
			o.Set("rope_parameters", object(t, `{"sliding_attention":{"rope_type":"default","rope_theta":10000.0},"full_attention":null}`))
		},
	} {
		m, err := golden(t, "beam", edit)
		if err != nil {
			t.Fatal(err)
		}
		slides, full := m.Blocks[0].Attn(), m.Blocks[1].Attn()
		if slides.Rotary.Dim != 16 || slides.Rope.Theta != 10000 || slides.QueryScale != nil || full.Rotary.Dim != 0 || !m.FullStill() {
			t.Errorf("rotations %+v, %+v", slides.Rotary, full.Rotary)
		}
		if got, want := full.QueryScale.At(2047), math.Pow(2, 0.1); math.Abs(got-want) > 1e-15 {
			t.Errorf("queries at position 2047 are multiplied by %v: want %v", got, want)
		}
		if _, err := rewrite.Make(m, nil, rewrite.Options{To: "hope"}); !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), "sliding") {
			t.Errorf("error %v: want a refusal that names the sliding layers", err)
		}
		r, err := rewrite.Make(m, nil, rewrite.Options{To: "hope", Layers: rewrite.SlidingLayers})
		if err != nil {
			t.Fatal(err)
		}
		if dict, err := r.Config.Object("rope_parameters"); err != nil || string(dict.Raw(family.FullLayers)) != "null" || !dict.Has(family.SlidingLayers) {
			t.Errorf("%v: rope_parameters is %s: want null for full attention", err, r.Config.Raw("rope_parameters"))
		}
	}
	if _, err := golden(t, "beam", func(o *family.Object) {
		o.Set("rope_parameters", object(t, `{"sliding_attention":null,"full_attention":{"rope_type":"default","rope_theta":500}}`))
	}); err == nil || !strings.Contains(err.Error(), "sliding_attention") {
		t.Errorf("without a declaration of sliding attention: %v", err)
	}
}

// Hidden states of beam, and the ε of its norms, are those of a stream that is divided
// by the root of how many terms it has.
func TestBeamDepth(t *testing.T) {
	m, err := golden(t, "beam", func(*family.Object) {})
	if err != nil {
		t.Fatal(err)
	}
	b := m.Blocks[1]
	if b.AttnNorm.Eps != 3e-6 || b.MLPNorm.Eps != 4e-6 || math.Abs(m.FinalNorm.Eps-5e-6) > 1e-20 || b.AttnOutNorm.Eps != 1e-6 || math.Abs(b.HiddenScale-1/math.Sqrt(5)) > 1e-15 {
		t.Errorf("ε %v, %v, %v, %v, hidden states times %v", b.AttnNorm.Eps, b.MLPNorm.Eps, m.FinalNorm.Eps, b.AttnOutNorm.Eps, b.HiddenScale)
	}
}
