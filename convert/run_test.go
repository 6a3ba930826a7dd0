package convert_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/convert/rewrite"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/posenc/posenctest"
)

var cases = []string{"llama-gqa", "llama-tied-bf16", "llama-sharded-f16", "llama3-scaled", "mistral", "qwen2", "qwen3", "phi3"}

// TestEveryGolden converts every golden checkpoint in every way and asserts
// that what is on disk is what was planned, that it loads with the planned
// spectrum, and that the source is as it was.
func TestEveryGolden(t *testing.T) {
	all := []convert.Options{partial(), {To: "hope", Copy: true, Hash: true}, {To: "hope-ab3", MaxShardSize: 60000}}
	for _, w := range posenctest.Spectral() {
		if w.Cut == "" && (w.Scale == "" || strings.HasPrefix(w.Scale, w.To)) { // a scaling where one must be
			o := to(w.To)
			var err error
			if o.Scale, err = posenc.ParseScale(w.Scale); err != nil {
				t.Fatal(err)
			}
			all = append(all, o)
		}
	}
	for _, name := range cases {
		source := golden(t, name)
		before := snapshot(t, source)
		for i, o := range all {
			if name == "llama3-scaled" && o.Scale.Kind != "" {
				continue // scaling twice is refused
			}
			t.Run(fmt.Sprintf("%s/%d-%s", name, i, o.To), func(t *testing.T) {
				if name == "phi3" && o.Cut.Kind == posenc.CutKeep {
					o.Cut.Keep = 2 // of four planes
				}
				out, p, result := produce(t, source, o)
				var planned []string
				for i, f := range p.Files {
					planned = append(planned, f.Name)
					info, err := os.Stat(filepath.Join(out, f.Name))
					if err != nil {
						t.Error(err)
						continue
					}
					if info.Size() != f.Bytes {
						t.Errorf("%s: %d bytes planned, %d written", f.Name, f.Bytes, info.Size())
					}
					if result.Files[i].Name != f.Name || result.Files[i].Bytes != f.Bytes {
						t.Errorf("result %v for %v", result.Files[i], f)
					}
				}
				if diff := cmp.Diff(names(t, out), sorted(planned)); diff != "" {
					t.Errorf("files (-disk +plan):\n%s", diff)
				}
				ckpt := open(t, out)
				m, err := families.Load(ckpt)
				if err != nil {
					t.Fatal(err)
				}
				checkSpectrum(t, m, p)
			})
		}
		if diff := cmp.Diff(before, snapshot(t, source)); diff != "" {
			t.Errorf("%s: the source changed:\n%s", name, diff)
		}
	}
}

func sorted(list []string) []string {
	out := append([]string(nil), list...)
	for i := range out {
		for j := i; j > 0 && out[j] < out[j-1]; j-- {
			out[j], out[j-1] = out[j-1], out[j]
		}
	}
	return out
}

// checkSpectrum compares the loaded model's planes with the plan's table.
func checkSpectrum(t *testing.T, m *family.Model, p *convert.Plan) {
	t.Helper()
	var want []float64
	for _, plane := range p.Encoding.Planes {
		if p.Encoding.Layout == rewrite.Native || plane.State == "kept" {
			want = append(want, plane.After)
		}
	}
	got := m.Blocks[0].Attn().Rotary.InvFreq
	if len(got) != len(want) {
		t.Fatalf("%d planes, want %d", len(got), len(want))
	}
	for i := range want {
		if diff := got[i] - want[i]; diff > 1e-12*want[i] || -diff > 1e-12*want[i] {
			t.Errorf("plane %d turns by %v, want %v", i, got[i], want[i])
		}
	}
	if m.Family != p.Encoding.Family || m.MaxPositions != p.Encoding.MaxPositions {
		t.Errorf("family %s, %d positions; planned %s, %d", m.Family, m.MaxPositions, p.Encoding.Family, p.Encoding.MaxPositions)
	}
}

