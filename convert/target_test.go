package convert_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pecvt/pecvt/convert"
)

func run(p *convert.Plan) (*convert.Result, error) {
	return convert.Run(context.Background(), p, convert.RunOptions{})
}

// nothing asserts that neither a target nor a temporary folder is there.
func nothing(t *testing.T, output string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(output))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() == filepath.Base(output) || strings.Contains(e.Name(), ".pecvt-") {
			t.Errorf("%s is left behind", e.Name())
		}
	}
}

// TestTargetApart: a target may not be, hold or lie in the source, whichever
// way it is spelled.
func TestTargetApart(t *testing.T) {
	source := golden(t, "llama-gqa")
	base := filepath.Dir(source)
	link := filepath.Join(base, "link")
	if err := os.Symlink(source, link); err != nil {
		t.Fatal(err)
	}
	up := filepath.Join(t.TempDir(), "up")
	if err := os.Symlink(base, up); err != nil {
		t.Fatal(err)
	}
	// a model whose only file is a link into another folder
	view := filepath.Join(t.TempDir(), "view")
	if err := os.Mkdir(view, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{"model.safetensors", "config.json"} {
		if err := os.Symlink(filepath.Join(source, n), filepath.Join(view, n)); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(source, "model.safetensors")
	before := snapshot(t, source)
	for _, c := range []struct{ model, output, want string }{
		{source, source, "holds the source"},
		{source, source + "/../llama-gqa/", "holds the source"},
		{source, base, "holds the source"},
		{source, filepath.Join(source, "out"), "inside the source"},
		{source, filepath.Join(link, "out"), "inside the source"},
		{source, filepath.Join(up, "llama-gqa", "deep", "out"), "inside the source"},
		{link, filepath.Join(source, "out"), "inside the source"},
		{source, link, "symbolic link"},
		{file, source, "holds the source"},
		{view, source, "holds the source"},
		{view, base, "holds the source"},
		{source, ".", "current folder"},
		{source, file, "not a folder"},
	} {
		o := to("hope")
		o.Output = c.output
		_, err := convert.Run(context.Background(), plan(t, c.model, o), convert.RunOptions{Force: true})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s to %s: error %v, want %q", c.model, c.output, err, c.want)
		}
	}
	if diff := cmp.Diff(before, snapshot(t, source)); diff != "" {
		t.Errorf("the source changed:\n%s", diff)
	}
	// a file's neighbours are not the model: a folder beside it is fine
	out, _, _ := produce(t, file, convert.Options{To: "hope", Output: filepath.Join(source, "llama-hope")})
	sameTensors(t, open(t, file), open(t, out), nil)
}

func TestExistingTarget(t *testing.T) {
	source := golden(t, "llama-gqa")
	o := to("hope")
	o.Output = filepath.Join(t.TempDir(), "out")
	if err := os.Mkdir(o.Output, 0o777); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(o.Output, "old"), []byte("old"))
	put(t, filepath.Join(o.Output, "pecvt.json"), []byte(`{"schema":1,"tool":"pecvt devel","files":[{"name":"old","bytes":3}]}`))
	p := plan(t, source, o)
	if _, err := run(p); err == nil || !strings.Contains(err.Error(), "RunOptions.Force") {
		t.Errorf("without force: %v", err)
	}
	broken := errors.New("emission failed")
	_, err := convert.Run(context.Background(), p, convert.RunOptions{Force: true, Finish: func(context.Context, convert.Made) error { return broken }})
	if !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	if diff := cmp.Diff([]string{"old", "pecvt.json"}, names(t, o.Output)); diff != "" {
		t.Errorf("a failed run changed the old target:\n%s", diff)
	}
	if _, err := convert.Run(context.Background(), p, convert.RunOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"config.json", "model.safetensors", "pecvt.json"}, names(t, o.Output)); diff != "" {
		t.Errorf("files:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"out"}, names(t, filepath.Dir(o.Output))); diff != "" {
		t.Errorf("beside the target:\n%s", diff)
	}
}

