package posenc_test

import (
	"fmt"
	"strings"

	"github.com/pecvt/pecvt/posenc"
)

// The planes of a checkpoint that declares YaRN, as transformers computes them.
func ExampleRopeParams_Spectrum() {
	p := posenc.RopeParams{Type: "yarn", Theta: 10000, HeadDim: 8, Factor: 4, TrainedLength: 2048, BetaFast: 32, BetaSlow: 1, Truncate: true}
	s, err := p.Spectrum(8192)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("θ %.3g, attention factor %.4f\n", s.InvFreq, s.Gain)
	// Output: θ [1 0.1 0.00625 0.00025], attention factor 1.1386
}

// Which planes of a 64-wide head HoPE drops after training on 2048 positions:
// those that never complete a turn.
func ExampleHoPE_Dropped() {
	dropped, err := posenc.HoPE{TrainedLength: 2048}.Dropped(posenc.InvFreq(10000, 64))
	if err != nil {
		fmt.Println(err)
		return
	}
	first := 0
	for !dropped[first] {
		first++
	}
	fmt.Printf("planes 0 to %d of %d turn\n", first-1, len(dropped))
	// Output: planes 0 to 20 of 32 turn
}

// An unknown name is an error that says what there is.
func ExampleFindEncoding() {
	_, err := posenc.FindEncoding("hoppe")
	fmt.Println(strings.Contains(err.Error(), `did you mean "hope"?`))
	e, err := posenc.FindEncoding("hope")
	fmt.Println(e.Angle, err)
	// Output:
	// true
	// t θ_p if θ_p > 2π/L, else 0 <nil>
}

func ExampleSlopes() {
	s, err := posenc.Slopes(4)
	fmt.Println(s, err)
	// Output: [0.25 0.0625 0.015625 0.00390625] <nil>
}

// A query and a key score by their distance alone.
func ExampleRotary_Turn() {
	r := posenc.Rotary{Spectrum: posenc.Spectrum{InvFreq: []float64{0.5}, Gain: 1}, HeadDim: 2, Dim: 2}
	score := func(i, j float64) float64 {
		q, k := []float64{1, 2}, []float64{3, -1}
		r.Turn(q, 0, []float64{i})
		r.Turn(k, 0, []float64{j})
		return q[0]*k[0] + q[1]*k[1]
	}
	fmt.Printf("%.6f %.6f\n", score(7, 3), score(1007, 1003))
	// Output: -6.781229 -6.781229
}
