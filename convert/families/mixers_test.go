package families_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
)

func TestMiniMaxKeys(t *testing.T) {
	m, err := golden(t, "minimax", with(map[string]string{"layer_types": "", "sliding_window": "null", "rope_parameters": "", "rope_theta": "500", "rotary_dim": "8", "mlp_alpha_factor": ""}))
	if err != nil {
		t.Fatal(err)
	}
	a, l := m.Blocks[0].Attn(), m.Blocks[1].Mixer
	if _, ok := l.(*family.Lightning); !ok || a == nil || a.Window != 0 || a.Rotary.Dim != 16 {
		t.Errorf("layers are %T and %T, the window %d", m.Blocks[0].Mixer, l, a.Window)
	}
	if diff := cmp.Diff(&family.Residual{AttnKeep: 1.2, AttnAdd: 0.9, MLPKeep: 1, MLPAdd: 1.1}, m.Blocks[0].Residual); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(strings.Join(m.Warnings, "\n"), "rotary_dim is 8") {
		t.Errorf("no word on rotary_dim: %q", m.Warnings)
	}
	m, err = golden(t, "minimax", with(nil))
	if err != nil {
		t.Fatal(err)
	}
	if m.Blocks[1].Attn().Rotary.Dim != 16 || !strings.Contains(strings.Join(m.Warnings, "\n"), "partial_rotary_factor is 0.5") {
		t.Errorf("%d coordinates turn, warnings %q", m.Blocks[1].Attn().Rotary.Dim, m.Warnings)
	}
	if _, err := golden(t, "minimax", with(map[string]string{"hidden_act": `"gelu"`})); !errors.Is(err, posenc.ErrUnsupported) {
		t.Error(err)
	}
}

// block_types repeats; an older spelling of it must say the same.
func TestRecurrentGemmaBlocks(t *testing.T) {
	m, err := golden(t, "recurrent_gemma", with(map[string]string{"num_hidden_layers": "5", "block_types": "", "_block_types": `["recurrent","recurrent","attention"]`, "lru_width": "null"}))
	if err != nil {
		t.Fatal(err)
	}
	for i := range m.Blocks {
		if a := m.Blocks[i].Attn(); (a != nil) != (i == 2) || a != nil && (a.Window != 8 || a.Rotary.Dim != 4) {
			t.Errorf("layer %d is %T", i, m.Blocks[i].Mixer)
		}
	}
	if _, err := golden(t, "recurrent_gemma", with(map[string]string{"_block_types": `["recurrent","attention"]`})); !errors.Is(err, posenc.ErrUnsupported) {
		t.Error(err)
	}
	if m.EmbedScale != 5.65625 { // √32 in bf16
		t.Errorf("the embedding is multiplied by %v", m.EmbedScale)
	}
}
