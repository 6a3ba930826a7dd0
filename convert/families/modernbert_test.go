package families_test

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/posenc"
)

// The keys of published decoders say both bases at the top level, and the layers by an
// interval.
func TestModernBERTOlder(t *testing.T) {
	newer, err := golden(t, "modernbert-decoder", with(nil))
	if err != nil {
		t.Fatal(err)
	}
	older, err := golden(t, "modernbert-decoder", with(map[string]string{"rope_parameters": "", "sliding_window": "", "global_rope_theta": "5000", "local_rope_theta": "100",
		"classifier_pooling": `"mean"`, "position_embedding_type": `"sans_pos"`, "sparse_prediction": "false", "deterministic_flash_attn": "false"}))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(older.Ropes(), newer.Ropes()) || len(older.Ropes()) != 2 || len(older.Warnings) > 0 {
		t.Errorf("older keys: %+v, newer keys: %+v, warnings %q", older.Ropes(), newer.Ropes(), older.Warnings)
	}
	m, err := golden(t, "modernbert-decoder", with(map[string]string{"layer_types": "", "global_attn_every_n_layers": "2", "local_attention": "", "sliding_window": "64"}))
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range m.Attentions() {
		window, base := 0, 5000.0
		if i%2 == 1 {
			window, base = 64, 100
		}
		if p, want := 1, math.Pow(base, -2/float64(a.QKDim)); a.Window != window || math.Abs(a.Rotary.InvFreq[p]-want) > 1e-12*want {
			t.Errorf("layer %d: window %d, plane 1 turns by %v: want %d, %v", i, a.Window, a.Rotary.InvFreq[p], window, want)
		}
		if (m.Blocks[i].AttnNorm == nil) != (i == 0) {
			t.Errorf("layer %d: norm %v", i, m.Blocks[i].AttnNorm)
		}
	}
	biased, err := golden(t, "modernbert-decoder", with(map[string]string{"norm_bias": "true", "classifier_bias": "true", "decoder_bias": "false", "classifier_activation": `"silu"`}))
	if err != nil {
		t.Fatal(err)
	}
	if d := biased.HeadDense; d.Act != "silu" || d.Linear.Bias == nil || d.Norm.Bias == nil || biased.Head.Bias != nil || biased.Blocks[1].AttnNorm.Bias == nil {
		t.Errorf("head %+v, %+v", d, biased.Head)
	}
}

func TestModernBERTRefused(t *testing.T) {
	for key, value := range map[string]string{"local_attention": "null", "position_embedding_type": `"relative_key"`, "rope_scaling": `{"rope_type":"linear","factor":2}`, "sliding_window": "7"} {
		if _, err := golden(t, "modernbert-decoder", with(map[string]string{key: value})); !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), key) {
			t.Errorf("%s %s: error %v: want a refusal that names it", key, value, err)
		}
	}
}
