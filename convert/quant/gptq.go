package quant

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/pecvt/pecvt/posenc"
)

// gptqPacked: what GPTQ's tools write (arXiv 2210.17323; AutoGPTQ, GPTQModel), for a
// matrix (out, in) of codes of 2, 3, 4 or 8 bits in groups of columns:
//
//	qweight (in·bits/32, out)       each column is a line of codes
//	qzeros  (groups, out·bits/32)   each row is one
//	scales  (groups, out)
//	g_idx   (in)                    the group of each column
//
// checkpoint_format gptq (v1) stores zeros less one, and its readers add it to all
// codes of a word at once, so that what overflows a code is carried into the next;
// gptq_v2 stores them as they are.
var gptqPacked = Format{
	Name:    "GPTQ",
	About:   "an integer of 2, 3, 4 or 8 bits (auto-round: 2 to 8) less the zero point of its group of columns, times its scale",
	Methods: []string{"gptq", autoRound},
	Key:     ".qweight", Beside: []string{".qzeros", ".scales", ".g_idx"},
	Open: openGPTQ,
}

type gptq struct {
	base              string
	bits, out, groups int64
	plusOne           bool
	rounded           bool // by AutoRound, whose readers add one to each zero by itself
}

func openGPTQ(d *Declaration, src Source, base string) (*Tensor, error) {
	q := gptq{base: base}
	packing, err := d.packing()
	if err != nil || packing == packedAWQ {
		return nil, err
	}
	if d, err = d.layer(base); err != nil {
		return nil, err
	}
	q.rounded = packing != packedOthers
	switch version := d.lower("checkpoint_format", "format"); {
	case q.rounded:
		q.plusOne = packing == packedGPTQ
	case version == "" || version == "gptq":
		q.plusOne = true
	case version == "gptq_v2":
	default:
		return nil, fmt.Errorf("%s: checkpoint_format is %q: %w; gptq and gptq_v2 are read", d.Where, version, posenc.ErrUnsupported)
	}
	scales, err := part(src, base+".scales", "scales", plainFloats)
	if err != nil {
		return nil, err
	}
	codes, err := part(src, base+".qweight", "codes", words32)
	if err != nil {
		return nil, err
	}
	if len(scales.Shape) != 2 || len(codes.Shape) != 2 || codes.Shape[0] == 0 || scales.Shape[0] == 0 || scales.Shape[1] == 0 {
		return nil, fmt.Errorf("tensors %q and %q have shapes %v and %v: expected (in·bits/32, out) and (groups, out)", codes.Name, scales.Name, codes.Shape, scales.Shape)
	}
	q.groups, q.out = scales.Shape[0], scales.Shape[1]
	zeros, err := part(src, base+".qzeros", "zero points", words32)
	if err != nil {
		return nil, err
	}
	if len(zeros.Shape) == 2 { // its width tells the bits: a model may have several
		q.bits = zeros.Shape[1] * 32 / q.out
	}
	if want := []int64{q.groups, q.out * q.bits / 32}; !q.counts() || fmt.Sprint(zeros.Shape) != fmt.Sprint(want) || q.out*q.bits%32 != 0 {
		return nil, fmt.Errorf("tensor %q, the zero points, has shape %v beside scales of shape %v: expected (groups, out·bits/32) with 2, 3, 4 or 8 bits (5, 6 and 7 too under auto-round)", zeros.Name, zeros.Shape, scales.Shape)
	}
	if bits, ok := d.number("bits"); ok && bits != q.bits && !d.Has("dynamic") {
		return nil, fmt.Errorf("tensor %q of shape %v beside scales of shape %v holds codes of %d bits: %s says %d", zeros.Name, zeros.Shape, scales.Shape, q.bits, d.Where, bits)
	}
	if codes.Shape[1] != q.out || codes.Shape[0]*32%q.bits != 0 {
		return nil, fmt.Errorf("tensor %q, the codes, has shape %v beside scales of shape %v: expected (in·%d/32, %d)", codes.Name, codes.Shape, scales.Shape, q.bits, q.out)
	}
	g := &Grid{Codes: codes.Name, Scales: scales.Name, Zeros: zeros.Name, Stack: 1, Rows: q.out, Columns: codes.Shape[0] * 32 / q.bits, BlockRows: 1,
		High: float64(int64(1)<<q.bits - 1), Read: q.codes, ReadScales: q.scales, ReadZeros: q.zeros}
	if g.BlockColumns, err = groupSize(d, g.Columns, q.groups, d.Has("dynamic")); err != nil {
		return nil, fmt.Errorf("tensor %q: %w", scales.Name, err)
	}
	t := tensorOf(src, g, base+".weight", "GPTQ")
	t.Info.Shape = []int64{g.Rows, g.Columns}
	if err := q.index(d, src, g, t); err != nil {
		return nil, err
	}
	return t, q.carries(src, t)
}

