package safetensors

import (
	"bytes"
	"errors"
	"path/filepath"
	"testing"

	"github.com/pecvt/pecvt/convert/tensor"
)

// one writes a file of one tensor "w" beside a small one in front of it, so that
// its data begins at an odd place.
func one(t testing.TB, d tensor.DType, shape []int64, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "m.safetensors")
	w, err := Create(path, []Info{{Name: "odd", DType: tensor.U8, Shape: []int64{3}}, {Name: "w", DType: d, Shape: shape}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{w.WriteTensor("odd", []byte("odd")), w.WriteTensor("w", data), w.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func TestWalk(t *testing.T) {
	for _, n := range []int64{0, 1, walkPiece/2 - 1, walkPiece / 2, walkPiece/2 + 1, walkPiece + 77} {
		data := make([]byte, 2*n)
		for i := range data {
			data[i] = byte(i*11 + i>>13)
		}
		path := one(t, tensor.BF16, []int64{n}, data)
		for _, useMap := range []bool{true, false} {
			f, err := openLocal(path, useMap)
			if err != nil {
				t.Fatal(err)
			}
			var got []byte
			err = f.Walk("w", func(offset int64, piece []byte) error {
				if offset != int64(len(got)) || len(piece)%2 != 0 || len(piece) > walkPiece || len(piece) == 0 {
					t.Errorf("a piece of %d at %d, expected at %d", len(piece), offset, len(got))
				}
				got = append(got, piece...)
				return nil
			})
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d elements (map %v): %d bytes, %v", n, useMap, len(got), err)
			}
			stop := errors.New("stop")
			if err := f.Walk("w", func(int64, []byte) error { return stop }); n > 0 && err != stop {
				t.Errorf("the visit's error became %v", err)
			}
			wantFormat(t, f.Walk("v", nil), path, `tensor "v"`, "no such tensor")
			f.Close()
		}
	}
}

// Float64 and Float32 decode across the borders of Walk's pieces.
func TestFloatsOfALargeTensor(t *testing.T) {
	const n = walkPiece + 5
	data := make([]byte, 2*n)
	for i := range data {
		data[i] = byte(i*7+i>>9) & 0x3f
	}
	ckpt, err := OpenCheckpoint(one(t, tensor.BF16, []int64{n}, data))
	if err != nil {
		t.Fatal(err)
	}
	defer ckpt.Close()
	want := make([]float64, n)
	if err := tensor.Decode64(want, data, tensor.BF16); err != nil {
		t.Fatal(err)
	}
	got, err := ckpt.Float64("w")
	if err != nil {
		t.Fatal(err)
	}
	got32, err := ckpt.Float32("w")
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if got[i] != want[i] || got32[i] != float32(want[i]) {
			t.Fatalf("element %d: %v and %v, want %v", i, got[i], got32[i], want[i])
		}
	}
}