func TestLinkOrCopy(t *testing.T) {
	source := golden(t, "llama-gqa")
	for _, links := range []bool{false, true} {
		o := to("hope")
		o.Link, o.Copy = links, !links
		out, p, result := produce(t, source, o)
		a, err := os.Stat(filepath.Join(source, "model.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.Stat(filepath.Join(out, "model.safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		how := result.Files[0].How
		if linked := os.SameFile(a, b); linked != (how == "linked") || linked != links {
			t.Errorf("link %v: one file %v, reported %s", links, linked, how)
		}
		// what was planned came true
		way := map[string]convert.Action{"linked": convert.Link, "reflinked": convert.Reflink, "copied": convert.Copy}[how]
		if p.Files[0].Action != way {
			t.Errorf("link %v: planned %s, reported %s", links, p.Files[0].Action, how)
		}
		if written := p.Bytes - p.Written; (written > 0) != (way != convert.Copy) {
			t.Errorf("%s: %d of %d bytes are to be written", how, p.Written, p.Bytes)
		}
		seconds, err := p.CopyTime(context.Background())
		if err != nil || seconds <= 0 || seconds > 60 {
			t.Errorf("%s: it takes %v s, %v", how, seconds, err)
		}
		sameTensors(t, open(t, source), open(t, out), nil)
	}
}

// TestSameInputSameBytes: also from another folder of the same name, and after
// another conversion.
func TestSameInputSameBytes(t *testing.T) {
	for _, o := range []convert.Options{to("hope"), partial(), {To: "hope-ab3", MaxShardSize: 50000, Hash: true}} {
		a, _, _ := produce(t, golden(t, "llama-sharded-f16"), o)
		b, _, _ := produce(t, golden(t, "llama-sharded-f16"), o)
		if diff := cmp.Diff(names(t, a), names(t, b)); diff != "" {
			t.Fatal(diff)
		}
		for _, n := range names(t, a) {
			x, err := os.ReadFile(filepath.Join(a, n))
			if err != nil {
				t.Fatal(err)
			}
			y, err := os.ReadFile(filepath.Join(b, n))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(x, y) {
				t.Errorf("%s: %s differs between two runs", o.To, n)
			}
			if n == "pecvt.json" && (bytes.Contains(x, []byte(filepath.Dir(a))) || bytes.Contains(x, []byte(os.TempDir()+"/"))) {
				t.Errorf("pecvt.json holds a path of this machine")
			}
		}
	}
}

// TestDefaultOutput: the file's own name, or its folder's.
func TestDefaultOutput(t *testing.T) {
	dir := golden(t, "llama-gqa")
	named := filepath.Join(dir, "llama.safetensors")
	if err := os.Link(filepath.Join(dir, "model.safetensors"), named); err != nil {
		t.Fatal(err)
	}
	sharded := golden(t, "llama-sharded-f16")
	for model, want := range map[string]string{
		dir: "llama-gqa-hope", dir + "/": "llama-gqa-hope", filepath.Join(dir, "model.safetensors"): "llama-gqa-hope",
		named: "llama-hope", sharded + "/model.safetensors.index.json": "llama-sharded-f16-hope",
	} {
		if got := plan(t, model, to("hope")).Output; got != want {
			t.Errorf("%s: output %s, want %s", model, got, want)
		}
	}
	cached := filepath.Join(t.TempDir(), "models--owner--Small-1B", "snapshots", "0123abcd")
	if err := os.MkdirAll(filepath.Dir(cached), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(golden(t, "qwen2"), cached); err != nil {
		t.Fatal(err)
	}
	if got := plan(t, cached, to("hope")).Output; got != "Small-1B-hope" {
		t.Errorf("%s: output %s", cached, got)
	}
	out, p, _ := produce(t, named, to("hope"))
	if p.Files[0].Name != "model.safetensors" || p.Files[0].Source != "llama.safetensors" {
		t.Errorf("files %+v", p.Files)
	}
	sameTensors(t, open(t, named), open(t, filepath.Join(out, "model.safetensors")), nil)
}

// TestSidecars come along byte for byte; what is not known stays and is listed.
func TestSidecars(t *testing.T) {
	dir := golden(t, "llama-gqa")
	want := []string{"LICENSE", "README.md", "added_tokens.json", "chat_template.jinja", "config.json", "generation_config.json", "merges.txt", "model.safetensors",
		"pecvt.json", "special_tokens_map.json", "tokenizer.json", "tokenizer.model", "tokenizer_config.json", "vocab.json"}
	for _, n := range append(want, "training_args.bin", "other.safetensors", ".hidden", "notes.txt") {
		if n != "config.json" && n != "model.safetensors" && n != "pecvt.json" {
			put(t, filepath.Join(dir, n), []byte("content of "+n))
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "onnx"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "nowhere"), filepath.Join(dir, "lost.bin")); err != nil {
		t.Fatal(err)
	}
	out, p, _ := produce(t, dir, to("hope"))
	if diff := cmp.Diff(want, names(t, out)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	for _, n := range want {
		if n == "config.json" || n == "model.safetensors" || n == "pecvt.json" {
			continue
		}
		if data, err := os.ReadFile(filepath.Join(out, n)); err != nil || string(data) != "content of "+n {
			t.Errorf("%s: %q, %v", n, data, err)
		}
	}
	if diff := cmp.Diff([]string{"lost.bin", "notes.txt", "onnx/", "other.safetensors", "training_args.bin"}, p.LeftBehind); diff != "" {
		t.Errorf("left behind (-want +got):\n%s", diff)
	}
}

// TestPlanWritesNothing and prints the same every time.
func TestPlanWritesNothing(t *testing.T) {
	dir := golden(t, "llama-gqa")
	before := snapshot(t, filepath.Dir(dir))
	first := fmt.Sprintf("%+v", plan(t, dir, to("hope")).Files)
	if second := fmt.Sprintf("%+v", plan(t, dir, to("hope")).Files); first != second {
		t.Errorf("two plans differ: %s, %s", first, second)
	}
	if diff := cmp.Diff(before, snapshot(t, filepath.Dir(dir))); diff != "" {
		t.Errorf("planning wrote:\n%s", diff)
	}
	if _, err := os.Stat("llama-gqa-hope"); !os.IsNotExist(err) {
		t.Errorf("planning made the target: %v", err)
	}
}

// TestSourceChangesAfterPlan: a plan is for one checkpoint.
func TestSourceChangesAfterPlan(t *testing.T) {
	dir := golden(t, "llama-gqa")
	o := partial()
	o.Output = filepath.Join(t.TempDir(), "out")
	p := plan(t, dir, o)
	other, err := os.ReadFile(filepath.Join("..", "testdata", "golden", "llama3-scaled", "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "model.safetensors"), append(other[:0:0], other[:len(other)-4]...))
	if _, err = run(p); err == nil || !strings.Contains(err.Error(), "model.safetensors") {
		t.Errorf("error %v", err)
	}
	nothing(t, o.Output)
}
