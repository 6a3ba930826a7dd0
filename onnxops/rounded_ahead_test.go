package onnxops

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/quant/nearest"
	"github.com/pecvt/pecvt/convert/store/storetest"
	"github.com/pecvt/pecvt/convert/tensor"
)

// TestNibbles: the first code of two is low, whatever their number.
func TestNibbles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		codes := rapid.SliceOf(rapid.ByteMax(15)).Draw(t, "codes")
		got, want := make([]byte, (len(codes)+1)/2+1), make([]byte, (len(codes)+1)/2+1)
		for j, code := range codes {
			want[j/2] |= code << (j % 2 * 4)
		}
		if n := nibbles(got, codes); n != (len(codes)+1)/2 || !bytes.Equal(got, want) {
			t.Fatalf("%d bytes %v, want %v", n, got, want)
		}
	})
}

// memory is weights of rows × columns of bfloat16, with a number that is none where bad.
func memory(t *testing.T, count int, rows, columns int64, bad int) (*storetest.Memory, []*rounded) {
	t.Helper()
	tensors := map[string]storetest.Tensor{}
	var list []*rounded
	s := nearest.Scheme{Bits: 4, Block: 32, Zeros: nearest.ZeroCode}
	for k := range count {
		data := make([]byte, 2*rows*columns)
		for i := range data {
			data[i] = byte(i*7+k*13) ^ byte(i>>9)
			if i%2 == 1 {
				data[i] = 0x3c | data[i]&0x81
			}
		}
		if k == bad {
			copy(data[2*(3*columns+5):], []byte{0xff, 0x7f})
		}
		name := fmt.Sprint("w", k)
		tensors[name] = storetest.Tensor{DType: tensor.BF16, Shape: []int64{rows, columns}, Data: data}
		r := &rounded{w: family.Weight{Tensor: name, Shape: []int64{rows, columns}}, scheme: s, rows: rows, columns: columns, size: 16}
		r.across = int64(s.Across(int(columns)))
		list = append(list, r)
	}
	m, err := storetest.New("", nil, tensors)
	if err != nil {
		t.Fatal(err)
	}
	return m, list
}

// TestAhead: codes that are made ahead, of several weights at once, are those of rows
// rounded one by one; damage is said by tensor, row and column; a writer that fails and a
// weight that is not asked for leave nothing waiting.
func TestAhead(t *testing.T) {
	const rows, columns = 3*pieceNumbers/1000 + 7, 1000
	src, list := memory(t, 4, rows, columns, -1)
	end := roundAhead(src, list)
	for _, r := range list {
		var got bytes.Buffer
		if err := r.write(&got, src); err != nil {
			t.Fatal(err)
		}
		numbers, err := r.w.Float32(src)
		if err != nil {
			t.Fatal(err)
		}
		line := r.scheme.NewLine(columns)
		for row := range int64(rows) {
			if err := r.scheme.Round(numbers[row*columns:(row+1)*columns], 8, line); err != nil {
				t.Fatal(err)
			}
			for j, code := range line.Codes {
				if have := got.Bytes()[row*r.across*16+int64(j/2)] >> (j % 2 * 4) & 15; have != code {
					t.Fatalf("%s: row %d, column %d: code %d, want %d", r.w.Tensor, row, j, have, code)
				}
			}
			for b, g := range line.Steps {
				if have := r.scales[row*r.across+int64(b)]; have != nearest.Float16(g.Scale) {
					t.Fatalf("%s: row %d, block %d: scale %#x, want %v", r.w.Tensor, row, b, have, g.Scale)
				}
				if have := r.zeros[row*r.zeroBytes()+int64(b/2)] >> (b % 2 * 4) & 15; int(have) != g.Zero {
					t.Fatalf("%s: row %d, block %d: zero point %d, want %d", r.w.Tensor, row, b, have, g.Zero)
				}
			}
		}
	}
	end()

	src, list = memory(t, 3, rows, columns, 1)
	end = roundAhead(src, list)
	err := list[0].write(&bytes.Buffer{}, src)
	if err == nil {
		err = list[1].write(&bytes.Buffer{}, src)
	}
	end() // the third is not asked for
	if err == nil || !strings.Contains(err.Error(), `"w1"`) || !strings.Contains(err.Error(), "row 3: column 5") {
		t.Errorf("a number that is none: %v", err)
	}

	src, list = memory(t, 3, rows, columns, -1)
	end = roundAhead(src, list)
	if err := list[0].write(full{}, src); !errors.Is(err, errFull) {
		t.Errorf("a full disk: %v", err)
	}
	end()
}

var errFull = errors.New("full")

// full is a disk that is.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }
