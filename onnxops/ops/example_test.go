package ops_test

import (
	"fmt"

	"github.com/pecvt/pecvt/onnxops/ops"
)

// Every operator is a function of standard operators, which any runtime can
// inline.
func ExampleTable() {
	for _, op := range ops.Table() {
		if op.Name == "Rotation" {
			fmt.Println(ops.Domain, op.Name, len(op.Inputs), "inputs")
		}
	}
	// Output: ai.pecvt Rotation 3 inputs
}
