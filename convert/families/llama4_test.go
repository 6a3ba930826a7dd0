package families_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/rewrite"
	"github.com/pecvt/pecvt/posenc"
)

// What the lists of layers say follows from the intervals where they are not there.
func TestLlama4Layers(t *testing.T) {
	scout := `{"factor":16.0,"high_freq_factor":1.0,"low_freq_factor":1.0,"original_max_position_embeddings":16,"rope_type":"llama3"}`
	for name, keys := range map[string]map[string]string{
		"scout":     {"rope_parameters": "", "rope_theta": "500", "rope_scaling": scout, "no_rope_layers": "[]", "layer_types": "", "no_rope_layer_interval": "2"},
		"lists":     {},
		"intervals": {"no_rope_layers": "", "layer_types": "", "moe_layers": "", "no_rope_layer_interval": "2"},
		"published": {"no_rope_layers": "[]", "layer_types": "", "attn_temperature_tuning": "4", "no_rope_layer_interval": "2"},
	} {
		m, err := golden(t, "llama4_text", with(keys))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for i, a := range m.Attentions() {
			still := i == 1 || name != "lists" && i == 3
			if (a.Rotary.Dim == 0) != still || (a.Chunk == 0) != still || (a.QueryScale != nil) != still || (a.QNorm == nil) != still {
				t.Errorf("%s, layer %d: turns %d coordinates, chunks of %d, queries scaled by %v, norm %v", name, i, a.Rotary.Dim, a.Chunk, a.QueryScale, a.QNorm)
			}
			if mixture := m.Blocks[i].Mixture(); (mixture != nil) != (i%2 == 1) {
				t.Errorf("%s, layer %d: a mixture: %v", name, i, mixture != nil)
			}
		}
	}
	m, err := golden(t, "llama4_text", with(map[string]string{"use_qk_norm": "false", "attn_temperature_tuning": "false", "attention_chunk_size": "null", "layer_types": ""}))
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range m.Attentions() {
		if a.QNorm != nil || a.QueryScale != nil || a.Chunk != 0 {
			t.Errorf("layer %d: norm %v, queries scaled by %v, chunks of %d: want none", i, a.QNorm, a.QueryScale, a.Chunk)
		}
	}
}

func TestLlama4Refused(t *testing.T) {
	for _, c := range []struct{ key, value, want string }{
		{"attention_chunk_size", "null", "name the size"},
		{"layer_types", `["sliding_attention","full_attention","chunked_attention","chunked_attention"]`, "layer_types[0]"},
	} {
		if _, err := golden(t, "llama4_text", with(map[string]string{c.key: c.value})); !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: error %v: want a refusal that names %q", c.key, c.value, err, c.want)
		}
	}
}

// A norm after the rotation sees the planes that would leave the score.
func TestLaterNormKeepsPlanes(t *testing.T) {
	m, err := golden(t, "llama4_text", with(nil))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rewrite.Make(m, nil, rewrite.Options{To: "hope-ab3"}); !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), "normalised after they turn") {
		t.Errorf("error %v: want a refusal", err)
	}
}
