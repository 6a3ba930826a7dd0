package interp_test

import (
	"fmt"
	"log"

	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/verify/interp"
)

// A graph computed in float64.
func ExampleLoad() {
	g := graph.New("example", 23)
	x := g.Input("x", graph.Float, graph.Of("n"))
	g.Output(g.Op("Mul", "/square", []*graph.Value{x, x}))
	model, err := g.Model(graph.Meta{Producer: "example"})
	if err != nil {
		log.Fatal(err)
	}
	p, err := interp.Load(model, "")
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	out, err := p.Run(map[string]*interp.Array{"x": interp.Floats([]float64{1, 2, 3}, 3)})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(out[p.Outputs()[0]].F)
	// Output: [1 4 9]
}
