package tensor

import (
	"math"
	"strings"
	"testing"
)

func TestDTypeTable(t *testing.T) {
	want := []struct {
		d     DType
		name  string
		size  int
		float bool
	}{
		{BF16, "BF16", 2, true}, {F16, "F16", 2, true}, {F32, "F32", 4, true}, {F64, "F64", 8, true},
		{F8E4M3, "F8_E4M3", 1, true}, {F8E5M2, "F8_E5M2", 1, true}, {F8E8M0, "F8_E8M0", 1, true},
		{I64, "I64", 8, false}, {I32, "I32", 4, false}, {I16, "I16", 2, false}, {I8, "I8", 1, false},
		{U64, "U64", 8, false}, {U32, "U32", 4, false}, {U16, "U16", 2, false}, {U8, "U8", 1, false},
		{Bool, "BOOL", 1, false},
	}
	if len(want) != len(DTypes()) {
		t.Fatalf("%d dtypes, the table has %d", len(DTypes()), len(want))
	}
	for _, w := range want {
		if w.d.String() != w.name || w.d.Size() != w.size || w.d.IsFloat() != w.float || !w.d.Valid() {
			t.Errorf("%d: got %s, %d bytes, float %v; want %s, %d, %v", w.d, w.d, w.d.Size(), w.d.IsFloat(), w.name, w.size, w.float)
		}
		if d, err := ParseDType(w.name); err != nil || d != w.d {
			t.Errorf("ParseDType(%q) = %v, %v", w.name, d, err)
		}
	}
	for _, bad := range []string{"", "f32", "bf16", "F8_E4M3FN", "F4", "FLOAT"} {
		_, err := ParseDType(bad)
		if err == nil || !strings.Contains(err.Error(), "F8_E5M2") {
			t.Errorf("ParseDType(%q): error %v does not list the known dtypes", bad, err)
		}
	}
	if DType(200).Valid() || DType(200).String() != "DType(200)" {
		t.Errorf("DType(200) = %v", DType(200))
	}
}

func TestElements(t *testing.T) {
	for _, c := range []struct {
		shape []int64
		want  int64
		err   string
	}{
		{nil, 1, ""},
		{[]int64{}, 1, ""},
		{[]int64{0}, 0, ""},
		{[]int64{3, 4, 5}, 60, ""},
		{[]int64{7, 0, 9}, 0, ""},
		{[]int64{math.MaxInt64}, math.MaxInt64, ""},
		{[]int64{math.MaxInt64, 1, 1}, math.MaxInt64, ""},
		{[]int64{-1}, 0, "dimension 0 is negative"},
		{[]int64{2, -3}, 0, "dimension 1 is negative"},
		{[]int64{0, -3}, 0, "dimension 1 is negative"},
		{[]int64{1 << 32, 1 << 31}, 0, "overflows"},
		{[]int64{1 << 62, 4}, 0, "overflows"},
		{[]int64{0, 1 << 62, 4}, 0, "overflows"},
		{[]int64{math.MinInt64}, 0, "negative"},
	} {
		got, err := Elements(c.shape)
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) || got != c.want {
			t.Errorf("Elements(%v) = %d, %v; want %d, %q", c.shape, got, err, c.want, c.err)
		}
	}
	if n, err := ByteSize(BF16, []int64{3, 5}); n != 30 || err != nil {
		t.Errorf("ByteSize(BF16, [3 5]) = %d, %v", n, err)
	}
	if _, err := ByteSize(F64, []int64{1 << 60, 2}); err == nil || !strings.Contains(err.Error(), "overflows") {
		t.Errorf("ByteSize(F64, 2^61) = %v", err)
	}
}
