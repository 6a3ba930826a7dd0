package quant

import (
	"encoding/json"
	"fmt"

	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/posenc"
)

var (
	// bnb4: bitsandbytes' nf4 and fp4 (QLoRA, arXiv 2305.14314). The codes of all rows
	// follow each other, two in a byte, the first in its high bits, and so do their
	// blocks; NAME.quant_map has the number of each code. Scales are floats, or codes
	// themselves (double quantisation): nested_quant_map of the code, times
	// nested_absmax of its block of blocks, plus nested_offset of the state.
	bnb4 = Format{
		Name:    "bitsandbytes, 4 bits",
		About:   "one of 16 numbers (nf4 or fp4) times the scale of its block; the scales may be 8-bit codes with scales",
		Methods: []string{"bitsandbytes"},
		Key:     ".absmax", Beside: []string{"", ".quant_map", ".quant_state.bitsandbytes__nf4", ".nested_absmax", ".nested_quant_map"},
		Open: openBNB4,
	}
	// bnb8: bitsandbytes' int8 (arXiv 2208.07339), the largest magnitude of each row
	// beside it.
	bnb8 = Format{
		Name:    "bitsandbytes, 8 bits",
		About:   "an 8-bit integer times the scale of its row (SCB) over 127",
		Methods: []string{"bitsandbytes"},
		Key:     "SCB", Beside: []string{"weight", "weight_format"},
		Open: openBNB8,
	}
)

// state is what bitsandbytes writes of a weight, as JSON in bytes.
type state struct {
	Type         string  `json:"quant_type"`
	Block        int64   `json:"blocksize"`
	Shape        []int64 `json:"shape"`
	NestedBlock  int64   `json:"nested_blocksize"`
	NestedOffset float64 `json:"nested_offset"`
}

type bnb struct {
	base string
	state
	nested bool
}

func openBNB4(_ *Declaration, src Source, base string) (*Tensor, error) {
	// bnb_4bit_quant_storage: the same bytes under another type, for tools that share
	// out tensors of one type
	codes, err := part(src, base, "codes", append([]tensor.DType{tensor.U8, tensor.I8}, plainFloats...))
	if err != nil {
		return nil, err
	}
	b := bnb{base: base}
	name := base + ".quant_state.bitsandbytes__nf4"
	if _, ok := src.Lookup(name); !ok {
		name = base + ".quant_state.bitsandbytes__fp4"
	}
	if _, err := part(src, name, "state", []tensor.DType{tensor.U8}); err != nil {
		return nil, err
	}
	raw, err := whole(src, name)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(raw, &b.state); err != nil {
		return nil, fmt.Errorf("tensor %q, the state: %w", name, err)
	}
	n, err := tensor.Elements(b.Shape)
	if err != nil || len(b.Shape) != 2 || n == 0 || b.Block <= 0 || (n+1)/2 != codes.Bytes() {
		return nil, fmt.Errorf("tensor %q says shape %v in blocks of %d, and the codes %q have shape %v: expected a matrix, two numbers in a byte", name, b.Shape, b.Block, base, codes.Shape)
	}
	blocks := (n + b.Block - 1) / b.Block
	parts := []string{base, base + ".absmax", base + ".quant_map", name}
	if _, err := part(src, parts[2], "numbers of the codes", plainFloats, 16); err != nil {
		return nil, err
	}
	absmax, err := part(src, parts[1], "scales", append([]tensor.DType{tensor.U8}, plainFloats...), blocks)
	if err != nil {
		return nil, err
	}
	if b.nested = absmax.DType == tensor.U8; b.nested {
		if b.NestedBlock <= 0 {
			return nil, fmt.Errorf("tensor %q says nested_blocksize %d: expected a positive number, for scales that are codes", name, b.NestedBlock)
		}
		parts = append(parts, base+".nested_absmax", base+".nested_quant_map")
		if _, err := part(src, parts[4], "scales of the scales", plainFloats, (blocks+b.NestedBlock-1)/b.NestedBlock); err != nil {
			return nil, err
		}
		if _, err := part(src, parts[5], "numbers of the scales' codes", plainFloats, 256); err != nil {
			return nil, err
		}
	}
	return &Tensor{Info: tensor.Info{Name: base, DType: tensor.F32, Shape: b.Shape}, Format: "bitsandbytes, 4 bits", Parts: parts, Decode: b.decode}, nil
}

