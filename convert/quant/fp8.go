package quant

import (
	"slices"
	"strings"

	"github.com/pecvt/pecvt/convert/tensor"
)

// fp8Inverse: DeepSeek-V3 (arXiv 2412.19437) and what follows it. The scales are
// called inverse, and multiply.
var fp8Inverse = Format{
	Name:    "fp8, weight_scale_inv",
	About:   "an 8-bit float times the scale of its block (weight_block_size), or of its tensor",
	Methods: []string{"fp8"},
	Key:     "_scale_inv", Beside: []string{"", "_activation_scale"},
	Open: func(d *Declaration, src Source, base string) (*Tensor, error) {
		return float8(d, src, base, "_scale_inv", "fp8, weight_scale_inv")
	},
}

// fp8Scaled: the same with the other name, as FBGEMM, modelopt, AutoFP8 and
// compressed-tensors write it.
var fp8Scaled = Format{
	Name:    "fp8, weight_scale",
	About:   "an 8-bit float times the scale of its tensor, row or block",
	Methods: []string{"fp8", "fbgemm_fp8", "modelopt", "compressed-tensors"},
	Key:     "_scale", Beside: []string{"", "input_scale"},
	Open: func(d *Declaration, src Source, base string) (*Tensor, error) {
		return float8(d, src, base, "_scale", "fp8, weight_scale")
	},
}

var floats8 = []tensor.DType{tensor.F8E4M3, tensor.F8E5M2}

// float8 reads codes that are called base beside scales.
func float8(d *Declaration, src Source, base, scales, format string) (*Tensor, error) {
	if codes, ok := src.Lookup(base); !ok || !slices.Contains(floats8, codes.DType) {
		return nil, nil
	}
	rows, columns, err := d.Block(strings.TrimSuffix(base, ".weight"))
	if err != nil {
		return nil, err
	}
	g, err := gridOf(src, base, base+scales, rows, columns)
	if err != nil {
		return nil, err
	}
	return tensorOf(src, g, base, format), nil
}
