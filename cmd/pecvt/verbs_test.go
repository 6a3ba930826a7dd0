package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

// TestEveryVerb: each command says what it does, shows two or three examples of
// itself with flags that exist, and takes --json.
func TestEveryVerb(t *testing.T) {
	want := map[string]bool{"inspect": true, "import": true, "plan": true, "convert": true, "export": true, "verify": true, "eval": true, "run": true, "bench": true, "batch": true, "loaders": true, "families": true, "version": true, "completion": true}
	for _, verb := range verbs(&app{}) {
		name := verb.Name()
		if !want[name] {
			t.Errorf("%s is not in the test's list", name)
		}
		delete(want, name)
		for _, args := range [][]string{{name, "--help"}, {"help", name}} {
			var out, errs bytes.Buffer
			if code := run(context.Background(), args, &out, &errs); code != exitOK || errs.Len() > 0 {
				t.Errorf("%v: exit code %d, stderr %q", args, code, errs.String())
			}
			text := out.String()
			for _, part := range []string{"Usage:\n  pecvt " + verb.Use, "Examples:\n  ", "--json "} {
				if !strings.Contains(text, part) {
					t.Errorf("%v: no %q in\n%s", args, part, text)
				}
			}
		}
		examples := strings.Split(verb.Example, "\n")
		if len(examples) < 2 || len(examples) > 3 {
			t.Errorf("%s has %d examples, want two or three:\n%s", name, len(examples), verb.Example)
		}
		for _, example := range examples {
			if !strings.Contains(example, "pecvt "+name) || !strings.HasPrefix(example, "  ") {
				t.Errorf("example %q of %s does not show it", example, name)
			}
			checkExample(t, example)
		}
	}
	for name := range want {
		t.Errorf("verb %s is missing", name)
	}
}

// checkExample parses an example's flags as the command line would.
func checkExample(t *testing.T, example string) {
	t.Helper()
	_, line, _ := strings.Cut(example, "pecvt ")
	args := strings.Fields(line)
	for i, arg := range args {
		if arg == ">" {
			args = args[:i]
			break
		}
	}
	args[len(args)-1] = strings.TrimSuffix(args[len(args)-1], ")")
	cmd, rest, err := newRoot(&app{}).Find(args)
	if err != nil {
		t.Errorf("example %q: %v", example, err)
		return
	}
	if err := cmd.ParseFlags(rest); err != nil {
		t.Errorf("example %q: %v", example, err)
	} else if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
		t.Errorf("example %q: %v", example, err)
	}
}

// TestExitCodes pins the numbers that the help and README.md promise.
func TestExitCodes(t *testing.T) {
	for name, code := range map[string][2]int{
		"ok": {exitOK, 0}, "error": {exitError, 1}, "usage": {exitUsage, 2}, "mismatch": {exitMismatch, 3},
		"unsupported": {exitUnsupported, 4}, "incomplete": {exitIncomplete, 5}, "interrupted": {exitInterrupted, 130},
	} {
		if code[0] != code[1] {
			t.Errorf("%s is %d, want %d", name, code[0], code[1])
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var out, errs bytes.Buffer
	code := run(ctx, []string{"convert", "../../testdata/golden/llama-gqa", "--to", "hope", "-o", t.TempDir() + "/out"}, &out, &errs)
	if code != exitInterrupted || out.Len() > 0 || errs.String() != "pecvt: interrupted: nothing is left behind\n" {
		t.Errorf("a cancelled conversion: exit code %d, stdout %q, stderr %q", code, out.String(), errs.String())
	}
}