// decode reads the numbers of rows; blocks may begin within one.
func (b bnb) decode(src Source, dst []float32, begin, end int64) error {
	from, to := begin*b.Shape[1], end*b.Shape[1]
	table, err := numbers(src, b.base+".quant_map", 0, 16)
	if err != nil {
		return err
	}
	first := from / b.Block
	scales, err := b.scales(src, first, (to+b.Block-1)/b.Block-first)
	if err != nil {
		return err
	}
	raw, err := src.Read(b.base, from/2, (to+1)/2)
	if err != nil {
		return err
	}
	for at := from; at < to; at++ {
		code := raw[at/2-from/2]
		if at%2 == 0 {
			code >>= 4
		}
		dst[at-from] = float32(table[code&15] * scales[at/b.Block-first])
	}
	return nil
}

// scales gives n of them.
func (b bnb) scales(src Source, first, n int64) ([]float64, error) {
	list, err := numbers(src, b.base+".absmax", first, n)
	if err != nil || !b.nested {
		return list, err
	}
	table, err := numbers(src, b.base+".nested_quant_map", 0, 256)
	if err != nil {
		return nil, err
	}
	at := first / b.NestedBlock
	outer, err := numbers(src, b.base+".nested_absmax", at, (first+n-1)/b.NestedBlock-at+1)
	if err != nil {
		return nil, err
	}
	for k := range list {
		list[k] = table[int(list[k])]*outer[(first+int64(k))/b.NestedBlock-at] + b.NestedOffset
	}
	return list, nil
}

func openBNB8(_ *Declaration, src Source, base string) (*Tensor, error) {
	codes, ok := src.Lookup(base + "weight")
	if !ok || codes.DType != tensor.I8 {
		return nil, nil
	}
	if len(codes.Shape) != 2 || codes.Bytes() == 0 {
		return nil, fmt.Errorf("tensor %q, the codes, has shape %v: expected a matrix", codes.Name, codes.Shape)
	}
	name := base + "SCB"
	if _, err := part(src, name, "scales", plainFloats, codes.Shape[0]); err != nil {
		return nil, err
	}
	g := &Grid{Codes: codes.Name, Scales: name, Stack: 1, Rows: codes.Shape[0], Columns: codes.Shape[1], BlockRows: 1, BlockColumns: codes.Shape[1], Low: -128, High: 127,
		ReadScales: func(src Source, row int64) ([]float64, error) {
			list, err := numbers(src, name, row, 1)
			if err != nil {
				return nil, err
			}
			return []float64{list[0] / 127}, nil
		}}
	t := tensorOf(src, g, codes.Name, "bitsandbytes, 8 bits")
	t.Warnings = []string{"linears of bitsandbytes with 8 bits round what enters them to 8 bits on every call; here the weights are what is stored, and activations are floats"}
	layout := base + "weight_format"
	if _, ok := src.Lookup(layout); !ok {
		return t, nil
	}
	t.Parts = append(t.Parts, layout)
	info, err := part(src, layout, "order of the codes", []tensor.DType{tensor.U8, tensor.I8, tensor.I32, tensor.I64})
	if err != nil {
		return nil, err
	}
	if info.Bytes() == 0 {
		return t, nil
	}
	list, err := numbers(src, layout, 0, 1)
	if err == nil && list[0] != 0 {
		err = fmt.Errorf("tensor %q is %v: %w; codes in the order of rows (0) are read", layout, list[0], posenc.ErrUnsupported)
	}
	return t, err
}
