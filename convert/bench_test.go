package convert_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/rewrite"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/onnxops"
)

// benchModel writes a Llama-shaped bf16 checkpoint of random bytes and returns
// its folder and size: 1.1B parameters with PECVT_BENCH_LARGE=1, 2.0B (4 GB) with
// PECVT_BENCH_LARGE=2, else 30M.
func benchModel(b *testing.B) (dir string, size int64) {
	b.Helper()
	layers, hidden, inner, kv, vocab := 6, int64(640), int64(1728), int64(128), int64(2048)
	switch os.Getenv("PECVT_BENCH_LARGE") {
	case "1":
		layers, hidden, inner, kv, vocab = 22, 2048, 5632, 256, 32000
	case "2":
		layers, hidden, inner, kv, vocab = 42, 2048, 5632, 256, 32000
	}
	dir = b.TempDir()
	config := fmt.Sprintf(`{"model_type":"llama","architectures":["LlamaForCausalLM"],"vocab_size":%d,"hidden_size":%d,"intermediate_size":%d,"num_hidden_layers":%d,
"num_attention_heads":%d,"num_key_value_heads":%d,"max_position_embeddings":2048,"rms_norm_eps":1e-05,"rope_theta":10000.0,"hidden_act":"silu","torch_dtype":"bfloat16"}`,
		vocab, hidden, inner, layers, hidden/64, kv/64)
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o666); err != nil {
		b.Fatal(err)
	}
	var infos []safetensors.Info
	add := func(name string, shape ...int64) {
		infos = append(infos, safetensors.Info{Name: name + ".weight", DType: tensor.BF16, Shape: shape})
	}
	add("model.embed_tokens", vocab, hidden)
	for i := range layers {
		p := fmt.Sprintf("model.layers.%d.", i)
		add(p+"input_layernorm", hidden)
		add(p+"post_attention_layernorm", hidden)
		add(p+"self_attn.q_proj", hidden, hidden)
		add(p+"self_attn.k_proj", kv, hidden)
		add(p+"self_attn.v_proj", kv, hidden)
		add(p+"self_attn.o_proj", hidden, hidden)
		add(p+"mlp.gate_proj", inner, hidden)
		add(p+"mlp.up_proj", inner, hidden)
		add(p+"mlp.down_proj", hidden, inner)
	}
	add("model.norm", hidden)
	add("lm_head", vocab, hidden)
	path := filepath.Join(dir, "model.safetensors")
	w, err := safetensors.Create(path, infos, map[string]string{"format": "pt"})
	if err != nil {
		b.Fatal(err)
	}
	random := rand.NewChaCha8([32]byte{1})
	for _, info := range infos {
		if err := w.WriteTensorFrom(info.Name, &limited{random, 2 * elements(info.Shape)}); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	return dir, info.Size()
}

func elements(shape []int64) int64 {
	n := int64(1)
	for _, d := range shape {
		n *= d
	}
	return n
}

type limited struct {
	r    *rand.ChaCha8
	left int64
}

func (l *limited) Read(p []byte) (int, error) {
	p = p[:min(int64(len(p)), l.left)]
	if len(p) == 0 {
		return 0, io.EOF
	}
	n, err := l.r.Read(p)
	for i := range p[:n] {
		if (l.left-int64(i))%2 != 0 { // the high byte of a bf16: below 2, so that it is finite
			p[i] &= 0xbf
		}
	}
	l.left -= int64(n)
	return n, err
}

