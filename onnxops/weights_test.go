package onnxops

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
)

// external returns an initializer's location, offset and length.
func external(t *testing.T, p *onnxpb.TensorProto) (location string, offset, length int64) {
	t.Helper()
	for _, e := range p.GetExternalData() {
		var err error
		switch e.GetKey() {
		case "location":
			location = e.GetValue()
		case "offset":
			offset, err = strconv.ParseInt(e.GetValue(), 10, 64)
		case "length":
			length, err = strconv.ParseInt(e.GetValue(), 10, 64)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return location, offset, length
}

// TestWeightBytes: wherever the weights are put, every weight of the model is
// there, bit for bit.
func TestWeightBytes(t *testing.T) {
	for _, name := range goldens {
		for _, mode := range []string{PlaceExternal, PlaceExternalCopy, PlaceEmbed} {
			m, ckpt := load(t, name)
			dir := t.TempDir()
			files, err := Write(dir, m, ckpt, Options{Placement: mode, MaxLength: 48})
			if err != nil {
				t.Fatal(err)
			}
			if want := map[string]int{PlaceExternalCopy: 3}[mode]; len(files) != max(want, 2) {
				t.Errorf("%s, %s: files %v", name, mode, files)
			}
			weightDir := dir
			if mode == PlaceExternal {
				weightDir = ckpt.Root()
			}
			raw, err := os.ReadFile(filepath.Join(dir, ModelFile))
			if err != nil {
				t.Fatal(err)
			}
			var model onnxpb.ModelProto
			if err := proto.Unmarshal(raw, &model); err != nil {
				t.Fatal(err)
			}
			inits := map[string]*onnxpb.TensorProto{}
			for _, p := range model.GetGraph().GetInitializer() {
				inits[p.GetName()] = p
			}
			for _, w := range m.Weights() {
				want, _, err := w.Bytes(ckpt)
				if err != nil {
					t.Fatal(err)
				}
				var got []byte
				for _, part := range parts(w) {
					p := inits[part]
					if p == nil {
						t.Fatalf("%s, %s: no initializer %q", name, mode, part)
					}
					if p.GetDataLocation() != onnxpb.TensorProto_EXTERNAL {
						got = append(got, p.GetRawData()...)
						continue
					}
					location, offset, length := external(t, p)
					data, err := os.ReadFile(filepath.Join(weightDir, location))
					if err != nil {
						t.Fatal(err)
					}
					got = append(got, data[offset:offset+length]...)
				}
				if !bytes.Equal(got, want) {
					t.Errorf("%s, %s: %s: other bytes than the checkpoint's", name, mode, w.Tensor)
				}
			}
		}
	}
}

// parts names the initializers that make up a weight.
func parts(w family.Weight) []string {
	if len(w.Rows) == 0 {
		return []string{w.Tensor}
	}
	var list []string
	for _, r := range family.JoinRanges(w.Rows) {
		list = append(list, fmt.Sprintf("%s[%d:%d]", w.Tensor, r.Begin, r.End))
	}
	return list
}

// TestTied: a tied head and the embedding share one initializer, in its stored
// type, and it is cast for the head alone.
func TestTied(t *testing.T) {
	m, ckpt := load(t, "golden/llama-tied-bf16")
	if !m.Tied {
		t.Fatal("the case is not tied")
	}
	g := exportOne(t, m, ckpt, Options{}).GetGraph()
	name, users := m.Embed.Tensor, []string{}
	for _, n := range g.GetNode() {
		if slices.Contains(n.GetInput(), name) {
			users = append(users, n.GetName())
		}
	}
	if want := []string{"/embed/Gather", "/cast/" + name}; !slices.Equal(users, want) {
		t.Errorf("%s is read by %v, expected %v", name, users, want)
	}
}

// TestRowRuns: rows that lie apart in a stored tensor are joined in the graph.
func TestRowRuns(t *testing.T) {
	m, ckpt := load(t, "golden/llama-gqa")
	q := &m.Blocks[0].Attn().Q.Weight
	n := q.Shape[0]
	q.Rows = []family.Range{{Begin: n / 2, End: n}, {Begin: 0, End: n / 4}, {Begin: n / 4, End: n / 2}}
	model := exportOne(t, m, ckpt, Options{})
	checkStructure(t, model)
	var in []string
	for _, node := range model.GetGraph().GetNode() {
		if strings.HasPrefix(node.GetName(), "/rows/") {
			in = node.GetInput()
		}
	}
	want := []string{fmt.Sprintf("%s[%d:%d]", q.Tensor, n/2, n), fmt.Sprintf("%s[0:%d]", q.Tensor, n/2)}
	if !slices.Equal(in, want) {
		t.Errorf("joined %v, expected %v", in, want)
	}
	q.Rows[0].End = n + 1
	if _, err := Export(m, ckpt, Options{}); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("rows %d to %d of %d", n/2, n+1, n)) {
		t.Errorf("rows past the tensor's end: error %v", err)
	}
}

// TestFP8 refuses weights that ONNX Runtime has no way to compute with.
func TestFP8(t *testing.T) {
	m, src := load(t, "golden/llama-tied-bf16")
	path := filepath.Join(t.TempDir(), "model.safetensors")
	infos := []safetensors.Info{}
	for _, f := range src.Shards() {
		infos = append(infos, f.Tensors()...)
	}
	for i := range infos {
		infos[i].DType = tensor.F8E4M3
	}
	w, err := safetensors.Create(path, infos, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range infos {
		n, err := tensor.Elements(in.Shape)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.WriteTensor(in.Name, make([]byte, n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	ckpt, err := safetensors.OpenCheckpoint(path)
	if err != nil {
		t.Fatal(err)
	}
	defer ckpt.Close()
	_, err = Export(m, ckpt, Options{})
	if err == nil || !strings.Contains(err.Error(), "is F8_E4M3: weights may be BF16, F16, F32 or F64") || !strings.Contains(err.Error(), m.Embed.Tensor) {
		t.Errorf("error %v", err)
	}
}
