package verify_test

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/verify"
)

func verdicts(r *verify.Report, name string) map[string]verify.Verdict {
	out := map[string]verify.Verdict{}
	for _, c := range r.Checks {
		if c.Name == name && c.Level != "disabled" && c.Level != "basic" && c.Level != "extended" {
			out[c.Runner] = c.Verdict
		}
	}
	return out
}

// TestLongPast: a mask that hides keys further back than the prompt is long is
// seen in a model without windows.
func TestLongPast(t *testing.T) {
	present := runtimePresent(t)
	for _, fault := range []bool{false, true} {
		dir := windowed(t, 100, 600, onnxops.AttentionStandard)
		replaceIn(t, filepath.Join(dir, "config.json"), `"sliding_window": 100`, `"sliding_window": null`)
		want := verify.Fail
		if !fault {
			want = verify.Pass
			if err := (conversion{maxLength: 600, attention: onnxops.AttentionStandard}).emit(dir); err != nil {
				t.Fatal(err)
			}
		}
		got := verdicts(verified(t, dir, verify.Options{OptLevel: "all"}), "long-past")
		if got["interp"] != want || present && got["ort-cpu"] != want {
			t.Errorf("fault %v: long-past is %v, want %s", fault, got, want)
		}
	}
}

// TestOneNumber: NaN in a weight is a finding of --bisect too, and the last bit
// of a query's weight one of rewrite.
func TestOneNumber(t *testing.T) {
	for name, change := range map[string]func(uint32) uint32{
		"nan":      func(uint32) uint32 { return math.Float32bits(float32(math.NaN())) },
		"last bit": func(x uint32) uint32 { return x ^ 1 },
	} {
		t.Run(name, func(t *testing.T) {
			c := conversion{model: "golden/llama-gqa", to: "hope"}
			dir := c.write(t)
			path := filepath.Join(dir, "model.safetensors")
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			f, err := safetensors.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			info, _ := f.Lookup("model.layers.1.self_attn.q_proj.weight")
			at := f.DataStart() + info.Begin + 40
			f.Close()
			x := change(uint32(data[at]) | uint32(data[at+1])<<8 | uint32(data[at+2])<<16 | uint32(data[at+3])<<24)
			data[at], data[at+1], data[at+2], data[at+3] = byte(x), byte(x>>8), byte(x>>16), byte(x>>24)
			if err := os.Remove(path); err != nil { // it may be a link to the source
				t.Fatal(err)
			}
			if err := os.WriteFile(path, data, 0o666); err != nil {
				t.Fatal(err)
			}
			r := verified(t, dir, verify.Options{Bisect: true, Against: filepath.Join("..", "testdata", "golden", "llama-gqa")})
			if r.Verdict != verify.Fail || r.Bisect == nil {
				t.Errorf("verdict %s, bisection %v", r.Verdict, r.Bisect)
			}
			if name == "last bit" && verdicts(r, "rewrite")["ref"] != verify.Fail {
				t.Errorf("rewrite is %v", verdicts(r, "rewrite"))
			}
		})
	}
}
