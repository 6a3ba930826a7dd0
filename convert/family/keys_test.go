package family_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/posenc"
)

// Keys of other families that change the computation are warned of, one by one,
// unless they are null or change nothing.
func TestUnreadKeys(t *testing.T) {
	for key, values := range map[string]struct{ neutral, set string }{
		"attn_logit_softcapping": {"null", "50.0"}, "final_logit_softcapping": {"null", "30.0"}, "logit_scale": {"1.0", "0.0625"},
		"embedding_multiplier": {"1", "12.0"}, "residual_multiplier": {"1.0", "0.22"}, "attention_multiplier": {"null", "0.0078125"},
		"logits_scaling": {"1.0", "8.0"}, "mlp_multiplier": {"1e0", "2"}, "clip_qkv": {"null", "8"}, "rope_interleaved": {"false", "true"},
		"sliding_window": {"null", "16"},
	} {
		for _, v := range []string{values.neutral, values.set} {
			m, err := families.FromConfig(edited(t, gqa, map[string]string{key: v}))
			if err != nil {
				t.Fatalf("%s %s: %v", key, v, err)
			}
			want := v == values.set
			if got := len(m.Warnings) == 1 && strings.Contains(m.Warnings[0], key+" ("+v+")"); got != want || !want && len(m.Warnings) > 0 {
				t.Errorf("%s %s: warnings %q", key, v, m.Warnings)
			}
		}
	}
	m, err := families.FromConfig(edited(t, gqa, map[string]string{"sliding_window": "16", "use_sliding_window": "false"}))
	if err != nil || len(m.Warnings) > 0 {
		t.Errorf("a window that is switched off: %v, %q", err, m.Warnings)
	}
}

// A partial rotary dimension of a type that stock loaders compute over fewer
// coordinates than the head has is refused; what the partial layout writes is not.
func TestPartialOfScaledTypes(t *testing.T) {
	for _, c := range []struct {
		kind string
		bad  bool
		base map[string]string
	}{
		{`"linear","factor":2`, true, nil},
		{`"yarn","factor":2`, true, nil},
		{`"dynamic","factor":2`, true, nil},
		{`"llama3","factor":8,"low_freq_factor":1,"high_freq_factor":4,"original_max_position_embeddings":16`, true, nil},
		{`"longrope","short_factor":[1,1,1,1],"long_factor":[1,1,1,1]`, true, nil},
		{`"proportional"`, false, nil},
		{`"linear","factor":2`, true, map[string]string{"model_type": `"mistral"`}},
		{`"linear","factor":2`, false, map[string]string{"model_type": `"qwen2"`}},
		{`"yarn","factor":2`, true, map[string]string{"model_type": `"qwen2"`}},
	} {
		edits := map[string]string{"rope_parameters": `{"rope_theta":1e4,"partial_rotary_factor":0.5,"rope_type":` + c.kind + `}`}
		for k, v := range c.base {
			edits[k] = v
		}
		_, err := families.FromConfig(edited(t, gqa, edits))
		if c.bad && (!errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), "partial_rotary_factor 0.5")) || !c.bad && err != nil {
			t.Errorf("%s, %v: error %v", c.kind, c.base, err)
		}
	}
}