// counts tells whether there are codes of so many bits: AutoRound has 5, 6 and 7 too.
func (q gptq) counts() bool {
	return q.bits == 2 || q.bits == 3 || q.bits == 4 || q.bits == 8 || q.rounded && q.bits > 4 && q.bits < 8
}

// groupSize is how many columns a group has: group_size, by which there must be that
// many groups.
func groupSize(d *Declaration, columns, groups int64, free bool) (int64, error) {
	size, ok := d.number("group_size", "q_group_size")
	if !ok {
		size = 128
	}
	if size == -1 {
		size = columns
	}
	if size > 0 && (columns+size-1)/size == groups {
		return size, nil
	}
	if free && columns%groups == 0 {
		return columns / groups, nil
	}
	return 0, fmt.Errorf("%d groups over %d columns: %s says groups of %d", groups, columns, d.Where, size)
}

// index looks at g_idx.
func (q gptq) index(d *Declaration, src Source, g *Grid, t *Tensor) error {
	if err := ordered(src, g, t, q.base+".g_idx"); err != nil || g.Index == "" {
		return err
	}
	of, err := g.blocks(src)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(of, func(k int) bool { return k != 0 }) {
		return fmt.Errorf("tensor %q is 0 throughout, yet there are %d groups: readers differ on it (some take the groups in order then, others the first group for all columns): %w; write the group of each column", g.Index, q.groups, posenc.ErrUnsupported)
	}
	if act, ok := d.flag("desc_act"); ok && !act {
		t.Warnings = append(t.Warnings, "g_idx puts columns into groups in another order, and desc_act is false: readers that go by desc_act take the groups in order; here g_idx counts")
	}
	return nil
}

// carries warns of zeros that overflow: of a code all of whose bits are set. Codes of
// 3 bits are added to one by one.
func (q gptq) carries(src Source, t *Tensor) error {
	if !q.plusOne || q.bits == 3 || q.rounded {
		return nil
	}
	raw, err := whole(src, q.base+".qzeros")
	if err != nil {
		return err
	}
	for ; len(raw) >= 4; raw = raw[4:] {
		word := binary.LittleEndian.Uint32(raw)
		all := word
		for k := int64(1); k < q.bits; k++ {
			all &= word >> k
		}
		if all&ones[q.bits] != 0 {
			t.Warnings = append(t.Warnings, fmt.Sprintf("zero points are stored less one, and some as %d, the largest code: one more overflows, on which readers differ; here it is carried into the next zero point, as GPTQModel adds to whole words", 1<<q.bits-1))
			return nil
		}
	}
	return nil
}

func (q gptq) codes(src Source, dst []float32, begin, end int64) error {
	raw, err := whole(src, q.base+".qweight")
	if err != nil {
		return err
	}
	columns := int64(len(dst)) / (end - begin)
	for row := begin; row < end; row++ {
		stream{raw[4*row:], 4 * q.out, uint(q.bits)}.read(dst[(row-begin)*columns:][:columns], 0, 0)
	}
	return nil
}

func (q gptq) scales(src Source, row int64) ([]float64, error) {
	list := make([]float64, q.groups)
	return list, column(src, q.base+".scales", list, row, q.out)
}

func (q gptq) zeroLine(raw []byte, group int64) stream {
	return stream{raw[group*q.out*q.bits/8:], 4, uint(q.bits)}
}

// ones has a one in each code of a word; of 3 bits, where codes cross words, no
// readers add words.
var ones = map[int64]uint32{2: 0x55555555, 4: 0x11111111, 8: 0x01010101}

func (q gptq) zeros(src Source, row int64) ([]float64, error) {
	raw, err := whole(src, q.base+".qzeros")
	if err != nil {
		return nil, err
	}
	list := make([]float64, q.groups)
	for k := range list {
		s := q.zeroLine(raw, int64(k))
		switch {
		case !q.plusOne:
			list[k] = s.one(row)
		case q.rounded:
			list[k] = s.one(row) + 1
		case q.bits == 3:
			list[k] = float64((int(s.one(row)) + 1) & 7)
		default:
			at := row * q.bits
			word := s.word(at/32) + ones[q.bits]
			list[k] = float64(word >> (at % 32) & (1<<q.bits - 1))
		}
	}
	return list, nil
}
