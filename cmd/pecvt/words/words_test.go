package words

import (
	"reflect"
	"testing"

	"github.com/pecvt/pecvt/posenc/hint"
)

func TestAll(t *testing.T) {
	type kind string
	type inner struct{ Text string }
	type outer struct {
		Kind  kind
		List  []string
		Inner *inner
		All   []inner
		Map   map[string]string
		None  *inner
		Rows  []float64
		hid   string
	}
	const say, want = "set " + hint.Layout + " and " + hint.Replace, "set --layout and --force"
	v := outer{say, []string{say}, &inner{say}, []inner{{say}}, map[string]string{"k": say}, nil, []float64{1}, say}
	All(&v)
	if !reflect.DeepEqual(v, outer{want, []string{want}, &inner{want}, []inner{{want}}, map[string]string{"k": want}, nil, []float64{1}, say}) {
		t.Errorf("%+v", v)
	}
}
