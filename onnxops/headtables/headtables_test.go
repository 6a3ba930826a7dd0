package headtables

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/posenc"
)

// attention turns 2 key/value heads by the given inverse frequencies.
func attention(gain float64, removed []bool, heads ...[]float64) *family.Attention {
	a := &family.Attention{Heads: 4, KVHeads: len(heads), Spectra: &family.HeadSpectra{InvFreq: heads}}
	a.Rotary = posenc.Rotary{HeadDim: 2 * len(heads[0]), Dim: 2 * len(heads[0])}
	a.Rotary.Gain, a.Rotary.Removed, a.Rotary.InvFreq = gain, removed, heads[0]
	return a
}

func model(layers ...*family.Attention) *family.Model {
	m := &family.Model{}
	for _, a := range layers {
		m.Blocks = append(m.Blocks, family.Block{Mixer: a})
	}
	return m
}

// TestSumsOfAngles: a row of each table turns every column of every position by the
// layer's own angle, with its factors once, whatever the length.
func TestSumsOfAngles(t *testing.T) {
	other := attention(1.5, []bool{false, true, false}, []float64{1, 0.3, 0}, []float64{-0.02, 0.3, 3})
	m := model(attention(1, nil, []float64{1, 0.1, 0.01}, []float64{1, 0.2, 0}), other, attention(1, nil, []float64{1, 0.1, 0.01}, []float64{1, 0.2, 0}))
	for _, length := range []int{1, 2, 3, 4, 5, 63, 64, 65, 1000, 8192} {
		list := Of(m, length)
		if len(list) != 1 || len(list[0].Layers) != 2 || list[0].Columns() != 12 || list[0].Index(m.Blocks[2].Attn()) != 0 || list[0].Index(other) != 1 {
			t.Fatalf("%d positions: tables %+v", length, list)
		}
		table := list[0]
		var values [4][]float64
		for i, path := range Paths() {
			values[i] = table.Values()[path]
		}
		if total := int64(8 * (len(values[0]) + len(values[1]) + len(values[2]) + len(values[3]))); table.Bytes() != total {
			t.Errorf("%d positions: %d bytes, expected %d", length, table.Bytes(), total)
		}
		if rows := table.Rows + table.Step; length > 16 && float64(rows) > 3.1*math.Sqrt(float64(length)) {
			t.Errorf("%d positions: %d rows", length, rows)
		}
		for pos := range length {
			far, near := pos/table.Step*12, pos%table.Step*12
			for column := range 12 {
				a := []*family.Attention{m.Blocks[0].Attn(), other}[column/3%2]
				theta, factor := a.Spectra.InvFreq[column/6][column%3], a.Rotary.Gain
				if a == other && column%3 == 1 {
					factor = 0
				}
				wantSin, wantCos := math.Sincos(theta * float64(pos))
				ca, sa, cb, sb := values[0][far+column], values[1][far+column], values[2][near+column], values[3][near+column]
				cos, sin := ca*cb-sa*sb, sa*cb+ca*sb
				if off := max(math.Abs(cos-factor*wantCos), math.Abs(sin-factor*wantSin)); !(off < 1e-11) {
					t.Fatalf("%d positions: position %d, column %d: (%v, %v), expected %v times (%v, %v)", length, pos, column, cos, sin, factor, wantCos, wantSin)
				}
			}
		}
	}
}

// TestTablesOfManyLayers: tables are no wider than 2048 columns, but for a layer that is,
// and every layer is in one.
func TestTablesOfManyLayers(t *testing.T) {
	for planes, want := range map[int][]int{64: {16, 16, 8}, 1024: slices.Repeat([]int{1}, 40), 1100: slices.Repeat([]int{1}, 40)} {
		var layers []*family.Attention
		for i := range 40 {
			one := make([]float64, planes)
			one[0] = float64(i + 1)
			layers = append(layers, attention(1, nil, one, make([]float64, planes)))
		}
		var got []int
		list := Of(model(append(layers, layers...)...), 100)
		for _, table := range list {
			got = append(got, len(table.Layers))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d planes: tables of %v layers, expected %v", planes, got, want)
		}
		for i, a := range layers {
			found := 0
			for _, table := range list {
				if at := table.Index(a); at >= 0 && table.Layers[at].InvFreq[0] == float64(i+1) {
					found++
				}
			}
			if found != 1 {
				t.Errorf("%d planes: layer %d is in %d tables", planes, i, found)
			}
		}
	}
}

// TestTablesByShape: layers share tables where as many heads turn as many planes; heads
// that agree are one group, and a phase has no table.
func TestTablesByShape(t *testing.T) {
	alike := attention(1, nil, []float64{1, 0.1}, []float64{1, 0.1})
	apart := attention(1, nil, []float64{1, 0.1}, []float64{1, 0.2})
	wide := attention(1, nil, []float64{1, 0.1, 0.01}, []float64{1, 0.2, 0.01})
	phase := attention(1, nil, []float64{1, 0.4}, []float64{1, 0.5})
	phase.Phase = &family.PhaseGate{}
	plain := attention(1, nil, []float64{1, 0.1})
	plain.Spectra = nil
	got := ""
	for _, table := range Of(model(plain, apart, alike, phase, wide, alike), 100) {
		got += fmt.Sprintf("%s layer %d: %d of %d heads, %d planes\n", table.Name, table.Layer, len(table.Layers), table.Groups, table.Planes)
	}
	want := "/rotary_heads layer 1: 1 of 2 heads, 2 planes\n" +
		"/rotary_heads.1 layer 2: 1 of 1 heads, 2 planes\n" +
		"/rotary_heads.2 layer 4: 1 of 2 heads, 3 planes\n"
	if got != want {
		t.Errorf("tables:\n%sexpected:\n%s", got, want)
	}
}
