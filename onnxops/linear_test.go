package onnxops

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// TestMatMul: in the matmul form every linear map of every golden is a MatMul on a
// float32 initializer that holds the weight the other way round, number by number,
// whatever type and rows it is stored as; no Gemm is left.
func TestMatMul(t *testing.T) {
	bundled(t, func(t *testing.T, m *family.Model, st store.Store) {
		embedded, err := Export(m, st, Options{Linear: LinearMatMul, Placement: PlaceEmbed, MaxLength: 64})
		if err != nil {
			t.Fatal(err)
		}
		checkStructure(t, embedded)
		inits := map[string]*onnxpb.TensorProto{}
		for _, i := range embedded.GetGraph().GetInitializer() {
			inits[i.GetName()] = i
		}
		read := map[string]bool{}
		for _, n := range embedded.GetGraph().GetNode() {
			if n.GetOpType() == "Gemm" {
				t.Errorf("node %s is a Gemm", n.GetName())
			}
			if n.GetOpType() == "MatMul" {
				read[n.GetInput()[1]] = true
			}
		}
		linears := 0
		for _, p := range m.Parts() {
			l, ok := p.Of.(*family.Linear)
			if !ok {
				continue
			}
			linears++
			rows := ""
			for _, r := range family.JoinRanges(l.Weight.Rows) {
				if rows != "" {
					rows += ","
				}
				rows += strconv.FormatInt(r.Begin, 10) + ":" + strconv.FormatInt(r.End, 10)
			}
			name := names.TransposedWeight(l.Weight.Tensor, rows)
			got := inits[name]
			if got == nil || !read[name] || !slices.Equal(got.GetDims(), []int64{l.Weight.Shape[1], l.Weight.Shape[0]}) {
				t.Errorf("%s: no MatMul reads %s of %v: %v", p.Path(), name, l.Weight.Shape, got.GetDims())
				continue
			}
			want, err := l.Weight.Float32(st)
			if err != nil {
				t.Fatal(err)
			}
			out, in := int(l.Weight.Shape[0]), int(l.Weight.Shape[1])
			for i := range out {
				for j := range in {
					if x := math.Float32frombits(binary.LittleEndian.Uint32(got.RawData[4*(j*out+i):])); x != want[i*in+j] {
						t.Fatalf("%s: row %d, column %d is %v, expected %v", name, i, j, x, want[i*in+j])
					}
				}
			}
		}
		if linears == 0 {
			t.Error("no linear map")
		}
		copied(t, m, st, inits)
	})
}

// copied holds model.onnx.data against the embedded weights.
func copied(t *testing.T, m *family.Model, st store.Store, want map[string]*onnxpb.TensorProto) {
	t.Helper()
	dir := t.TempDir()
	files, err := Write(dir, m, st, Options{Linear: LinearMatMul, MaxLength: 64})
	if err != nil || !slices.Contains(files, ModelFile) || !slices.Contains(files, DataFile) {
		t.Fatalf("files %v: %v", files, err)
	}
	model, err := Export(m, st, Options{Linear: LinearMatMul, MaxLength: 64})
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, DataFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range model.GetGraph().GetInitializer() {
		if i.GetDataLocation() != onnxpb.TensorProto_EXTERNAL {
			continue
		}
		location, offset, length := external(t, i)
		if location != DataFile || offset%dataAlign != 0 || !bytes.Equal(data[offset:offset+length], want[i.GetName()].GetRawData()) {
			t.Errorf("%s: %d bytes from %d of %s are not those embedded", i.GetName(), length, offset, location)
		}
	}
}
