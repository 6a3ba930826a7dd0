package families_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/posenc"
)

// Stock transformers 5.24 stops at null where these classes compute with a number, or
// takes it for false where an absent key is true.
func TestNullWhereStockStops(t *testing.T) {
	for _, c := range []struct{ model, key string }{
		{"bailing_hybrid", "num_expert_group"}, {"bailing_hybrid", "routed_scaling_factor"},
		{"beam", "n_group"}, {"beam", "routed_scaling_factor"},
		{"minimax", "mlp_beta_factor"}, {"minimax", "linear_attn_alpha_factor"}, {"recurrent_gemma", "attention_window_size"},
	} {
		if _, err := golden(t, c.model, with(map[string]string{c.key: "null"})); err == nil || !strings.Contains(err.Error(), `"`+c.key+`" is null`) {
			t.Errorf("%s, %s null: %v: want an error that names it", c.model, c.key, err)
		}
	}
	if _, err := golden(t, "bailing_hybrid", with(map[string]string{"moe_renormalize": "null"})); !errors.Is(err, posenc.ErrUnsupported) {
		t.Errorf("bailing_hybrid, moe_renormalize null: %v: want a refusal", err)
	}
	if _, err := golden(t, "bailing_hybrid", with(map[string]string{"moe_renormalize": "", "norm_topk_prob": "false"})); err != nil {
		t.Error(err)
	}
}