// BenchmarkConvert sets conversions beside cp of the same file, with and
// without waiting for the disk.
//
//	PECVT_BENCH_LARGE=1 go test -run '^$' -bench Convert -benchtime 3x ./convert
func BenchmarkConvert(b *testing.B) {
	dir, size := benchModel(b)
	each := func(name string, work func(b *testing.B, out string)) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(size)
			resetPeak()
			for i := range b.N {
				out := filepath.Join(b.TempDir(), strconv.Itoa(i))
				work(b, out)
				b.StopTimer()
				os.RemoveAll(out)
				b.StartTimer()
			}
			peak, anonymous := peakMemory(b)
			b.ReportMetric(peak, "peak-MB")
			b.ReportMetric(anonymous, "anon-MB")
		})
	}
	conversion := func(o convert.Options, durable bool) func(b *testing.B, out string) {
		return func(b *testing.B, out string) {
			o.Output = out
			p, err := convert.NewPlan(dir, o)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := convert.Run(context.Background(), p, convert.RunOptions{Durable: durable}); err != nil {
				b.Fatal(err)
			}
		}
	}
	shell := func(script string) func(b *testing.B, out string) {
		return func(b *testing.B, out string) {
			if text, err := exec.Command("sh", "-c", script, "sh", filepath.Join(dir, "model.safetensors"), out).CombinedOutput(); err != nil {
				b.Fatalf("%v: %s", err, text)
			}
		}
	}
	each("cp", shell(`cp "$1" "$2"`))
	each("cp+sync", shell(`cp "$1" "$2" && sync "$2"`))
	hope := convert.Options{To: "hope"}
	linked := hope
	linked.Link = true
	partial := convert.Options{To: "hope", Layout: rewrite.Partial}
	each("native-link", conversion(linked, false))
	each("native", conversion(hope, false))
	each("native+sync", conversion(hope, true))
	each("partial", conversion(partial, false))
	each("partial+sync", conversion(partial, true))
	each("ab3", conversion(convert.Options{To: "hope-ab3"}, false))
}

// BenchmarkAgainstCp sets a conversion with its graph, whose tensor file is one of
// its own, beside cp of that file: the two take turns, and times-cp is the median
// ratio of their times. A reflink where the file system has them (cp of coreutils 9
// makes one too), else a copy.
//
//	PECVT_BENCH_LARGE=1 go test -run '^$' -bench AgainstCp -benchtime 7x ./convert
func BenchmarkAgainstCp(b *testing.B) {
	dir, size := benchModel(b)
	src, out, copied := filepath.Join(dir, "model.safetensors"), filepath.Join(b.TempDir(), "out"), filepath.Join(b.TempDir(), "copied")
	how := ""
	convertIt := func() error {
		p, err := convert.NewPlan(dir, convert.Options{To: "hope", Output: out})
		if err != nil {
			return err
		}
		r, err := convert.Run(context.Background(), p, convert.RunOptions{Finish: onnxops.Finish(onnxops.Options{})})
		if err == nil {
			how = r.Files[0].How
		}
		return err
	}
	var ours, ratios []float64
	b.SetBytes(size)
	for b.Loop() {
		cp := alone(b, copied, func() error { return exec.Command("cp", src, copied).Run() })
		ours = append(ours, alone(b, out, convertIt))
		ratios = append(ratios, ours[len(ours)-1]/cp)
	}
	slices.Sort(ours)
	slices.Sort(ratios)
	b.ReportMetric(ours[len(ours)/2], "convert-s")
	b.ReportMetric(ratios[len(ratios)/2], "times-cp")
	b.Logf("%s, ratios %.2f", how, ratios)
}

// resetPeak starts the peak of resident memory anew (Linux).
func resetPeak() { _ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) }

// peakMemory returns the peak resident memory and the part of the present one
// that is not backed by files, in MB; zeros where the system does not tell.
func peakMemory(b *testing.B) (peak, anonymous float64) {
	b.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, 0
	}
	for _, line := range strings.Split(string(text), "\n") {
		key, value, _ := strings.Cut(line, ":")
		kb, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(value, "kB")), 64)
		if err != nil {
			continue
		}
		switch key {
		case "VmHWM":
			peak = kb / 1000
		case "RssAnon":
			anonymous = kb / 1000
		}
	}
	return peak, anonymous
}
