package quant

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/posenc"
)

// intPacked: compressed-tensors' pack-quantized, for a matrix (out, in) of signed
// codes of 1 to 8 bits, stored with 2^(bits−1) added:
//
//	weight_packed      (out, ⌈in·bits/32⌉)     each row is a line of codes
//	weight_scale       (out, groups), or one in all
//	weight_zero_point  (⌈out·bits/32⌉, groups) each column is a line of codes; of the
//	                   scales' shape where it is not packed
//	weight_g_idx       (in)                    the group of each column
//	weight_shape       (2)
//
// Which of several config_groups a weight is of is told by their targets, and where
// these leave several by its shapes.
var intPacked = Format{
	Name:    "compressed-tensors, packed integers",
	About:   "an integer of 1 to 8 bits less its zero point where there is one, times the scale of its row, or of its group of columns",
	Methods: []string{"compressed-tensors"},
	Key:     "_packed", Beside: []string{"_scale", "_zero_point", "_g_idx", "_shape"},
	Open: openPacked,
}

type packed struct {
	base        string
	bits        int64
	out, groups int64
}

// scheme is what a config group says of weights.
type scheme struct {
	Bits   int64  `json:"num_bits"`
	Type   string `json:"type"`
	Group  *int64 `json:"group_size"`
	Even   *bool  `json:"symmetric"` // nil is true
	Format string `json:"-"`
	// Block is block_structure, Targets the modules: see [nearest].
	Block   json.RawMessage `json:"block_structure"`
	Targets []string        `json:"-"`
}

// even tells whether codes have no zero points of their own.
func (s scheme) even() bool { return s.Even == nil || *s.Even }

// schemes lists what the groups of compressed-tensors say of weights.
func (d *Declaration) schemes() ([]scheme, error) {
	var groups map[string]struct {
		Weights *scheme  `json:"weights"`
		Format  string   `json:"format"`
		Targets []string `json:"targets"`
	}
	if raw := d.Dict["config_groups"]; raw != nil {
		if err := json.Unmarshal(raw, &groups); err != nil {
			return nil, fmt.Errorf("%s: config_groups: %w", d.Where, err)
		}
	}
	var list []scheme
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		if g := groups[key]; g.Weights != nil {
			g.Weights.Targets = g.Targets
			if g.Weights.Format = g.Format; g.Format == "" {
				g.Weights.Format = d.Text("format")
			}
			list = append(list, *g.Weights)
		}
	}
	return list, nil
}

// shapeOf reads weight_shape.
func shapeOf(src Source, name string) ([]int64, error) {
	info, err := part(src, name, "shape of the weight", []tensor.DType{tensor.I64, tensor.I32}, 2)
	if err != nil {
		return nil, err
	}
	raw, err := whole(src, name)
	if err != nil {
		return nil, err
	}
	shape := make([]int64, 2)
	if err := tensor.DecodeInt64(shape, raw, info.DType); err != nil {
		return nil, fmt.Errorf("tensor %q: %w", name, err)
	}
	if shape[0] <= 0 || shape[1] <= 0 || shape[0] > 1<<40 || shape[1] > 1<<40 {
		return nil, fmt.Errorf("tensor %q holds the shape %v: expected (out, in)", name, shape)
	}
	return shape, nil
}

