package faults

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/convert/tensor"
)

// job is one command under test.
type job struct {
	name string
	args []string
	// model is the source, a file or folder of the bench.
	model  string
	target string
	// force has the command replace an older result.
	force bool
	// keeps names what the command may keep beside its target until it is done.
	keeps string
	// says takes the result out of what the command prints, where it has no target.
	says *regexp.Regexp

	want  string // the digest of the result
	older string // the digest of what is replaced
	took  time.Duration
}

// bench is where a test's runs happen: its sources, a folder for targets, one for
// temporary files.
type bench struct {
	t                         *testing.T
	pecvt, sources, out, temp string
	cache                     string       // for what is fetched; "" is the user's
	writes                    atomic.Int64 // to a bucket's sources
	targets                   []string
}

// long tells how many kills are asked for, and whether all trials are.
func long() (kills int, all bool) {
	if n, err := strconv.Atoi(os.Getenv("PECVT_FAULTS")); err == nil && n > 0 {
		return n, true
	}
	return 10, false
}

const repository = "../../.."

func newBench(t *testing.T, layers int) *bench {
	t.Helper()
	base := t.TempDir()
	b := &bench{t: t, pecvt: filepath.Join(base, "pecvt"), sources: filepath.Join(base, "sources"), out: filepath.Join(base, "out"), temp: filepath.Join(base, "tmp")}
	for _, dir := range []string{b.sources, b.out, b.temp} {
		if err := os.Mkdir(dir, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.Command("go", "build", "-o", b.pecvt, "github.com/pecvt/pecvt/cmd/pecvt")
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, text)
	}
	if err := os.CopyFS(filepath.Join(b.sources, "small"), os.DirFS(filepath.Join(repository, "testdata/models/stories260K"))); err != nil {
		t.Fatal(err)
	}
	b.synthetic(filepath.Join(b.sources, "large"), layers)
	if text, err := b.run("convert", filepath.Join(b.sources, "large"), "--to", "rope", "-o", filepath.Join(b.sources, "large.gguf")); err != nil {
		t.Fatalf("the GGUF source: %v\n%s", err, text)
	}
	return b
}

