package tune

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/posenc/hint"
)

// counted is a text of files with so many tokens: 0, 1, 2, …
func counted(files ...int) *Text {
	t := &Text{}
	for i, n := range files {
		ids := make([]int64, n)
		for k := range ids {
			ids[k] = int64(len(t.IDs) + k)
		}
		t.Add("folder/"+string(rune('a'+i))+".txt", []byte{byte(i)}, ids)
	}
	return t
}

// TestDivide: how many sequences the end has, and that nothing before it is read
// twice.
func TestDivide(t *testing.T) {
	for _, c := range []struct {
		tokens, length, measure, want int
	}{
		{1000, 100, 100, 1},
		{1000, 100, 250, 2},
		{1000, 100, 1000, 3},      // a third of the text
		{100000, 100, 0, 8},       // at most 8
		{100000, 4096, 0, 4},      // 16384 tokens
		{200, 100, 0, 1},          // the least text
		{100000, 20000, 16384, 1}, // longer than what was asked for
	} {
		text := counted(c.tokens)
		d, err := text.Divide(c.length, c.measure)
		if err != nil {
			t.Errorf("%+v: %v", c, err)
			continue
		}
		if len(d.Measured) != c.want {
			t.Errorf("%+v: %d sequences measured", c, len(d.Measured))
		}
		if got := slices.Concat(append([][]int64{d.Fit}, d.Measured...)...); !slices.Equal(got, text.IDs) {
			t.Errorf("%+v: the two parts are not the text", c)
		}
		for _, s := range d.Measured {
			if len(s) != c.length {
				t.Errorf("%+v: a sequence of %d", c, len(s))
			}
		}
	}
	_, err := counted(199).Divide(100, 0)
	if fields := hint.Of(err); len(fields) != 3 || !strings.Contains(err.Error(), "the text has 199 tokens: at a length of 100 at least 200 are needed") {
		t.Errorf("too short: %v", err)
	}
}

// TestCostsOfADivision come from its front and never from what is measured on.
func TestCostsOfADivision(t *testing.T) {
	for _, c := range []struct{ tokens, longest, length, want int }{
		{1000, 100, 100, 4},
		{100000, 4096, 4096, 2}, // 8192 tokens
		{100000, 8192, 8192, 1},
		{100000, 16384, 16384, 1},
		{300, 100, 100, 2}, // all that is left
		{1000, 200, 50, 4},
	} {
		d, err := counted(c.tokens).Divide(c.longest, c.longest)
		if err != nil {
			t.Fatal(err)
		}
		got := d.Costs(c.length)
		if len(got) != c.want {
			t.Errorf("%+v: %d sequences", c, len(got))
		}
		if all := slices.Concat(got...); !slices.Equal(all, d.Fit[:len(all)]) {
			t.Errorf("%+v: not the front of the text", c)
		}
	}
}

// TestFirstToken stands before every sequence, whose last token gives way.
func TestFirstToken(t *testing.T) {
	text := counted(40)
	bos := int64(-7)
	text.BOS = &bos
	d, err := text.Divide(10, 10)
	if err != nil {
		t.Fatal(err)
	}
	if want := [][]int64{{-7, 30, 31, 32, 33, 34, 35, 36, 37, 38}}; !cmp.Equal(d.Measured, want) {
		t.Errorf("measured %v", d.Measured)
	}
	if want := [][]int64{{-7, 0, 1, 2}, {-7, 4, 5, 6}, {-7, 8, 9, 10}, {-7, 12, 13, 14}}; !cmp.Equal(d.Costs(4), want) {
		t.Errorf("costs %v", d.Costs(4))
	}
	if want := int64(29); d.Fit[len(d.Fit)-1] != want {
		t.Errorf("the rest ends with %d, want %d", d.Fit[len(d.Fit)-1], want)
	}
}

// TestUses: the manifest names each file's own tokens.
func TestUses(t *testing.T) {
	d, err := counted(50, 30, 40).Divide(30, 60)
	if err != nil {
		t.Fatal(err)
	}
	b, c := "4bf5122f344554c53bde2ebb8cd2b7e3d1600ad631c385a5d7cce23c7785459a", "dbc1b4c900ffe48d575b5da5c638040125f65db0fe3e24494b76ea986457d986"
	want := []convert.Text{{Name: "c.txt", SHA256: c, First: 10, Tokens: 30, Use: "measure"}}
	if diff := cmp.Diff(want, d.measured()); diff != "" {
		t.Error(diff)
	}
	want = []convert.Text{{Name: "b.txt", SHA256: b, First: 5, Tokens: 25, Use: "costs"}, {Name: "c.txt", SHA256: c, First: 0, Tokens: 2, Use: "costs"}}
	if diff := cmp.Diff(want, d.text.uses(55, 27, "costs")); diff != "" {
		t.Error(diff)
	}
}
