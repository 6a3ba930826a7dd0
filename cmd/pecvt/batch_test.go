package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/pecvt/pecvt/cmd/pecvt/batch"
	"github.com/pecvt/pecvt/convert/place"
	"github.com/pecvt/pecvt/convert/place/placetest"
	"github.com/pecvt/pecvt/verify/ort/orttest"
)

// TestBatchTogether: verbs that run side by side in one process give what each gives
// alone. Under the race detector it finds what they share.
func TestBatchTogether(t *testing.T) {
	dir := t.TempDir()
	model, err := filepath.Abs("../../testdata/golden/llama-gqa")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	text := "defaults:\n  convert: {to: hope, no-onnx: true}\njobs:\n"
	for _, name := range []string{"a", "b", "c"} {
		text += "  - {name: " + name + ", verb: convert, model: " + model + ", out: " + name + "}\n" +
			"  - {name: see-" + name + ", verb: inspect, model: " + name + "}\n"
	}
	if err := os.WriteFile("jobs.yaml", []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"batch", "jobs.yaml", "--workers", "3", "--json", "-q"}, &out, &errs); code != exitOK || errs.Len() > 0 {
		t.Fatalf("exit code %d, stderr %q, stdout %s", code, errs.String(), out.String())
	}
	var r batch.Report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	for _, j := range r.Jobs {
		if j.Verb != "inspect" {
			continue
		}
		var alone, errs bytes.Buffer
		if code := run(t.Context(), []string{"inspect", strings.TrimPrefix(j.Name, "see-"), "--json"}, &alone, &errs); code != exitOK {
			t.Fatal(errs.String())
		}
		var a, b bytes.Buffer
		if err := json.Compact(&a, alone.Bytes()); err != nil {
			t.Fatal(err)
		}
		if err := json.Compact(&b, j.Result); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a.Bytes(), b.Bytes()) {
			t.Errorf("%s: batch has %s, the command %s", j.Name, b.String(), a.String())
		}
	}
}