// synthetic writes a llama of random bfloat16 weights, 13 MB a layer and 49 MB beside.
func (b *bench) synthetic(dir string, layers int) {
	const hidden, inner, kv, vocabulary = 768, 2048, 256, 16000
	config := fmt.Sprintf(`{"architectures":["LlamaForCausalLM"],"model_type":"llama","hidden_size":%d,"intermediate_size":%d,"num_hidden_layers":%d,"num_attention_heads":12,"num_key_value_heads":4,"head_dim":64,"vocab_size":%d,"max_position_embeddings":2048,"rms_norm_eps":1e-5,"rope_theta":10000.0,"hidden_act":"silu","tie_word_embeddings":false,"torch_dtype":"bfloat16"}`, hidden, inner, layers, vocabulary)
	infos := []safetensors.Info{{Name: "model.embed_tokens.weight", DType: tensor.BF16, Shape: []int64{vocabulary, hidden}}}
	add := func(name string, shape ...int64) {
		infos = append(infos, safetensors.Info{Name: name, DType: tensor.BF16, Shape: shape})
	}
	for i := range layers {
		at := fmt.Sprintf("model.layers.%d.", i)
		add(at+"input_layernorm.weight", hidden)
		add(at+"self_attn.q_proj.weight", hidden, hidden)
		add(at+"self_attn.k_proj.weight", kv, hidden)
		add(at+"self_attn.v_proj.weight", kv, hidden)
		add(at+"self_attn.o_proj.weight", hidden, hidden)
		add(at+"post_attention_layernorm.weight", hidden)
		add(at+"mlp.gate_proj.weight", inner, hidden)
		add(at+"mlp.up_proj.weight", inner, hidden)
		add(at+"mlp.down_proj.weight", hidden, inner)
	}
	add("model.norm.weight", hidden)
	add("lm_head.weight", vocabulary, hidden)
	infos, err := safetensors.Layout(infos)
	if err == nil {
		err = os.Mkdir(dir, 0o777)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o666)
	}
	var w *safetensors.Writer
	if err == nil {
		w, err = safetensors.Create(filepath.Join(dir, "model.safetensors"), infos, map[string]string{"format": "pt"})
	}
	if err != nil {
		b.t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, info := range infos {
		raw := make([]byte, info.Bytes())
		for i := 0; i+8 <= len(raw); i += 8 { // ±0.008 to ±0.016
			binary.LittleEndian.PutUint64(raw[i:], rng.Uint64()&0x807f807f807f807f|0x3c003c003c003c00)
		}
		if err := w.WriteTensor(info.Name, raw); err != nil {
			b.t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		b.t.Fatal(err)
	}
}

// jobs are the commands: what a kill hits in the large ones is the moving of bytes.
func (b *bench) jobs() []*job {
	fit := []string{"--calibrate", "--ids", "IDS", "--steps", "4", "--calib-length", "64", "--calib-tokens", "256", "--over-budget"}
	jobs := []*job{
		{name: "convert, copy", model: "large", args: []string{"convert", "MODEL", "--to", "hope", "--copy"}},
		{name: "convert, links", model: "large", args: []string{"convert", "MODEL", "--to", "hope", "--link"}},
		{name: "convert, partial", model: "large", args: []string{"convert", "MODEL", "--to", "hope-ab3"}},
		{name: "convert, over an older result", model: "large", force: true, args: []string{"convert", "MODEL", "--to", "hope", "--copy", "--force"}},
		{name: "convert to GGUF", model: "large", target: ".gguf", args: []string{"convert", "MODEL", "--to", "hope", "--format", "gguf"}},
		{name: "convert of GGUF", model: "large.gguf", target: ".gguf", args: []string{"convert", "MODEL", "--to", "hope"}},
		{name: "export, int4", model: "large", args: []string{"export", "MODEL", "--weights", "int4"}},
		{name: "import", model: "large.gguf", args: []string{"import", "MODEL", "--no-tokenizer"}},
		{name: "convert, durable", model: "large", args: []string{"convert", "MODEL", "--to", "hope-ab3", "--durable"}},
		{name: "convert, calibrated", model: "small", keeps: ".calibration", args: append([]string{"convert", "MODEL", "--to", "hope"}, fit...)},
	}
	for i, j := range jobs {
		j.target = fmt.Sprintf("result-%d%s", i, j.target)
		if j.keeps != "" {
			j.keeps = j.target + j.keeps
		}
		b.targets = append(b.targets, j.target)
		for i, a := range j.args {
			switch a {
			case "MODEL":
				j.args[i] = filepath.Join(b.sources, j.model)
			case "IDS":
				j.args[i] = filepath.Join(b.sources, "small", "sampled.safetensors")
			}
		}
		j.args = append(j.args, "-o", filepath.Join(b.out, j.target))
	}
	return jobs
}

func (b *bench) environ() []string {
	env := append(os.Environ(), "TMPDIR="+b.temp)
	if b.cache != "" {
		env = append(env, "PECVT_CACHE="+b.cache)
	}
	return env
}

// made is the digest of what a job has made of its target, result that of what it
// prints where it has none.
func (b *bench) made(j *job) string {
	if j.says != nil {
		return ""
	}
	return b.digest(b.at(j))
}

func (b *bench) result(j *job, text string) string {
	if j.says == nil {
		return b.digest(b.at(j))
	}
	return strings.Join(j.says.FindStringSubmatch(text), " ")
}

func (b *bench) command(args ...string) *exec.Cmd {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env, cmd.Dir = b.environ(), b.temp
	return cmd
}

// run runs the program to its end, which must come.
func (b *bench) run(args ...string) (string, error) {
	ctx, stop := context.WithTimeout(context.Background(), 5*time.Minute)
	defer stop()
	cmd := exec.CommandContext(ctx, b.pecvt, args...)
	cmd.Env, cmd.Dir = b.environ(), b.temp
	text, err := cmd.CombinedOutput()
	return string(text), err
}

// prepare runs a job undisturbed: what it makes is what every later run is to make.
func (b *bench) prepare(j *job) {
	b.t.Helper()
	if j.force {
		b.old(j)
		j.older = b.digest(b.at(j))
	}
	begin := time.Now()
	text, err := b.run(j.args...)
	if err != nil {
		b.t.Fatalf("%s: %v\n%s", j.name, err, text)
	}
	j.took, j.want = time.Since(begin), b.result(j, text)
	if j.want == j.older {
		b.t.Fatalf("%s: the result is the older one, or nothing:\n%s", j.name, text)
	}
	b.clear(j)
}

// old makes the result that a job replaces, another one.
func (b *bench) old(j *job) {
	b.t.Helper()
	if text, err := b.run("convert", filepath.Join(b.sources, "small"), "--to", "nope", "--no-onnx", "--force", "-o", b.at(j)); err != nil {
		b.t.Fatalf("%s: %v\n%s", j.name, err, text)
	}
}

// clear makes the bench as it was before the job.
func (b *bench) clear(j *job) {
	b.t.Helper()
	if j.says == nil {
		if err := os.RemoveAll(b.at(j)); err != nil {
			b.t.Fatal(err)
		}
	}
	if b.cache != "" {
		if err := os.RemoveAll(filepath.Join(b.cache, "places")); err != nil {
			b.t.Fatal(err)
		}
	}
	if j.force {
		b.old(j)
	}
}

func (b *bench) at(j *job) string { return filepath.Join(b.out, j.target) }

// digest is of all names and bytes at a path, "" where nothing is.
func (b *bench) digest(path string) string {
	b.t.Helper()
	sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	err := filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fmt.Fprintln(sum, d.IsDir(), strings.TrimPrefix(p, path))
		if d.IsDir() {
			return nil
		}
		f, err := os.Open(p)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(sum, f)
		return err
	})
	if os.IsNotExist(err) {
		return ""
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return fmt.Sprintf("%08x", sum.Sum32())
}

// left lists what is beside the targets, in the place for temporary files and among the
// sources.
func (b *bench) left() (list []string) {
	b.t.Helper()
	// ONNX Runtime 1.32 itself writes .ses where temporary files go, when it is loaded.
	known := append([]string{"small", "large", "large.gguf", ".ses"}, b.targets...)
	for _, dir := range []string{b.out, b.temp, b.sources, filepath.Join(b.sources, "small"), filepath.Join(b.sources, "large")} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			b.t.Fatal(err)
		}
		for _, e := range entries {
			inside := dir != b.out && dir != b.temp && dir != b.sources && !strings.HasPrefix(e.Name(), ".")
			if !inside && !slices.Contains(known, e.Name()) {
				list = append(list, e.Name())
			}
		}
	}
	return list
}
