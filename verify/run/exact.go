package run

import (
	"fmt"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/proto"
)

// LeaveInputs has products with codes leave what enters them as it is: every
// MatMulNBits that declares accuracy_level 4, which rounds it to 8 bits, gets level 1 in
// g, and in a copy of the graph in a folder beside it, with links to its weights, which
// the caller removes. "" is a graph that has none.
func LeaveInputs(g *GraphInfo) (dir string, err error) {
	if g.Accuracy != "int8" {
		return "", nil // where one rounds all the same, the checks find it
	}
	found := false
	for _, n := range g.Model.GetGraph().GetNode() {
		for _, a := range n.GetAttribute() {
			if n.GetOpType() == "MatMulNBits" && a.GetName() == "accuracy_level" && a.GetI() == 4 {
				a.I, found = 1, true
			}
		}
	}
	if !found {
		return "", nil
	}
	if dir, err = beside(g.Dir(), g.Model); err != nil {
		return "", err
	}
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(g.Model)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, GraphFile), raw, 0o666)
	}
	if err != nil {
		os.RemoveAll(dir)
		return "", fmt.Errorf("graph: a copy that leaves inputs as they are: %w", err)
	}
	return dir, nil
}
