package quant

import (
	"fmt"

	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/posenc"
)

// ternary: BitNet's (arXiv 2402.17764) as transformers stores it, quantization_mode
// offline. The weight is (out/4, in) bytes; row i of the matrix is bits 2·k and
// 2·k + 1 of row i mod out/4, with k = i / (out/4), less one. A linear of class
// autobitlinear multiplies by weight_scale, and one of class bitlinear, which is what
// an absent linear_class says, divides by it. Autobitlinear also reads weights that
// are stored as floats, times weight_scale.
var ternary = Format{
	Name:    "BitNet",
	About:   "−1, 0 or 1 in 2 bits, times the scale of the tensor (linear_class autobitlinear) or over it (bitlinear)",
	Methods: []string{"bitnet"},
	Key:     "_scale", Beside: []string{""},
	Open: openTernary,
}

const roundsInputs = "linears of BitNet round what enters them to 8 bits on every call in transformers; here the weights are what is stored, and activations are floats, so that logits differ from those a little"

// online refuses floats that BitNet's linears round to three values on every call.
func (d *Declaration) online() error {
	if d.Method == "bitnet" && d.lower("quantization_mode") == "online" {
		return fmt.Errorf("%s: quantization_mode is online: loaders round the weights of the linears to three values and what enters them to eight bits: %w; remove the key if the stored floats are meant", d.Where, posenc.ErrUnsupported)
	}
	return nil
}

type ternaryCodes struct {
	name          string
	quarter, last int64 // rows that are stored, and columns
}

func openTernary(d *Declaration, src Source, base string) (*Tensor, error) {
	codes, ok := src.Lookup(base)
	if !ok {
		return nil, nil
	}
	class := d.lower("linear_class")
	auto := class == "autobitlinear"
	switch {
	case class != "" && class != "bitlinear" && !auto:
		return nil, fmt.Errorf("%s: linear_class is %q: %w; bitlinear and autobitlinear are read", d.Where, class, posenc.ErrUnsupported)
	}
	if norm, ok := d.flag("use_rms_norm"); ok && norm {
		return nil, fmt.Errorf("%s: use_rms_norm is true, a norm inside of every linear: %w", d.Where, posenc.ErrUnsupported)
	}
	scale, err := part(src, base+"_scale", "scale", plainFloats)
	if err != nil {
		return nil, err
	}
	if n, err := tensor.Elements(scale.Shape); err != nil || n != 1 {
		return nil, fmt.Errorf("tensor %q, the scale, has shape %v: expected one number", scale.Name, scale.Shape)
	}
	if len(codes.Shape) != 2 || codes.Bytes() == 0 {
		return nil, fmt.Errorf("tensor %q, the weight, has shape %v: expected a matrix", base, codes.Shape)
	}
	g := &Grid{Codes: base, Scales: scale.Name, Stack: 1, Rows: codes.Shape[0], Columns: codes.Shape[1], BlockColumns: codes.Shape[1]}
	switch {
	case codes.DType == tensor.U8:
		g.Rows, g.Low, g.High = 4*g.Rows, -1, 1
		g.Read = ternaryCodes{base, codes.Shape[0], codes.Shape[1]}.read
	case !auto || !codes.DType.IsFloat():
		return nil, fmt.Errorf("tensor %q, the weight, has dtype %s: expected U8, four numbers in a byte, or with linear_class autobitlinear floats", base, codes.DType)
	}
	g.BlockRows = g.Rows
	if !auto {
		g.ReadScales = func(src Source, _ int64) ([]float64, error) {
			list, err := numbers(src, scale.Name, 0, 1)
			if err != nil {
				return nil, err
			}
			if list[0] == 0 {
				return nil, fmt.Errorf("tensor %q is 0, and the weight is divided by it: the file is damaged", scale.Name)
			}
			return []float64{1 / list[0]}, nil
		}
	}
	t := tensorOf(src, g, base, "BitNet")
	t.Info.Shape, t.Warnings = []int64{g.Rows, g.Columns}, []string{roundsInputs}
	return t, nil
}

// read takes codes out of a quarter of their bits.
func (c ternaryCodes) read(src Source, dst []float32, begin, end int64) error {
	for row := begin; row < end; row++ {
		at, shift := row%c.quarter, 2*(row/c.quarter)
		raw, err := src.Read(c.name, at*c.last, (at+1)*c.last)
		if err != nil {
			return err
		}
		line := dst[(row-begin)*c.last:][:c.last]
		for j, b := range raw {
			code := b >> shift & 3
			if code == 3 {
				return fmt.Errorf("tensor %q: bits %d and %d of element [%d %d] are 3: expected 0, 1 or 2; the file is damaged, or packed in another way", c.name, shift, shift+1, at, j)
			}
			line[j] = float32(code) - 1
		}
	}
	return nil
}
