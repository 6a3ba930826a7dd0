package interp

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// TestAxesByOperatorSet: the axes of a reduction are an attribute before operator set
// 18 and an input from there on, those of ReduceSum an input in all that are known; the
// other spelling is an error, not a reduction of everything.
func TestAxesByOperatorSet(t *testing.T) {
	for _, tt := range []struct {
		op     string
		opset  int64
		asAttr bool
		want   string // "" for a result
	}{
		{"ReduceMean", 17, true, ""}, {"ReduceMax", 17, true, ""}, {"ReduceMin", 17, true, ""},
		{"ReduceMean", 18, false, ""}, {"ReduceSum", 17, false, ""},
		{"ReduceMean", 18, true, "attribute axes is of operator sets before 18, the model imports 18"},
		{"ReduceMax", 23, true, "attribute axes is of operator sets before 18, the model imports 23"},
		{"ReduceMin", 17, false, "axes as an input need operator set 18, the model imports 17"},
		{"ReduceSum", 17, true, `attribute "axes" is unknown`},
	} {
		t.Run(fmt.Sprintf("%s-%d-%v", tt.op, tt.opset, tt.asAttr), func(t *testing.T) {
			b := newGraph()
			b.input("x", onnxpb.TensorProto_FLOAT, 2, 2)
			if tt.asAttr {
				b.node(tt.op, []string{"x"}, "y", intsAttr("axes", -1))
			} else {
				b.input("axes", onnxpb.TensorProto_INT64, 1)
				b.node(tt.op, []string{"x", "axes"}, "y")
			}
			b.output("y")
			m := b.model()
			m.OpsetImport[0].Version = tt.opset
			p, err := Load(m, t.TempDir())
			var out map[string]*Array
			if err == nil {
				feeds := map[string]*Array{"x": Floats([]float64{1, 2, 5, 4}, 2, 2)}
				if !tt.asAttr {
					feeds["axes"] = Ints([]int64{-1}, 1)
				}
				out, err = p.RunWith(context.Background(), feeds, Options{})
			}
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v, expected %q in it", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := map[string][]float64{"ReduceMean": {1.5, 4.5}, "ReduceMax": {2, 5}, "ReduceMin": {1, 4}, "ReduceSum": {3, 9}}[tt.op]
			if !slices.Equal(out["y"].F, want) {
				t.Errorf("%v, expected %v", out["y"].F, want)
			}
		})
	}
}
