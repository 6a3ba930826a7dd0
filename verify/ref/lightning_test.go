package ref

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/store/storetest"
)

// Slopes that are not stored are those that stock loaders make of the configuration.
func TestSlopesThatAreNotStored(t *testing.T) {
	const dir = "families/minimax"
	_, c := checkpoint(t, dir)
	g := readGolden(t, dir+"/golden.safetensors")
	all, err := storetest.Copy(c, nil)
	if err != nil {
		t.Fatal(err)
	}
	tensors := map[string]storetest.Tensor{}
	for name, v := range all.Tensors {
		if v.Place = nil; !strings.HasSuffix(name, "_decay") && !strings.HasSuffix(name, "slope_rate") {
			tensors[name] = v
		}
	}
	s, err := storetest.New(c.Root(), c.FS(), tensors)
	if err != nil {
		t.Fatal(err)
	}
	m, err := families.Load(s)
	if err != nil {
		t.Fatal(err)
	}
	out, err := New(m, s).Forward(t.Context(), Input{IDs: g.ids}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	largest := max(slices.Max(g.logits), -slices.Min(g.logits))
	for i, v := range out.Logits {
		if d := math.Abs(v-g.logits[i]) / largest; !(d <= limit) {
			t.Fatalf("logit %d is off by %.2g", i, d)
		}
	}
}
