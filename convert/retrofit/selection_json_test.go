package retrofit

import (
	"encoding/json"
	"math"
	"testing"
)

// TestTrialInJSON: a trial says how many choices it dropped and whether that was
// within the budget, also when it is read again.
func TestTrialInJSON(t *testing.T) {
	for _, c := range []struct {
		trial Trial
		text  string
	}{
		{Trial{7, Measured{PPL: 11, SourcePPL: 10, KL: .5}, true}, `{"dropped":7,"kl":0.5,"ppl":11,"source_ppl":10,"within":true}`},
		{Trial{1, Measured{PPL: math.Inf(1), SourcePPL: 10}, false}, `{"dropped":1,"ppl":null,"source_ppl":10,"within":false}`},
	} {
		text, err := json.Marshal(c.trial)
		if err != nil || string(text) != c.text {
			t.Errorf("%+v: %s (%v), want %s", c.trial, text, err, c.text)
		}
		var again Trial
		if err := json.Unmarshal(text, &again); err != nil || again.Dropped != c.trial.Dropped || again.Within != c.trial.Within {
			t.Errorf("%s reads %+v (%v)", text, again, err)
		}
	}
}
