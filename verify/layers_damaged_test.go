package verify_test

import (
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/verify/run"
	"github.com/pecvt/pecvt/verify/written"
)

// TestKeepLayersDamaged: layers of a graph one of whose nodes lost its inputs or its
// outputs are an error or another graph, and no panic; some are told of by either.
func TestKeepLayersDamaged(t *testing.T) {
	dir := emittedAs(t, "golden/llama-gqa", "", onnxops.Options{MaxLength: 64})
	src, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	m, err := families.Load(src)
	if err != nil {
		t.Fatal(err)
	}
	layers := []int{1}
	picked, err := run.PickLayers(m, layers)
	if err != nil {
		t.Fatal(err)
	}
	whole := readModel(t, dir)
	refused := 0
	for i := range whole.GetGraph().GetNode() {
		for _, lose := range []func(*onnxpb.NodeProto){
			func(n *onnxpb.NodeProto) { n.Input = nil },
			func(n *onnxpb.NodeProto) { n.Output = nil },
		} {
			g, err := run.ReadGraph(dir)
			if err != nil {
				t.Fatal(err)
			}
			g.Model = proto.Clone(whole).(*onnxpb.ModelProto)
			lose(g.Model.Graph.Node[i])
			g.Written = written.Nodes(g.Model.GetGraph())
			wrong := run.Joints(g, m)
			if _, err := run.KeepLayers(g, m, picked, layers); err != nil || wrong != "" {
				refused++
			}
		}
	}
	if refused < 20 {
		t.Errorf("%s: %d damaged graphs are told of", filepath.Base(dir), refused)
	}
}
