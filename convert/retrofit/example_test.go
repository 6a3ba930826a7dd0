package retrofit_test

import (
	"context"
	"fmt"
	"log"

	"github.com/pecvt/pecvt/convert/retrofit"
)

func ExampleParseBudget() {
	b, err := retrofit.ParseBudget("ppl=1%")
	fmt.Println(b.Kind, b.Value, err)
	// Output: ppl 0.01 <nil>
}

// Half of the planes, the cheapest ones, of a layer with two key/value heads.
func ExampleSelect() {
	turns := []retrofit.Turn{{InvFreq: [][]float64{{1, 0.1}, {1, 0.1}}, Gain: 1}}
	costs := &retrofit.Costs{Planes: []int{0, 1}, Cost: [][][]float64{{{0.5, 0.01}, {0.02, 0.3}}}}
	half := retrofit.SelectOptions{Budget: retrofit.Budget{Kind: retrofit.BudgetPlanes, Value: 0.5}}
	s, err := retrofit.Select(context.Background(), costs, turns, nil, half)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.Spectra()[0])
	// Output: [[1 0] [0 0.1]]
}
