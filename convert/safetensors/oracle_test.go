package safetensors

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	oracle "github.com/nlpodyssey/safetensors"
	"pgregory.net/rapid"

	"github.com/pecvt/pecvt/convert/tensor"
)

// The dtypes that the oracle knows too: all but FP8.
func sharedDTypes() []tensor.DType {
	var out []tensor.DType
	for _, d := range tensor.DTypes() {
		if _, err := oracle.ParseDType(d.String()); err == nil {
			out = append(out, d)
		}
	}
	return out
}

// A tensor name: anything that is valid UTF-8, quotes and control characters
// included.
func nameGen() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.StringMatching(`[a-z]{1,8}(\.[0-9]{1,2})?\.weight`),
		rapid.StringN(1, 12, -1),
		rapid.SampledFrom([]string{"\u2028", "a\"b", "\\", "<&>", "\x00", "\ufffd", "é"}),
	)
}

func tensorsGen(dtypes []tensor.DType, minRank int) *rapid.Generator[[]Info] {
	one := rapid.Custom(func(t *rapid.T) Info {
		return Info{
			Name:  nameGen().Draw(t, "name"),
			DType: rapid.SampledFrom(dtypes).Draw(t, "dtype"),
			Shape: rapid.SliceOfN(rapid.Int64Range(0, 5), minRank, 4).Draw(t, "shape"),
		}
	})
	return rapid.SliceOfNDistinct(one, 0, 12, func(i Info) string { return i.Name })
}

func fill(t *rapid.T, info Info) []byte {
	n, err := tensor.ByteSize(info.DType, info.Shape)
	if err != nil {
		t.Fatal(err)
	}
	return rapid.SliceOfN(rapid.Byte(), int(n), int(n)).Draw(t, "data")
}

// Our writer, the oracle's reader and our own.
func TestOracleReadsOurFiles(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		infos := tensorsGen(tensor.DTypes(), 0).Draw(t, "tensors")
		metadata := rapid.MapOfN(nameGen(), nameGen(), 0, 4).Draw(t, "metadata")
		var b bytes.Buffer
		w, err := NewWriter(&b, infos, metadata)
		if err != nil {
			t.Fatal(err)
		}
		data := map[string][]byte{}
		fp8 := false
		for _, info := range infos {
			data[info.Name] = fill(t, info)
			fp8 = fp8 || info.DType == tensor.F8E4M3 || info.DType == tensor.F8E5M2 || info.DType == tensor.F8E8M0
			if err := w.WriteTensor(info.Name, data[info.Name]); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "m.safetensors")
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, useMap := range []bool{true, false} {
			f, err := openLocal(path, useMap)
			if err != nil {
				t.Fatal(err)
			}
			if f.DataStart()%8 != 0 || !maps.Equal(f.Metadata(), metadata) && len(metadata) > 0 || len(f.Tensors()) != len(infos) {
				t.Fatalf("data at %d, %d tensors, metadata %q", f.DataStart(), len(f.Tensors()), f.Metadata())
			}
			for _, info := range infos {
				got, ok := f.Lookup(info.Name)
				bytesOf, err := f.Bytes(info.Name)
				if !ok || err != nil || got.DType != info.DType || !slices.Equal(got.Shape, info.Shape) || !bytes.Equal(bytesOf, data[info.Name]) {
					t.Fatalf("%+v came back as %+v, % x (%v)", info, got, bytesOf, err)
				}
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if fp8 {
			return
		}
		st, err := oracle.Deserialize(b.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if st.Len() != len(infos) {
			t.Fatalf("the oracle sees %d tensors of %d", st.Len(), len(infos))
		}
		for _, info := range infos {
			v, ok := st.Tensor(info.Name)
			if !ok || v.DType().String() != info.DType.String() || fmt.Sprint(v.Shape()) != fmt.Sprint(info.Shape) || !bytes.Equal(v.Data(), data[info.Name]) {
				t.Fatalf("the oracle reads %+v as %s %v % x", info, v.DType(), v.Shape(), v.Data())
			}
		}
		_, md, err := oracle.ReadMetadata(b.Bytes())
		if err != nil || len(metadata) > 0 && !maps.Equal(md.Metadata(), metadata) {
			t.Fatalf("the oracle reads metadata %q (%v), want %q", md.Metadata(), err, metadata)
		}
	})
}

// The oracle's writer, our reader. Its views cannot have rank 0.
func TestWeReadTheOraclesFiles(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		infos := tensorsGen(sharedDTypes(), 1).Draw(t, "tensors")
		metadata := rapid.MapOfN(nameGen(), nameGen(), 0, 4).Draw(t, "metadata")
		views, data := map[string]oracle.TensorView{}, map[string][]byte{}
		for _, info := range infos {
			data[info.Name] = fill(t, info)
			d, err := oracle.ParseDType(info.DType.String())
			if err != nil {
				t.Fatal(err)
			}
			shape := make([]uint64, len(info.Shape))
			for i, n := range info.Shape {
				shape[i] = uint64(n)
			}
			if views[info.Name], err = oracle.NewTensorView(d, shape, data[info.Name]); err != nil {
				t.Fatal(err)
			}
		}
		b, err := oracle.Serialize(views, metadata)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "m.safetensors")
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if len(f.Tensors()) != len(infos) || len(metadata) > 0 && !maps.Equal(f.Metadata(), metadata) {
			t.Fatalf("%d tensors of %d, metadata %q of %q", len(f.Tensors()), len(infos), f.Metadata(), metadata)
		}
		for _, info := range infos {
			got, ok := f.Lookup(info.Name)
			bytesOf, err := f.Bytes(info.Name)
			if !ok || err != nil || got.DType != info.DType || !slices.Equal(got.Shape, info.Shape) || !bytes.Equal(bytesOf, data[info.Name]) {
				t.Fatalf("%+v came back as %+v, % x (%v)", info, got, bytesOf, err)
			}
		}
	})
}

// Where the library cannot read a file, our header's offsets do.
func TestFP8IsReadWithoutTheLibrary(t *testing.T) {
	b := raw(`{`+entry("w", "F8_E4M3", "[2]", 0, 2)+`,`+entry("s", "F32", "[]", 2, 6)+`}`, 6)
	if _, err := oracle.Deserialize(b); err == nil {
		t.Error("the library reads FP8 now: the exception in openViews can go")
	}
	f, err := Open(put(t, t.TempDir(), "m.safetensors", b))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.views != nil {
		t.Error("the library was used")
	}
	if w, err := f.Bytes("w"); err != nil || !bytes.Equal(w, []byte{0, 1}) || cap(w) != 2 {
		t.Errorf("w = % x (cap %d), %v", w, cap(w), err)
	}
	if s, err := f.Bytes("s"); err != nil || !bytes.Equal(s, []byte{2, 3, 4, 5}) {
		t.Errorf("s = % x, %v", s, err)
	}
}

// A plain file is read through the library where it can be mapped.
func TestTheLibraryReadsTheMap(t *testing.T) {
	f, err := Open(file(t, t.TempDir(), "m.safetensors", "a", "b"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Mapped() && f.views == nil {
		t.Error("the file is mapped, but the library was not used")
	}
}
