package convert_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/rewrite"
)

// TestLengthWarnings: plan, convert and export say, as inspect does, where a
// graph holds one of several rotations; not where the result has one.
func TestLengthWarnings(t *testing.T) {
	factors := func(short, long string) string {
		return `{"rope_type":"longrope","rope_theta":300.0,"original_max_position_embeddings":16,"short_factor":[` + strings.TrimSuffix(strings.Repeat(short+",", 8), ",") +
			`],"long_factor":[` + strings.TrimSuffix(strings.Repeat(long+",", 8), ",") + `]}`
	}
	const dynamic = `{"rope_type":"dynamic","rope_theta":300.0,"factor":4.0}`
	for _, c := range []struct{ rope, to, want string }{
		{factors("1.0", "2.0"), "hope", "longrope switches from its short to its long factors beyond 16 positions"},
		{factors("1.0", "2.0"), rewrite.AsIs, "a Options.MaxLength above 16 selects the long ones"},
		{factors("1.0", "2.0"), "nope", ""},
		{factors("2.0", "2.0"), "hope", ""},
		{dynamic, rewrite.AsIs, "dynamic scaling changes the base"},
		{dynamic, "rope", "dynamic scaling changes the base"},
		{dynamic, "nope", ""},
	} {
		source := golden(t, "llama-gqa")
		editConfig(t, filepath.Join(source, "config.json"), "rope_parameters", c.rope)
		p := plan(t, source, to(c.to))
		text := strings.Join(p.Warnings, "\n")
		if c.want == "" && text != "" || !strings.Contains(text, c.want) {
			t.Errorf("%s to %s: warnings %q, want %q", c.rope, c.to, text, c.want)
		}
		in, err := convert.Inspect(source)
		if err != nil {
			t.Fatal(err)
		}
		if c.want != "" && !strings.Contains(strings.Join(in.Warnings, "\n"), c.want) {
			t.Errorf("inspect warns %q, want %q", in.Warnings, c.want)
		}
	}
}

// TestLostSidecar: a tokenizer that leads nowhere or cannot be read is an error
// that names it; another file is left behind.
func TestLostSidecar(t *testing.T) {
	source := golden(t, "llama-gqa")
	missing := filepath.Join(t.TempDir(), "missing")
	if err := os.Symlink(missing, filepath.Join(source, "notes.txt")); err != nil {
		t.Fatal(err)
	}
	if p := plan(t, source, to("hope")); len(p.LeftBehind) != 1 || p.LeftBehind[0] != "notes.txt" {
		t.Errorf("left behind: %q", p.LeftBehind)
	}
	tokenizer := filepath.Join(source, "tokenizer.json")
	if err := os.Symlink(missing, tokenizer); err != nil {
		t.Fatal(err)
	}
	_, err := convert.NewPlan(source, to("hope"))
	if err == nil || !strings.Contains(err.Error(), tokenizer+": a link to "+missing) || !strings.Contains(err.Error(), "remove the link") {
		t.Errorf("error %v", err)
	}
	if err := os.Remove(tokenizer); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(tokenizer, []byte("{}"), 0o000); err != nil {
		t.Fatal(err)
	}
	if f, err := os.Open(tokenizer); err == nil {
		f.Close() // who runs this may read everything
		return
	}
	if _, err = convert.NewPlan(source, to("hope")); err == nil || !strings.Contains(err.Error(), tokenizer+": cannot be read") {
		t.Errorf("error %v", err)
	}
}

// TestGGUFName: a file that no command would read by its name is written, with the name
// that it should have.
func TestGGUFName(t *testing.T) {
	dir := t.TempDir()
	for name, want := range map[string]string{"x": "name it x.gguf", "x.bin": "name it x.bin.gguf", "x.gguf": "", "x.GGUF": ""} {
		p := plan(t, golden(t, "llama-gqa"), convert.Options{To: "hope", Format: convert.GGUF, Output: filepath.Join(dir, name)})
		text := strings.Join(p.Warnings, "\n")
		if want == "" && text != "" || !strings.Contains(text, want) {
			t.Errorf("%s: warnings %q, want %q", name, text, want)
		}
	}
}
