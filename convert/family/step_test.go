package family_test

import (
	"slices"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
)

// llama3 with a factor that stops planes is a cut and no scaling: the key
// original_max_position_embeddings is the unit of the two factors, and the trained
// length is max_position_embeddings, as where the type is proportional.
func TestStepIsNoScaling(t *testing.T) {
	m, err := families.FromConfig(edited(t, "../../testdata/golden/llama-gqa", map[string]string{"rope_parameters": `{"rope_type":"llama3","rope_theta":300.0,
"factor":1e30,"low_freq_factor":0.4283904,"high_freq_factor":0.4284332,"original_max_position_embeddings":16}`}))
	if err != nil {
		t.Fatal(err)
	}
	if m.TrainedLength != 32 || m.TrainedLengthFrom != "max_position_embeddings" {
		t.Errorf("trained length %d from %s, want 32 from max_position_embeddings", m.TrainedLength, m.TrainedLengthFrom)
	}
	want := m.Rope.Base()
	clear(want[3:])
	if got := m.Blocks[0].Attn().Rotary.InvFreq; !slices.Equal(got, want) {
		t.Errorf("inverse frequencies %v, want %v", got, want)
	}
}
