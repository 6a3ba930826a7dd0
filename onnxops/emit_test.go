package onnxops

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
)

// TestTableLength: tables are roomy unless the rotation would change with them.
func TestTableLength(t *testing.T) {
	const head = `{"model_type":"llama","vocab_size":8,"hidden_size":8,"num_hidden_layers":1,"num_attention_heads":1,"intermediate_size":8,"hidden_act":"silu","rms_norm_eps":1e-5,"max_position_embeddings":`
	rope := func(s string) string { return `,"rope_parameters":{"rope_theta":1e4,"rope_type":` + s + `}}` }
	for name, c := range map[string]struct {
		config string
		want   int
	}{
		"default, short":      {head + "32" + rope(`"default"`), 4096},
		"default, long":       {head + "8192" + rope(`"default"`), 8192},
		"dynamic, short":      {head + "32" + rope(`"dynamic","factor":4`), 32},
		"dynamic, long":       {head + "8192" + rope(`"dynamic","factor":4`), 8192},
		"longrope, one kind":  {head + "8192" + rope(`"longrope","factor":4,"original_max_position_embeddings":2048,"short_factor":[2,2,2,2],"long_factor":[2,2,2,2]`), 8192},
		"longrope, two kinds": {head + "8192" + rope(`"longrope","factor":4,"original_max_position_embeddings":2048,"short_factor":[1,1,1,1],"long_factor":[2,2,2,2]`), 2048},
		"longrope, short":     {head + "32" + rope(`"longrope","factor":4,"original_max_position_embeddings":16,"short_factor":[1,1,1,1],"long_factor":[2,2,2,2]`), 16},
		"yarn":                {head + "64" + rope(`"yarn","factor":4,"original_max_position_embeddings":16`), 4096},
	} {
		o, err := family.ParseObject([]byte(c.config))
		if err != nil {
			t.Fatal(err)
		}
		m, err := families.FromConfig(&family.Config{Object: o, Path: name})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := tableLength(m); err != nil || got != c.want {
			t.Errorf("%s: %d, %v; want %d", name, got, err, c.want)
		}
	}
}

// TestZeroOptions: the metadata names the model's own encoding and the length of
// the tables, and a rotation that changes with the length is the one of that
// length, whatever length the model was at.
func TestZeroOptions(t *testing.T) {
	for name, want := range map[string][2]string{
		"golden/llama-gqa":     {"rope", "4096"},
		"golden/bloom":         {"alibi", "4096"},
		"golden/llama3-scaled": {"llama3", "4096"},
	} {
		m, ckpt := load(t, name)
		got := map[string]string{}
		for _, p := range exportOne(t, m, ckpt, Options{}).GetMetadataProps() {
			got[p.GetKey()] = p.GetValue()
		}
		if got["pecvt.encoding"] != want[0] || got["pecvt.max_length"] != want[1] {
			t.Errorf("%s: encoding %q, length %q; want %q", name, got["pecvt.encoding"], got["pecvt.max_length"], want)
		}
	}
	m, ckpt := load(t, "golden/llama-gqa")
	m.Rope.Type, m.Rope.Factor = "dynamic", 4
	trained := exportOne(t, m, ckpt, Options{})
	long := exportOne(t, m, ckpt, Options{MaxLength: 4 * m.MaxPositions})
	if n := initializer(trained, "/rotary/cos_table").GetDims()[0]; n != int64(m.MaxPositions) {
		t.Errorf("dynamic: %d rows, want %d", n, m.MaxPositions)
	}
	a, b := floats(initializer(trained, "/rotary/cos_table").GetRawData()), floats(initializer(long, "/rotary/cos_table").GetRawData())
	if slow := 2*m.Blocks[0].Attn().Rotary.Planes() - 1; a[slow] >= b[slow] {
		t.Errorf("dynamic: cos of the slowest plane at 1 is %v at the trained length and %v beyond it: it does not slow down", a[slow], b[slow])
	}
}

// TestEmittedBytes: a graph is as large as its file and those of the weights that it
// reads, wherever they lie.
func TestEmittedBytes(t *testing.T) {
	for name, c := range map[string]struct {
		o    Options
		read []string
	}{
		"external": {Options{}, []string{"model.onnx", "model.safetensors"}},
		"copies":   {Options{Placement: PlaceExternalCopy}, []string{"model.onnx", "model.onnx.data"}},
		"embedded": {Options{Placement: PlaceEmbed}, []string{"model.onnx"}},
		"codes":    {Options{Weights: WeightsInt4}, []string{"model.onnx", "model.onnx.data"}},
		"a folder": {Options{Folder: FolderWeb}, []string{"onnx/model.onnx", "onnx/model.onnx_data"}},
	} {
		dir := filepath.Join(t.TempDir(), "m")
		if err := os.CopyFS(dir, os.DirFS(filepath.Join("..", "testdata", "golden", "llama-gqa"))); err != nil {
			t.Fatal(err)
		}
		c.o.MaxLength = 64
		e, err := Emit(dir, c.o)
		if err != nil {
			t.Fatal(err)
		}
		var want int64
		for _, file := range c.read {
			st, err := os.Stat(filepath.Join(dir, file))
			if err != nil {
				t.Fatal(err)
			}
			want += st.Size()
		}
		if e.Bytes != want || want < 10000 {
			t.Errorf("%s: %d bytes, want %d", name, e.Bytes, want)
		}
	}
}
