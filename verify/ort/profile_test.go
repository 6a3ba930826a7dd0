package ort_test

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/verify/ort"
	"github.com/pecvt/pecvt/verify/ort/orttest"
)

// The profile tells which nodes ran, where, and how often, and so shows that
// the levels of optimization are what they say: the nine nodes of a spelled-out
// LayerNormalization run as they are, or as one.
func TestProfileTellsWhatRanWhere(t *testing.T) {
	orttest.Require(t)
	x := ort.Float32([]float32{1, 2, 3, 4}, 1, 4)
	for level, want := range map[string][]string{
		ort.OptDisabled: {"Add", "Add", "Div", "Mul", "Pow", "ReduceMean", "ReduceMean", "Sqrt", "Sub"},
		ort.OptAll:      {"LayerNormalization"},
	} {
		dir := filepath.Join(t.TempDir(), "profiles [of] a*b") // Glob must not read a pattern in it
		s, err := ort.Open("testdata/fusible.onnx", ort.Options{OptLevel: level, ProfileDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Profile(); err == nil {
			t.Error("a profile is there before the session is closed")
		}
		for range 3 {
			out := run(t, s, map[string]ort.Tensor{"x": x})
			// (4 - 2.5) / sqrt(1.25 + 1e-5)
			if got, want := float64(out["y"].F32[3]), 1.5/math.Sqrt(1.25+1e-5); math.Abs(got-want) > 1e-6 {
				t.Errorf("%s: y[3] = %v, want %v", level, got, want)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		path, err := s.Profile()
		if err != nil {
			t.Fatal(err)
		}
		runs, err := ort.NodeRuns(path)
		if err != nil {
			t.Fatal(err)
		}
		var ops []string
		for _, r := range runs {
			ops = append(ops, r.Op)
			if r.Provider != "CPUExecutionProvider" || r.Runs != 3 {
				t.Errorf("%s: %+v, want 3 runs on the CPU", level, r)
			}
			if level == ort.OptDisabled && !strings.HasPrefix(r.Node, "/ln/") {
				t.Errorf("%s: node %q is not the graph's", level, r.Node)
			}
		}
		slices.Sort(ops)
		if !slices.Equal(ops, want) {
			t.Errorf("%s ran %v, want %v", level, ops, want)
		}
	}
}

func TestProfileErrors(t *testing.T) {
	s := orttest.Open(t, "testdata/default.onnx", ort.Options{})
	if _, err := s.Profile(); err == nil || !strings.Contains(err.Error(), "ProfileDir") {
		t.Errorf("a session without a profile: %v", err)
	}
	dir := t.TempDir()
	for name, c := range map[string]struct{ text, want string }{
		"cut.json":   {`[{"cat":"Node"`, "unexpected end"},
		"empty.json": {`[]`, "no node ran"},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(c.text), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := ort.NodeRuns(path); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want the path and %q", name, err, c.want)
		}
	}
	if _, err := ort.NodeRuns(filepath.Join(dir, "none.json")); err == nil {
		t.Error("a profile that is not there was read")
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := ort.Open("testdata/default.onnx", ort.Options{ProfileDir: filepath.Join(file, "sub")}); err == nil {
		t.Error("a profile folder that cannot be made was passed over")
	}
}
