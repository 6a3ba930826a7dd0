package convert_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/gguf"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/posenc"
)

// llamaCPP is a model of testdata as llama.cpp's own converter writes it; see
// gguf/arch/testdata/make_gguf.py.
func llamaCPP(name string) string { return filepath.Join("gguf", "arch", "testdata", name+".gguf") }

func openGGUF(t *testing.T, path string) *gguf.File {
	t.Helper()
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// contents are the bytes of a file's tensors by name, with their type.
func contents(t *testing.T, f *gguf.File) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, info := range f.Header.Tensors {
		n, err := info.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		raw, err := f.Read(info.Name, 0, n)
		if err != nil {
			t.Fatal(err)
		}
		all[info.Name] = fmt.Sprintf("%s %v %x", info.Type, info.Dims, sha256.Sum256(raw))
	}
	return all
}

// sameContents compares two files' tensors, but for those named.
func sameContents(t *testing.T, got, want *gguf.File, but ...string) {
	t.Helper()
	a, b := contents(t, got), contents(t, want)
	for name, x := range a {
		if y, ok := b[name]; !slices.Contains(but, name) && x != y {
			t.Errorf("tensor %q is %s, want %s (%v)", name, x, y, ok)
		}
	}
	for name := range b {
		if _, ok := a[name]; !ok && !slices.Contains(but, name) {
			t.Errorf("tensor %q is missing", name)
		}
	}
}

// withoutWindow is a golden model whose configuration has no window: llama.cpp
// computes none.
func withoutWindow(t *testing.T, name string) string {
	t.Helper()
	dir := golden(t, name)
	path := filepath.Join(dir, "config.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	if err := json.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	if _, has := config["sliding_window"]; has {
		config["sliding_window"] = nil
	}
	if text, err = json.Marshal(config); err != nil {
		t.Fatal(err)
	}
	put(t, path, text)
	return dir
}

// intoGGUF converts into a file and opens it.
func intoGGUF(t *testing.T, model string, o convert.Options) (*gguf.File, *convert.Plan) {
	t.Helper()
	o.Output = filepath.Join(t.TempDir(), "out.gguf")
	p, err := convert.NewPlan(model, o)
	if err != nil {
		t.Fatal(err)
	}
	r, err := run(p)
	if err != nil {
		t.Fatal(err)
	}
	if r.Output != o.Output || len(r.Files) != 1 || r.Files[0].Bytes != p.Bytes {
		t.Errorf("result %+v of a plan of %d bytes", r, p.Bytes)
	}
	f := openGGUF(t, o.Output)
	sumsHold(t, f, r.Files[0].How)
	return f, p
}

// TestGGUFIsLlamaCPPs: a file made of safetensors has the tensors, byte by byte,
// and the metadata that llama.cpp's own converter writes. Where the two differ is
// listed: its file has what the graph does not read, or ours what it leaves to
// defaults.
func TestGGUFIsLlamaCPPs(t *testing.T) {
	differ := map[string][]string{ // llama.cpp goes by the norms that are there
		"stablelm": {"stablelm.use_parallel_residual"}, "stablelm-parallel": {"stablelm.use_parallel_residual"},
	}
	for _, name := range []string{"llama-tied-bf16", "llama3-scaled", "qwen2", "qwen3", "phi3", "olmo2", "stablelm", "stablelm-parallel", "starcoder2", "gpt-neox-serial"} {
		t.Run(name, func(t *testing.T) {
			want := openGGUF(t, llamaCPP(name))
			kind := "f32"
			if kv, ok := want.Header.Find("general.file_type"); ok {
				if n, _ := kv.Uint(); n == 1 {
					kind = "f16"
				}
			}
			got, _ := intoGGUF(t, withoutWindow(t, name), convert.Options{To: "rope", GGUFType: kind})
			sameContents(t, got, want, "rope_freqs.weight")
			if a, b := factorsOf(t, got), factorsOf(t, want); !slices.EqualFunc(a, b, func(x, y float32) bool { return math.Abs(float64(x-y)) <= 2e-7*float64(y) }) {
				t.Errorf("factors %v, want %v", a, b)
			}
			for _, kv := range want.Header.KVs {
				ours, ok := got.Header.Find(kv.Key)
				if strings.HasPrefix(kv.Key, "general.") && kv.Key != "general.architecture" || slices.Contains(differ[name], kv.Key) {
					continue
				}
				if !ok || ours.Type != kv.Type || !bytes.Equal(ours.Raw, kv.Raw) {
					t.Errorf("%s: %v % x, want %v % x", kv.Key, ours.Type, ours.Raw, kv.Type, kv.Raw)
				}
			}
		})
	}
}