func openPacked(d *Declaration, src Source, base string) (*Tensor, error) {
	codes, err := part(src, base+"_packed", "codes", append([]tensor.DType{tensor.U8}, words32...))
	if err != nil || codes.DType == tensor.U8 {
		return nil, err // bytes are of another format
	}
	shape, err := shapeOf(src, base+"_shape")
	if err != nil {
		return nil, err
	}
	scales, err := part(src, base+"_scale", "scales", plainFloats)
	if err != nil {
		return nil, err
	}
	groups := int64(1)
	switch s := scales.Shape; {
	case len(s) == 2 && s[0] == shape[0] && s[1] > 0:
		groups = s[1]
	case len(s) == 1 && (s[0] == 1 || s[0] == shape[0]), len(s) == 0:
	default:
		return nil, fmt.Errorf("tensor %q, the scales, has shape %v for a weight of shape %v: expected (out, groups), or one number", scales.Name, s, shape)
	}
	list, err := d.schemes()
	if err != nil {
		return nil, err
	}
	list = nearest(list, strings.TrimSuffix(base, ".weight"))
	var fits []scheme
	for _, s := range list {
		size := shape[1]
		if s.Group != nil && *s.Group > 0 {
			size = *s.Group
		}
		if s.Type != "float" && s.Bits >= 1 && s.Bits <= 8 && (shape[1]+size-1)/size == groups && slices.Equal(codes.Shape, []int64{shape[0], words(shape[1], s.Bits)}) {
			s.Group = &size
			if !slices.ContainsFunc(fits, func(o scheme) bool { return o.Bits == s.Bits && *o.Group == size && o.even() == s.even() }) {
				fits = append(fits, s)
			}
		}
	}
	if len(fits) != 1 {
		return nil, fmt.Errorf("tensors %q of shape %v and %q of shape %v, for a weight of shape %v: %d of the config_groups of %s have such codes (num_bits, group_size), expected one: %w", codes.Name, codes.Shape, scales.Name, scales.Shape, shape, len(fits), d.Where, posenc.ErrUnsupported)
	}
	p := packed{base: base, bits: fits[0].Bits, out: shape[0], groups: groups}
	g := &Grid{Codes: codes.Name, Scales: scales.Name, Stack: 1, Rows: shape[0], Columns: shape[1], BlockRows: 1, BlockColumns: *fits[0].Group, Low: -p.half(), High: p.half() - 1, Read: p.codes}
	if n, _ := tensor.Elements(scales.Shape); n == 1 {
		g.BlockRows = g.Rows
	}
	if err := p.zerosOf(src, g, scales); err != nil {
		return nil, err
	}
	if g.Zeros == "" && !fits[0].even() {
		return nil, fmt.Errorf("%s says symmetric: false, which expects zero points: tensor %q is missing", d.Where, base+"_zero_point")
	}
	t := tensorOf(src, g, base, "compressed-tensors, packed integers")
	t.Info.Shape, t.Parts = shape, append(t.Parts, base+"_shape")
	return t, ordered(src, g, t, base+"_g_idx")
}

// zerosOf finds the zero points, packed or not.
func (p packed) zerosOf(src Source, g *Grid, scales tensor.Info) error {
	zeros, ok := src.Lookup(p.base + "_zero_point")
	if !ok {
		return nil
	}
	g.Zeros = zeros.Name
	if slices.Contains(words32, zeros.DType) && slices.Equal(zeros.Shape, []int64{words(p.out, p.bits), p.groups}) {
		g.ReadZeros = p.zeros
		return nil
	}
	if zeros.DType != tensor.I8 || !slices.Equal(zeros.Shape, scales.Shape) {
		return fmt.Errorf("tensor %q, the zero points, has shape %v of %s: expected [%d %d] of I32, packed, or %v of I8", zeros.Name, zeros.Shape, zeros.DType, words(p.out, p.bits), p.groups, scales.Shape)
	}
	return nil
}

// ordered takes a tensor with the group of each column, where there is one and it
// tells more than that they follow each other.
func ordered(src Source, g *Grid, t *Tensor, name string) error {
	if _, ok := src.Lookup(name); !ok {
		return nil
	}
	t.Parts = append(t.Parts, name)
	if _, err := part(src, name, "groups of the columns", words32, g.Columns); err != nil {
		return err
	}
	g.Index = name
	of, err := g.blocks(src)
	if err != nil {
		return err
	}
	for j, k := range of {
		if int64(k) != int64(j)/g.BlockColumns {
			return nil
		}
	}
	g.Index = ""
	return nil
}

// half is what is added to codes where they are stored.
func (p packed) half() float64 { return float64(int64(1) << p.bits >> 1) }

func (p packed) codes(src Source, dst []float32, begin, end int64) error {
	columns := int64(len(dst)) / (end - begin)
	size := 4 * words(columns, p.bits)
	raw, err := src.Read(p.base+"_packed", begin*size, end*size)
	if err != nil {
		return err
	}
	for row := range end - begin {
		stream{raw[row*size:], 4, uint(p.bits)}.read(dst[row*columns:][:columns], 0, float32(p.half()))
	}
	return nil
}

func (p packed) zeros(src Source, row int64) ([]float64, error) {
	raw, err := whole(src, p.base+"_zero_point")
	if err != nil {
		return nil, err
	}
	list := make([]float64, p.groups)
	for k := range list {
		list[k] = stream{raw[4*k:], 4 * p.groups, uint(p.bits)}.one(row) - p.half()
	}
	return list, nil
}