// TestBatchParts: an evaluation in parts has the command's figures to the last digit,
// whatever the number of workers.
func TestBatchParts(t *testing.T) {
	orttest.Require(t)
	model, err := filepath.Abs("../../testdata/models/stories260K")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	options := []string{"--ids", filepath.Join(model, "sampled.safetensors"), "--lengths", "48,96", "--sequences", "3", "--copy", "1", "--copy-tokens", "16"}
	figures := func(raw []byte) string {
		t.Helper()
		var r map[string]any
		if err := json.Unmarshal(raw, &r); err != nil {
			t.Fatal(err)
		}
		delete(r, "seconds")
		text, _ := json.Marshal(r)
		return string(text)
	}
	var alone, errs bytes.Buffer
	if code := run(t.Context(), append([]string{"eval", model, "--against", model, "--json", "-q"}, options...), &alone, &errs); code != exitOK {
		t.Fatal(errs.String())
	}
	text := "jobs:\n  - {name: e, verb: eval, model: " + model + ", options: {against: " + model
	for i := 0; i < len(options); i += 2 {
		text += ", " + strings.TrimPrefix(options[i], "--") + ": \"" + options[i+1] + "\""
	}
	if err := os.WriteFile("jobs.yaml", []byte(text+"}}\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, workers := range []string{"1", "2", "3"} {
		var out bytes.Buffer
		if code := run(t.Context(), []string{"batch", "jobs.yaml", "--workers", workers, "--json", "-q"}, &out, &errs); code != exitOK {
			t.Fatalf("%s%s", out.String(), errs.String())
		}
		var r batch.Report
		if err := json.Unmarshal(out.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		// sequences of 48 begin at 0, 48 and 96, those of 96 at 0, 96 and 192: two are the
		// fronts of longer ones, and are not run again
		if parts := 3 + (3 - 2) + 3; r.Jobs[0].Parts != parts {
			t.Errorf("%d parts, want %d", r.Jobs[0].Parts, parts)
		}
		if got, want := figures(r.Jobs[0].Result), figures(alone.Bytes()); got != want {
			t.Errorf("%s workers: %s, the command has %s", workers, got, want)
		}
	}
}

// TestBatchCalibrates: a calibration in parts has the command's bytes, whatever the number
// of workers; a conversion without one is no parts.
func TestBatchCalibrates(t *testing.T) {
	orttest.Require(t)
	model, err := filepath.Abs("../../testdata/models/stories260K")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	options := []string{"to: hope", "calibrate: true", "select: planes=60%", "ids: " + filepath.Join(model, "sampled.safetensors"),
		"steps: 3", "measure-tokens: 128", "calib-length: 64", "calib-tokens: 256", "over-budget: true"}
	args := []string{"convert", model, "-o", "alone", "-q"}
	for _, o := range options {
		args = append(args, "--"+strings.Replace(o, ": ", "=", 1))
	}
	var out, errs bytes.Buffer
	if code := run(t.Context(), args, &out, &errs); code != exitOK {
		t.Fatal(errs.String())
	}
	for _, workers := range []string{"1", "2", "3"} {
		text := "jobs:\n  - {name: c, verb: convert, model: " + model + ", out: w" + workers + ", options: {" + strings.Join(options, ", ") + "}}\n" +
			"  - {name: p, verb: convert, model: " + model + ", out: p" + workers + ", options: {to: hope, no-onnx: true}}\n"
		if err := os.WriteFile("jobs.yaml", []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		out.Reset()
		if code := run(t.Context(), []string{"batch", "jobs.yaml", "--workers", workers, "--json", "-q"}, &out, &errs); code != exitOK {
			t.Fatalf("%s%s", out.String(), errs.String())
		}
		var r batch.Report
		if err := json.Unmarshal(out.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		if r.Jobs[0].Parts != 5 || r.Jobs[1].Parts != 0 {
			t.Errorf("%d and %d parts, want 5 and 0", r.Jobs[0].Parts, r.Jobs[1].Parts)
		}
		want, err := os.ReadDir("alone")
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range want {
			a, errA := os.ReadFile(filepath.Join("alone", e.Name()))
			b, errB := os.ReadFile(filepath.Join("w"+workers, e.Name()))
			if errA != nil || errB != nil || !bytes.Equal(a, b) {
				t.Errorf("%s workers: %s has other bytes: %v %v", workers, e.Name(), errA, errB)
			}
		}
		if got, err := os.ReadDir("w" + workers); err != nil || len(got) != len(want) {
			t.Errorf("%s workers: %d files, want %d: %v", workers, len(got), len(want), err)
		}
	}
	if left, _ := filepath.Glob("*.calibration"); left != nil {
		t.Errorf("left: %v", left)
	}
}

// TestBatchInterrupted: a batch that is interrupted leaves whole targets or none, says
// what was not done, and the same command finishes.
func TestBatchInterrupted(t *testing.T) {
	model, err := filepath.Abs("../../testdata/models/stories260K")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	text := "defaults:\n  convert: {to: hope}\njobs:\n"
	for _, name := range []string{"a", "b", "c", "d"} {
		text += "  - {name: " + name + ", verb: convert, model: " + model + ", out: out/" + name + "}\n"
	}
	if err := os.WriteFile("jobs.yaml", []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var out bytes.Buffer
	progress := &cancelling{cancel: cancel} // with the first job's first line
	if code := run(ctx, []string{"batch", "jobs.yaml", "--workers", "1", "--json"}, &out, progress); code != exitInterrupted {
		t.Fatalf("exit code %d, stderr %q", code, progress.String())
	}
	var r batch.Report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	if r.ExitCode != exitInterrupted || r.Counts[batch.NotStarted] != 3 || !strings.Contains(progress.String(), "interrupted: the same command goes on with what is not done\n") {
		t.Errorf("counts %v, exit code %d, stderr %q", r.Counts, r.ExitCode, progress.String())
	}
	entries, err := os.ReadDir("out")
	if err == nil && len(entries) > 1 {
		t.Errorf("%d entries in the targets' folder", len(entries))
	}
	out.Reset()
	var errs bytes.Buffer
	if code := run(t.Context(), []string{"batch", "jobs.yaml", "-q"}, &out, &errs); code != exitOK {
		t.Fatalf("again: exit code %d, %s%s", code, out.String(), errs.String())
	}
	if entries, err = os.ReadDir("out"); err != nil || len(entries) != 4 {
		t.Errorf("targets %v: %v", entries, err)
	}
}

// TestMayPass: what a system or a service says for now is tried again, what is wrong
// with a model or a command line is not.
func TestMayPass(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{&fs.PathError{Op: "write", Path: "a", Err: syscall.ENOSPC}, true},
		{fmt.Errorf("read: %w", syscall.EIO), true},
		{fmt.Errorf("s3://b/a: %w after 6 tries: %w", place.ErrGivenUp, errors.New("503")), true},
		{place.ErrChanged, true},
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, true},
		{&fs.PathError{Op: "open", Path: "a", Err: syscall.ENOENT}, false},
		{&fs.PathError{Op: "open", Path: "a", Err: syscall.EACCES}, false},
		{errors.New("a model that is wrong"), false},
		{nil, false},
	} {
		if got := mayPass(c.err); got != c.want {
			t.Errorf("%v: %v, want %v", c.err, got, c.want)
		}
	}
}

// TestBatchBucket: targets in a bucket are read by later jobs, and kept as long as source
// and target are what they were.
func TestBatchBucket(t *testing.T) {
	s := placetest.StartS3(t)
	model, err := filepath.Abs("../../testdata/golden/llama-gqa")
	if err != nil {
		t.Fatal(err)
	}
	s.PutFolder(t, "llama", model)
	t.Chdir(t.TempDir())
	text := "jobs:\n  - {name: a, verb: convert, model: '" + s.URL("llama") + "', out: '" + s.URL("out") + "', options: {to: hope, no-onnx: true, force: true}}\n" +
		"  - {name: b, verb: inspect, model: '" + s.URL("out") + "'}\n"
	if err := os.WriteFile("jobs.yaml", []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	do := func(want batch.Status) {
		t.Helper()
		var out, errs bytes.Buffer
		if code := run(t.Context(), []string{"batch", "jobs.yaml", "--json", "-q"}, &out, &errs); code != exitOK {
			t.Fatalf("exit code %d, stderr %q, stdout %s", code, errs.String(), out.String())
		}
		var r batch.Report
		if err := json.Unmarshal(out.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		if len(r.Jobs) != 2 || r.Jobs[0].Status != want || len(r.Jobs[1].After) != 1 {
			t.Errorf("%s, want %s; the second waits for %q", r.Jobs[0].Status, want, r.Jobs[1].After)
		}
	}
	do(batch.Done)
	do(batch.Kept)
	s.Put(t, "out/config.json", []byte("{}"))
	do(batch.Done)
	do(batch.Kept)
	s.Put(t, "llama/README.md", []byte("other"))
	do(batch.Done)
}