// factorsOf reads rope_freqs.weight: llama.cpp's converter computes it in float32.
func factorsOf(t *testing.T, f *gguf.File) []float32 {
	t.Helper()
	info, ok := f.Lookup("rope_freqs.weight")
	if !ok {
		return nil
	}
	raw, err := f.Read(info.Name, 0, 4*info.Dims[0])
	if err != nil {
		t.Fatal(err)
	}
	values := make([]float32, info.Dims[0])
	if err := tensor.Decode32(values, raw, tensor.F32); err != nil {
		t.Fatal(err)
	}
	return values
}

// TestGGUFToGGUF: the encoding changes in the metadata and one small tensor; every
// other tensor keeps its bytes, the source its own, and the result is the same
// every time.
func TestGGUFToGGUF(t *testing.T) {
	source := llamaCPP("llama-tied-bf16")
	before, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	var files [][]byte
	for range 2 {
		got, p := intoGGUF(t, source, convert.Options{To: "hope"})
		sameContents(t, got, openGGUF(t, source), "rope_freqs.weight")
		if p.Format != convert.GGUF || p.Encoding.Dropped == 0 {
			t.Errorf("format %s, %d planes dropped", p.Format, p.Encoding.Dropped)
		}
		data, err := os.ReadFile(got.Path)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, data)
		if from := openGGUF(t, source); got.DataStart()%4096 != from.DataStart()%4096 {
			t.Errorf("data start at %d, those of the source at %d: no blocks can be shared", got.DataStart(), from.DataStart())
		}
		for _, key := range []string{"pecvt.schema", "pecvt.tool", "pecvt.encoding", "pecvt.manifest"} {
			if _, ok := got.Header.Find(key); !ok {
				t.Errorf("key %s is missing", key)
			}
		}
		in, err := convert.Inspect(got.Path)
		if err != nil {
			t.Fatal(err)
		}
		for i, plane := range in.Planes {
			if (plane.InvFreq == 0) != (p.Encoding.Planes[i].After == 0) {
				t.Errorf("plane %d turns by %v, planned %v", i, plane.InvFreq, p.Encoding.Planes[i].After)
			}
		}
	}
	if !bytes.Equal(files[0], files[1]) {
		t.Error("two runs differ")
	}
	if after, err := os.ReadFile(source); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the source changed (%v)", err)
	}
}

// TestGGUFBlocksKeepTheirs: where rows are taken apart, as hope-ab3 does with those
// of W_q, blocks stay blocks and every other tensor keeps its bytes.
func TestGGUFBlocksKeepTheirs(t *testing.T) {
	blocks, _ := intoGGUF(t, golden(t, "llama-gqa"), convert.Options{To: "rope", GGUFType: "q8_0"})
	got, p := intoGGUF(t, blocks.Path, convert.Options{To: "hope-ab3"})
	but := []string{"rope_freqs.weight"}
	before := contents(t, blocks)
	for name, text := range contents(t, got) {
		if !strings.HasSuffix(name, "attn_q.weight") {
			continue
		}
		if !strings.Contains(text, "Q8_0") || text == before[name] {
			t.Errorf("tensor %q is %s, was %s", name, text, before[name])
		}
		but = append(but, name)
	}
	if len(but) == 1 || p.Encoding.Dropped == 0 {
		t.Errorf("tensors %v changed, %d planes dropped", but, p.Encoding.Dropped)
	}
	sameContents(t, got, blocks, but...)
}

// What a graph of llama.cpp does not compute is refused by name.
func TestGGUFRefuses(t *testing.T) {
	block := filepath.Join(t.TempDir(), "block") // in which nothing changes
	made(t, golden(t, "llama-tied-bf16"), convert.Options{To: "grape-m", Output: block})
	for _, c := range []struct {
		model string
		o     convert.Options
		want  string
	}{
		{llamaCPP("qwen2"), to("hope"), "takes no factors per plane"},
		{llamaCPP("llama-tied-bf16"), partial(), "another architecture"},
		{llamaCPP("llama-tied-bf16"), convert.Options{To: "grape-m"}, "in factors per plane"},
		{block, convert.Options{To: "grape-m"}, "in factors per plane"},
		{golden(t, "mistral"), convert.Options{To: "hope", Format: convert.GGUF}, "window"},
		{golden(t, "qwen2"), convert.Options{To: "hope", Format: convert.GGUF}, "takes no factors per plane"},
		{golden(t, "bloom"), convert.Options{To: "alibi", Format: convert.GGUF}, "without a rotation"},
	} {
		c.o.Output = filepath.Join(t.TempDir(), "out.gguf")
		if c.o.Format == "" {
			c.o.Format = convert.GGUF
		}
		_, err := convert.NewPlan(c.model, c.o)
		if !errors.Is(err, posenc.ErrUnsupported) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s to %s: %v, want %q", filepath.Base(c.model), c.o.To, err, c.want)
		}
		nothing(t, c.o.Output)
	}
}

