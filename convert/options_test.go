package convert

import (
	"reflect"
	"testing"

	"github.com/pecvt/pecvt/convert/rewrite"
	"github.com/pecvt/pecvt/posenc"
)

// TestOptionsOfARewrite: each of its options can be given to a plan, and
// arrives.
func TestOptionsOfARewrite(t *testing.T) {
	want := rewrite.Options{To: "hope", TrainLength: 7, Cut: posenc.Cut{Kind: posenc.CutKeep, Keep: 3}, Scale: posenc.Scale{Kind: "pi", Factor: 2}, Extend: 4, QueryScale: .1,
		Layout: rewrite.Partial, Spelling: "longrope", Slope: "alibi", Layers: rewrite.FullLayers, Spectra: [][][]float64{{{1}}}}
	v := reflect.ValueOf(want)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("the test gives no %s", v.Type().Field(i).Name)
		}
	}
	o := Options{Output: "out"}.With(want)
	if got := o.Rewrite(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if o.Output != "out" {
		t.Errorf("output %q", o.Output)
	}
}
