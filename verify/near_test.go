package verify_test

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/verify"
)

// scaleTensor multiplies a float32 tensor of a folder by a power of two.
func scaleTensor(t *testing.T, dir, name string, exponent int) {
	t.Helper()
	src, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	at, ok := src.Place(name)
	info, _ := src.Lookup(name)
	if !ok || info.DType != tensor.F32 {
		t.Fatalf("%s: found %v, %s", name, ok, info.DType)
	}
	raw, err := os.ReadFile(at.File)
	if err != nil {
		t.Fatal(err)
	}
	for i := at.Offset; i < at.Offset+info.Bytes(); i += 4 {
		v := math.Float32frombits(binary.LittleEndian.Uint32(raw[i:]))
		binary.LittleEndian.PutUint32(raw[i:], math.Float32bits(float32(math.Ldexp(float64(v), exponent))))
	}
	if err := os.WriteFile(at.File, raw, 0o666); err != nil {
		t.Fatal(err)
	}
}

// TestNearTheEndOfFloat16: the values of a layer are made larger by a power of two, and
// what reads them smaller by the same, so that the logits stay. Where they come within
// three powers of two of float16's end a warning says where, and how large they are; beyond
// the end the graph fails by that reason, and bfloat16 holds them.
func TestNearTheEndOfFloat16(t *testing.T) {
	runtimePresent(t)
	for _, c := range []struct {
		exponent int
		dtype    string
		warned   string // the largest value of v is 3.66 times 2^exponent
		verdict  verify.Verdict
		blame    string
	}{
		{11, onnxops.DTypeFloat16, "", verify.Pass, ""},
		{12, onnxops.DTypeFloat16, "/layers.1/attn/v_proj/Gemm_output_0 is up to 1.498e+04 on the prompt: float16 ends at 65504", verify.Pass, ""},
		{14, onnxops.DTypeFloat16, "/layers.1/attn/v_proj/Gemm_output_0 is up to 5.994e+04 on the prompt: float16 ends at 65504", verify.Pass, ""},
		{15, onnxops.DTypeFloat16, "/layers.1/attn/v_proj/Gemm_output_0 is up to 6.528e+04", verify.Fail, "passes what float16 holds, 65504"},
		{15, onnxops.DTypeBFloat16, "", verify.Pass, ""},
	} {
		dir := filepath.Join(t.TempDir(), "llama-gqa")
		if err := os.CopyFS(dir, os.DirFS(filepath.Join(fixtures, "golden", "llama-gqa"))); err != nil {
			t.Fatal(err)
		}
		scaleTensor(t, dir, "model.layers.1.self_attn.v_proj.weight", c.exponent)
		scaleTensor(t, dir, "model.layers.1.self_attn.o_proj.weight", -c.exponent)
		if _, err := onnxops.Emit(dir, onnxops.Options{DType: c.dtype, MaxLength: 64, Version: "test"}); err != nil {
			t.Fatal(err)
		}
		r := verified(t, dir, verify.Options{OptLevel: oneLevel()})
		warned := ""
		for _, w := range r.Warnings {
			if strings.Contains(w, "float16 ends at 65504") {
				warned = w
			}
		}
		if (warned == "") != (c.warned == "") || !strings.HasPrefix(warned, c.warned) {
			t.Errorf("2^%d, %s: warned of %q, want %q", c.exponent, c.dtype, warned, c.warned)
		}
		if got, ok := find(r, "sixteen-bits", "interp"); !ok || got.Verdict != c.verdict || !strings.Contains(got.Blame, c.blame) {
			t.Errorf("2^%d, %s: %s, %q, want %s, %q", c.exponent, c.dtype, got.Verdict, got.Blame, c.verdict, c.blame)
		}
		if got, ok := find(r, "prefill", "interp"); !ok || got.Verdict != verify.Pass {
			t.Errorf("2^%d, %s: in float32 %s: %s", c.exponent, c.dtype, got.Verdict, got.Detail)
		}
	}
}