// TestForceReplacesOnlyResults: --force deletes nothing that pecvt did not write.
func TestForceReplacesOnlyResults(t *testing.T) {
	source := golden(t, "llama-gqa")
	const manifest = `{"schema":1,"tool":"pecvt devel","files":[{"name":"config.json","bytes":2},{"name":"model.safetensors","bytes":1}]}`
	for name, c := range map[string]struct {
		files []string
		dir   bool
		text  string
		want  string
	}{
		"empty":              {},
		"a result":           {files: []string{"config.json", "model.onnx", "model.onnx.data", "genai_config.json"}, text: manifest},
		"someone's files":    {files: []string{"thesis.tex"}, want: "no pecvt.json"},
		"notes beside":       {files: []string{"model.safetensors", "notes.md"}, text: manifest, want: "did not write: notes.md"},
		"a hidden file":      {files: []string{".git"}, text: manifest, want: ".git"},
		"many":               {files: []string{"a", "b", "c", "d", "e", "f"}, text: manifest, want: "a, b, c, d and 2 more"},
		"a folder beside":    {dir: true, text: manifest, want: "runs/"},
		"another's manifest": {files: []string{"config.json"}, text: `{"schema":1,"tool":"other 1","files":[{"name":"config.json"}]}`, want: "not a manifest"},
		"no JSON":            {text: "pecvt", want: "not a manifest"},
	} {
		t.Run(name, func(t *testing.T) {
			o := to("hope")
			o.Output = filepath.Join(t.TempDir(), "out")
			if err := os.Mkdir(o.Output, 0o777); err != nil {
				t.Fatal(err)
			}
			for _, n := range c.files {
				put(t, filepath.Join(o.Output, n), []byte("x"))
			}
			if c.dir {
				if err := os.Mkdir(filepath.Join(o.Output, "runs"), 0o777); err != nil {
					t.Fatal(err)
				}
			}
			if c.text != "" {
				put(t, filepath.Join(o.Output, "pecvt.json"), []byte(c.text))
			}
			before := names(t, o.Output)
			_, err := convert.Run(context.Background(), plan(t, source, o), convert.RunOptions{Force: true})
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff([]string{"config.json", "model.safetensors", "pecvt.json"}, names(t, o.Output)); diff != "" {
					t.Errorf("files:\n%s", diff)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if diff := cmp.Diff(before, names(t, o.Output)); diff != "" {
				t.Errorf("the folder changed:\n%s", diff)
			}
		})
	}
}

// TestInterrupt cancels at every report of progress in turn: the folder beside
// the target must be clean each time, and the error must be the context's.
func TestInterrupt(t *testing.T) {
	source := golden(t, "llama-sharded-f16")
	for _, o := range []convert.Options{to("hope"), partial(), {To: "hope-ab3", MaxShardSize: 40000}} {
		for stop := 0; ; stop++ {
			ctx, cancel := context.WithCancel(context.Background())
			parent := t.TempDir()
			o.Output = filepath.Join(parent, "new", "out")
			reports := 0
			_, err := convert.Run(ctx, plan(t, source, o), convert.RunOptions{Progress: func(convert.Progress) {
				if reports == stop {
					cancel()
				}
				reports++
			}})
			cancel()
			if reports <= stop {
				if err != nil {
					t.Errorf("uninterrupted: %v", err)
				}
				break
			}
			if !errors.Is(err, context.Canceled) {
				t.Errorf("stop %d: error %v", stop, err)
			}
			if left := names(t, parent); len(left) > 0 {
				t.Fatalf("stop %d: %v is left", stop, left)
			}
		}
	}
}

func TestProgressEndsAtTotal(t *testing.T) {
	for _, o := range []convert.Options{to("hope"), partial()} {
		o.Output = filepath.Join(t.TempDir(), "out")
		p := plan(t, golden(t, "llama-sharded-f16"), o)
		var last convert.Progress
		if _, err := convert.Run(context.Background(), p, convert.RunOptions{Progress: func(n convert.Progress) {
			if n.Done < last.Done || n.Total != p.Bytes {
				t.Errorf("progress went from %+v to %+v", last, n)
			}
			last = n
		}}); err != nil {
			t.Fatal(err)
		}
		// headers of rewritten files are not reported
		if last.Done > last.Total || last.Done < last.Total*9/10 {
			t.Errorf("progress ends at %+v", last)
		}
	}
}

func TestFinishSeesTheResult(t *testing.T) {
	o := to("hope")
	o.Output = filepath.Join(t.TempDir(), "out")
	p := plan(t, golden(t, "llama-gqa"), o)
	_, err := convert.Run(context.Background(), p, convert.RunOptions{Finish: func(_ context.Context, made convert.Made) error {
		dir := made.Dir
		if diff := cmp.Diff([]string{"config.json", "model.safetensors", "pecvt.json"}, names(t, dir)); diff != "" {
			t.Errorf("files at finish:\n%s", diff)
		}
		return os.WriteFile(filepath.Join(dir, "model.onnx"), []byte("graph"), 0o666)
	}})
	if err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(filepath.Join(o.Output, "model.onnx")); err != nil || string(data) != "graph" {
		t.Errorf("model.onnx: %q, %v", data, err)
	}
}

// TestFinishNamesWhatIsThere: an error about a file of the temporary folder, which is gone
// when it is read, names the source's file or the target's.
func TestFinishNamesWhatIsThere(t *testing.T) {
	source := golden(t, "llama-gqa")
	o := to("hope")
	o.Output = filepath.Join(t.TempDir(), "out")
	broken := errors.New("broken")
	_, err := convert.Run(context.Background(), plan(t, source, o), convert.RunOptions{Finish: func(_ context.Context, made convert.Made) error {
		dir := made.Dir
		return fmt.Errorf("%s of %s and %s: %w", filepath.Join(dir, "model.onnx"), filepath.Join(dir, "model.safetensors"), filepath.Join(dir, "config.json"), broken)
	}})
	want := fmt.Sprintf("%s of %s and %s: broken", filepath.Join(o.Output, "model.onnx"), filepath.Join(source, "model.safetensors"), filepath.Join(o.Output, "config.json"))
	if !errors.Is(err, broken) || err.Error() != want {
		t.Errorf("error %v, expected %s", err, want)
	}
	nothing(t, o.Output)
}

func TestPanicLeavesNothing(t *testing.T) {
	o := to("hope")
	o.Output = filepath.Join(t.TempDir(), "out")
	p := plan(t, golden(t, "llama-gqa"), o)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		convert.Run(context.Background(), p, convert.RunOptions{Finish: func(context.Context, convert.Made) error { panic("fault") }})
	}()
	nothing(t, o.Output)
}

