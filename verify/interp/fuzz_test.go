package interp

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"google.golang.org/protobuf/proto"
)

// FuzzModel loads damaged models and runs those that load, on zeros: an error
// is fine, a panic or an endless run is not.
func FuzzModel(f *testing.F) {
	models, err := filepath.Glob("testdata/cases/*.onnx")
	if err != nil || len(models) == 0 {
		f.Fatalf("no cases: %v", err)
	}
	for _, path := range models {
		raw, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	limit := maxElements
	maxElements = 1 << 12
	f.Cleanup(func() { maxElements = limit })
	f.Fuzz(func(t *testing.T, raw []byte) {
		m := &onnxpb.ModelProto{}
		if len(raw) > 1<<14 || proto.Unmarshal(raw, m) != nil {
			return
		}
		p, err := Load(m, t.TempDir())
		if err != nil {
			return
		}
		defer p.Close()
		inputs := map[string]*Array{}
		for _, in := range p.inputs {
			shape := make([]int, len(in.shape))
			for i, d := range in.shape {
				shape[i] = 2
				if d.fixed {
					shape[i] = int(d.value)
				}
			}
			if inputs[in.name], err = newArray(in.kind, shape...); err != nil {
				return
			}
		}
		if out, err := p.Run(inputs); err == nil {
			for name, a := range out {
				if err := a.check(); err != nil {
					t.Errorf("output %q: %v", name, err)
				}
			}
		}
	})
}
