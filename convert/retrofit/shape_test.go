package retrofit

import (
	"context"
	"math"
	"testing"

	"github.com/pecvt/pecvt/verify/ref"
)

// TestShapes: scores as they are made here, softmaxed and summed over values, are what
// the reference's heads read, in every layer of families whose scores have more than a
// product.
func TestShapes(t *testing.T) {
	for _, name := range []string{"gemma2", "vaultgemma", "olmo", "dbrx", "ministral3", "gpt_oss"} {
		m, src := open(t, "families/"+name)
		turns, err := Turns(m)
		if err != nil {
			t.Fatal(err)
		}
		tokens := make([]int64, 40)
		for i := range tokens {
			tokens[i] = int64(3 + i*i%50)
		}
		taps := map[string][]float64{}
		_, err = ref.New(m, src).Forward(context.Background(), ref.Input{IDs: [][]int64{tokens}}, ref.Options{Tap: func(name string, values []float64, _ []int) {
			taps[name] = append([]float64(nil), values...)
		}})
		if err != nil {
			t.Fatal(err)
		}
		for i := range m.Blocks {
			at := func(place string) []float64 { return taps["/layers."+string(rune('0'+i))+"/"+place] }
			values := at("attn/v_proj")
			for _, later := range []string{"attn/v_clip", "attn/v_norm"} {
				if v := at(later); v != nil {
					values = v
				}
			}
			a := m.Blocks[i].Attn()
			shape, err := shapeOf(m, src, i)
			if err != nil {
				t.Fatal(err)
			}
			w32, err := weightsOf(m, src, i)
			if err != nil {
				t.Fatal(err)
			}
			w := &Weights[float64]{}
			for n, to := range []*[]float64{&w.Q, &w.K, &w.QBias, &w.KBias} {
				for _, x := range w32.parts()[n] {
					*to = append(*to, float64(x))
				}
			}
			rows := []int{0, 5, 17, 39}
			v := newPlaneView(NewLayer(shape, w, &turns[i], len(tokens)), at("attn_norm"), rows)
			worst, largest := 0.0, 0.0
			for head := range a.Heads {
				for r, pos := range rows {
					var work costScratch
					p, first := v.scores(&work, head, r)
					softmax(p, shape.sink(head))
					for k := range a.VDim {
						sum := 0.0
						for j, share := range p {
							sum += share * values[((first+j)*a.KVHeads+head/shape.share())*a.VDim+k]
						}
						want := at("attn/context")[(pos*a.Heads+head)*a.VDim+k]
						worst, largest = max(worst, math.Abs(sum-want)), max(largest, math.Abs(want))
					}
				}
			}
			if !(worst <= 1e-12*largest) || largest == 0 {
				t.Errorf("%s, layer %d: off by %.3g of %.3g", name, i, worst, largest)
			}
		}
	}
}
