package families_test

import (
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/store/storetest"
	"github.com/pecvt/pecvt/posenc"
)

// Stored tables of decays are held to the slopes: one number of any of them, or of the
// slopes, that says something else is refused with the tensor's name.
func TestDecaysHeld(t *testing.T) {
	const at = "model.layers.0.self_attn."
	for _, c := range []struct {
		tensor  string
		element int
		value   float32
		named   string
	}{
		{"", 0, 0, ""}, // as stored
		{at + "query_decay", 17, 0.5, at + "query_decay"},
		{at + "key_decay", 3, 0, at + "key_decay"},
		{at + "diagonal_decay", 2*256 + 16*5 + 2, 0.9, at + "diagonal_decay"},
		{at + "diagonal_decay", 1, 0.1, at + "diagonal_decay"}, // j > i
		{at + "diagonal_decay", 0, float32(math.NaN()), at + "diagonal_decay"},
		{at + "slope_rate", 1, 0.3, at + "query_decay"},
	} {
		s, err := store.Open("../../testdata/families/minimax")
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		copied, err := storetest.Copy(s, func(name string, v *storetest.Tensor) error {
			if name == c.tensor {
				v.Place = nil
				binary.LittleEndian.PutUint32(v.Data[4*c.element:], math.Float32bits(c.value))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = families.Load(copied)
		if c.named == "" {
			if err != nil {
				t.Errorf("as stored: %v", err)
			}
			continue
		}
		if !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), c.named+`"`) {
			t.Errorf("%s[%d] is %v: %v: want a refusal that names %s", c.tensor, c.element, c.value, err, c.named)
		}
	}
}
