package quant

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/convert/tensor"
)

// intScaled: compressed-tensors' int-quantized, and other quantisers' int8.
var intScaled = Format{
	Name:    "int8, weight_scale",
	About:   "an 8-bit integer, less a zero point where there is one, times the scale of its tensor, row or run of a row",
	Methods: []string{"compressed-tensors", "modelopt"},
	Key:     "_scale", Beside: []string{"", "_zero_point", "_g_idx"},
	Open: func(d *Declaration, src Source, base string) (*Tensor, error) {
		if codes, ok := src.Lookup(base); !ok || codes.DType != tensor.I8 {
			return nil, nil
		}
		rows, columns, err := d.Block(strings.TrimSuffix(base, ".weight"))
		if err != nil {
			return nil, err
		}
		g, err := gridOf(src, base, base+"_scale", rows, columns)
		if err != nil {
			return nil, err
		}
		g.Low, g.High = -128, 127
		scales, _ := src.Lookup(g.Scales)
		if zeros, ok := src.Lookup(base + "_zero_point"); ok {
			if g.Zeros = zeros.Name; !slices.Equal(zeros.Shape, scales.Shape) {
				return nil, fmt.Errorf("zero points %q of shape %v: expected that of the scales, %v", zeros.Name, zeros.Shape, scales.Shape)
			}
		}
		if index, ok := src.Lookup(base + "_g_idx"); ok {
			if g.Index = index.Name; !slices.Equal(index.Shape, []int64{g.Columns}) {
				return nil, fmt.Errorf("blocks of columns %q of shape %v: expected [%d]", index.Name, index.Shape, g.Columns)
			}
		}
		return tensorOf(src, g, base, "int8, weight_scale"), nil
	},
}
