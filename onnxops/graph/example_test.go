package graph_test

import (
	"fmt"

	"github.com/pecvt/pecvt/onnxops/graph"
)

// A graph whose shapes are checked while it is made.
func ExampleNew() {
	g := graph.New("example", 23)
	x := g.Input("x", graph.Float, graph.Of("batch", 3))
	y := g.Op("Mul", "/twice", []*graph.Value{x, g.Scalar("two", 2)})
	g.Output(y)
	model, err := g.Model(graph.Meta{Producer: "example"})
	fmt.Println(len(model.GetGraph().GetNode()), y.DType() == graph.Float, err)

	wrong := graph.New("wrong", 23)
	a, b := wrong.Input("a", graph.Float, graph.Of(2, 3)), wrong.Input("b", graph.Float, graph.Of(2, 3))
	wrong.Op("MatMul", "/product", []*graph.Value{a, b})
	fmt.Println("two by three times two by three:", wrong.Err() != nil)
	// Output:
	// 1 true <nil>
	// two by three times two by three: true
}