// A file that pecvt did not write is not replaced, and an interrupted run leaves
// nothing behind.
func TestGGUFTarget(t *testing.T) {
	source := llamaCPP("llama-tied-bf16")
	o := to("hope")
	o.Output = filepath.Join(t.TempDir(), "out.gguf")
	p := plan(t, source, o)
	ctx, cancel := context.WithCancel(context.Background())
	_, err := convert.Run(ctx, p, convert.RunOptions{Progress: func(convert.Progress) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	nothing(t, o.Output)
	if _, err := run(p); err != nil {
		t.Fatal(err)
	}
	if _, err := run(p); err == nil || !strings.Contains(err.Error(), "exists") {
		t.Errorf("over a result: %v", err)
	}
	force := convert.RunOptions{Force: true}
	if _, err := convert.Run(context.Background(), p, force); err != nil {
		t.Errorf("a result replaced: %v", err)
	}
	if diff := names(t, filepath.Dir(o.Output)); len(diff) != 1 {
		t.Errorf("beside the target: %v", diff)
	}
	for name, data := range map[string]string{"text": "a thesis", "another's": string(bytesOf(t, source))} {
		put(t, o.Output, []byte(data))
		if _, err := convert.Run(context.Background(), p, force); err == nil || !strings.Contains(err.Error(), "did not write it") {
			t.Errorf("%s: %v", name, err)
		}
		if string(bytesOf(t, o.Output)) != data {
			t.Errorf("%s: the file is gone", name)
		}
	}
	folder := to("hope")
	folder.Output = filepath.Join(t.TempDir(), "hope.gguf")
	if err := os.Mkdir(folder.Output, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := run(plan(t, source, folder)); err == nil || !strings.Contains(err.Error(), "not a file") {
		t.Errorf("over a folder: %v", err)
	}
	same := to("hope")
	same.Output = filepath.Join(t.TempDir(), "model.gguf")
	put(t, same.Output, bytesOf(t, source))
	if _, err := convert.Run(context.Background(), plan(t, same.Output, same), force); err == nil || !strings.Contains(err.Error(), "never written to") {
		t.Errorf("over the source: %v", err)
	}
}

func bytesOf(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestGGUFHash: the manifest in the file has the SHA-256 of the source.
func TestGGUFHash(t *testing.T) {
	dir := golden(t, "llama-tied-bf16")
	for source, file := range map[string]string{llamaCPP("llama-tied-bf16"): llamaCPP("llama-tied-bf16"), dir: filepath.Join(dir, "model.safetensors")} {
		f, _ := intoGGUF(t, source, convert.Options{To: "hope", Hash: true})
		kv, _ := f.Header.Find("pecvt.manifest")
		text, err := kv.Text()
		if err != nil {
			t.Fatal(err)
		}
		var man convert.Manifest
		if err := json.Unmarshal([]byte(text), &man); err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("%x", sha256.Sum256(bytesOf(t, file))); len(man.Source.Files) != 1 || man.Source.Files[0].SHA256 != want {
			t.Errorf("%s: %+v, want %s", source, man.Source.Files, want)
		}
	}
}

// TestGGUFReadsBack: what is written is read as what was planned: every plane, the
// attention factor, and the trained length where planes were cut or turn slower.
func TestGGUFReadsBack(t *testing.T) {
	pi, yarn := posenc.Scale{Kind: "pi", Factor: 4}, posenc.Scale{Kind: "yarn", Factor: 4}
	for _, source := range []string{golden(t, "llama-gqa"), llamaCPP("llama-tied-bf16"), llamaCPP("llama3-scaled"), llamaCPP("phi3")} {
		for _, o := range []convert.Options{to("hope"), {To: "hope", Scale: pi}, {To: "hope", Scale: yarn}, to("nope"), {To: "rope"}, {To: "pi", Scale: pi}, {To: "yarn", Scale: yarn}, to("hope-ab3")} {
			name := fmt.Sprintf("%s to %s %s", filepath.Base(source), o.To, o.Scale)
			if o.Scale.Kind != "" && source == llamaCPP("llama3-scaled") {
				continue // scaled already
			}
			o.Format = convert.GGUF
			o.Output = filepath.Join(t.TempDir(), "out.gguf")
			p, err := convert.NewPlan(source, o)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if _, err := run(p); err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			in, err := convert.Inspect(o.Output)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if math.Abs(in.Rope.AttentionFactor-p.Encoding.GainAfter) > 1e-6 || (p.Encoding.Dropped > 0 || o.To == "pi") && in.TrainedLength != p.Encoding.TrainLength {
				t.Errorf("%s: attention factor %v, planned %v; trained on %d, planned %d", name, in.Rope.AttentionFactor, p.Encoding.GainAfter, in.TrainedLength, p.Encoding.TrainLength)
			}
			for i, plane := range p.Encoding.Planes {
				if got := in.Planes[i].InvFreq; math.Abs(got-plane.After) > 1e-6*plane.After {
					t.Errorf("%s: plane %d turns by %v, planned %v", name, i, got, plane.After)
				}
			}
		}
	}
}