// TestFinishMayNotChangeFiles: a result whose planned files changed size is not
// put in place.
func TestFinishMayNotChangeFiles(t *testing.T) {
	o := to("hope")
	o.Output = filepath.Join(t.TempDir(), "out")
	p := plan(t, golden(t, "llama-gqa"), o)
	_, err := convert.Run(context.Background(), p, convert.RunOptions{Finish: func(_ context.Context, made convert.Made) error {
		dir := made.Dir
		return os.Remove(filepath.Join(dir, "config.json"))
	}})
	if err == nil || !strings.Contains(err.Error(), "config.json") {
		t.Errorf("error %v", err)
	}
	nothing(t, o.Output)
}

// TestDefaultTarget: beside the model where the current folder lies in it.
func TestDefaultTarget(t *testing.T) {
	source := golden(t, "llama-gqa")
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(source, link); err != nil {
		t.Fatal(err)
	}
	deep := filepath.Join(source, "deep")
	if err := os.Mkdir(deep, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ here, model, want string }{
		{source, ".", "../llama-gqa-hope"},
		{source, source, "../llama-gqa-hope"},
		{source, "../llama-gqa", "../llama-gqa-hope"},
		{source, "model.safetensors", "llama-gqa-hope"}, // a file's neighbours are not the model
		{source, link, "../link-hope"},
		{deep, "..", "../../llama-gqa-hope"},
		{filepath.Dir(source), "llama-gqa", "llama-gqa-hope"},
	} {
		t.Chdir(c.here)
		p := plan(t, c.model, to("hope"))
		if p.Output != filepath.FromSlash(c.want) {
			t.Errorf("%s in %s: target %s, want %s", c.model, c.here, p.Output, c.want)
		}
	}
	t.Chdir(source)
	p := plan(t, ".", to("hope"))
	if _, err := run(p); err != nil {
		t.Fatal(err)
	}
	sameTensors(t, open(t, source), open(t, source+"-hope"), nil)
}
