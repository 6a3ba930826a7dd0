package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/pecvt/pecvt/verify/ort"
	"github.com/pecvt/pecvt/verify/ort/orttest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"pecvt": main})
}

// TestScripts runs the command lines of testdata/script. $MODELS and $GOLDEN
// are the bundled checkpoints; a script copies what it converts, since a
// conversion hard-links.
//
// The condition [ort] holds where ONNX Runtime's library is there; with
// PECVT_REQUIRE_ORT=1 it must be.
func TestScripts(t *testing.T) {
	root, err := filepath.Abs("../../testdata")
	if err != nil {
		t.Fatal(err)
	}
	lib, err := ort.Load("")
	if err != nil && os.Getenv(orttest.EnvRequire) == "1" {
		t.Fatalf("%s=1: %v", orttest.EnvRequire, err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("GOLDEN", filepath.Join(root, "golden"))
			env.Setenv("MODELS", filepath.Join(root, "models"))
			env.Setenv("TORCH", filepath.Join(root, "..", "convert", "torchfile", "testdata"))
			env.Setenv("GGUF", filepath.Join(root, "..", "convert", "gguf", "arch", "testdata"))
			env.Setenv("DOCS", filepath.Join(root, "..", "docs"))
			env.Setenv("TMPDIR", filepath.Join(env.WorkDir, ".tmp"))
			env.Setenv(ort.EnvLibrary, lib.Path)
			return os.MkdirAll(filepath.Join(env.WorkDir, ".tmp"), 0o777)
		},
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "ort":
				return lib.Path != "", nil
			case "cgo":
				return err == nil || !strings.Contains(err.Error(), "built without cgo"), nil
			case "systemort": // a library that no variable hides
				return lib.Source == ort.SourceSystem, nil
			case "fulldevice":
				_, err := os.Stat("/dev/full")
				return err == nil, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status":     cmdStatus,
			"copy":       cmdCopy,
			"snapshot":   cmdSnapshot,
			"unchanged":  cmdUnchanged,
			"only":       cmdOnly,
			"plainfiles": cmdPlainFiles,
			"samebytes":  cmdSameBytes,
			"json":       cmdJSON,
			"checks":     cmdChecks,
			"sizes":      cmdSizes,
			"setkey":     cmdSetKey,
			"retype":     cmdRetype,
			"truncate":   cmdTruncate,
			"append":     cmdAppend,
			"poke":       cmdPoke,
			"element":    cmdElement,
			"oneline":    cmdOneLine,
			"bad":        cmdBad,
			"progress":   cmdProgress,
			"valid":      cmdValid,
			"junit":      cmdJUnit,
			"page":       cmdPage,
		},
	})
}

// cmdStatus runs a program and requires its exit code: status N program args.
func cmdStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status CODE program [args...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := err.(*exec.ExitError)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// cmdOneLine requires that stderr is one error line (a usage error has a
// second one that says where the usage is) without a doubled prefix:
// oneline.
func cmdOneLine(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: oneline")
	}
	requireOneLine(ts)
}

func requireOneLine(ts *testscript.TestScript) {
	text := strings.TrimSuffix(ts.ReadFile("stderr"), "\nrun 'pecvt help' for usage\n")
	text = strings.TrimSuffix(text, "\n")
	line, ok := strings.CutPrefix(text, "pecvt: ")
	if !ok || strings.Contains(line, "\n") {
		ts.Fatalf("stderr is not one line that starts with \"pecvt: \":\n%s", text)
	}
	parts := strings.Split(line, ": ")
	for i := 1; i < len(parts); i++ {
		if parts[i] == parts[i-1] {
			ts.Fatalf("%q is said twice in a row:\n%s", parts[i], line)
		}
	}
	for _, internal := range []string{"goroutine", "panic", "runtime error", "proto:", "invalid character", "json: cannot", "strconv", "%!", "github.com"} {
		if strings.Contains(line, internal) {
			ts.Fatalf("%q is the program's own business:\n%s", internal, line)
		}
	}
}

// cmdProgress requires that stderr holds notes and progress lines at most: a slow
// machine has some of these, a fast one none.
func cmdProgress(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: progress")
	}
	for line := range strings.Lines(ts.ReadFile("stderr")) {
		if !progressLine.MatchString(line) {
			ts.Fatalf("stderr holds %q", line)
		}
	}
}

var progressLine = regexp.MustCompile(`^( *[0-9]+\.[0-9]s  .|note: )`)

// cmdBad requires that a damaged model is told by every verb that reads one, in
// one line that matches, that nothing is left behind and the model is as it
// was: bad MODEL CODE PATTERN.
func cmdBad(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: bad MODEL CODE PATTERN")
	}
	pattern, err := regexp.Compile(args[2])
	ts.Check(err)
	here := ts.MkAbs(".")
	before, err := tree(here)
	ts.Check(err)
	for _, command := range [][]string{
		{"inspect", args[0]},
		{"plan", args[0], "--to", "hope"},
		{"convert", args[0], "--to", "hope", "-o", "bad-out"},
		{"convert", args[0], "--to", "hope", "--layout", "partial", "--copy", "-o", "bad/out"},
		{"export", args[0], "-o", "bad-out", "--force"},
	} {
		cmdStatus(ts, false, append([]string{args[1], "pecvt"}, command...))
		requireOneLine(ts)
		if text := ts.ReadFile("stderr"); !pattern.MatchString(text) {
			ts.Fatalf("%q does not match %s", text, args[2])
		}
		if text := ts.ReadFile("stdout"); text != "" {
			ts.Fatalf("stdout holds %q", text)
		}
		after, err := tree(here)
		ts.Check(err)
		if after != before {
			ts.Fatalf("pecvt %s changed the folder:\nwas:\n%s\nis:\n%s", strings.Join(command, " "), before, after)
		}
	}
}
