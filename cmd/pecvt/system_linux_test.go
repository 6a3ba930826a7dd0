package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// small mounts a file system of so many bytes, or skips where mounting is not
// permitted.
func small(t *testing.T, options string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Skipf("needs a file system of its own, and mounting one is not permitted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// TestFullDisk fills a disk with each kind of file that is written: the file
// and the reason are told, and the disk is empty again.
func TestFullDisk(t *testing.T) {
	work := t.TempDir()
	copyModel(t, "golden/llama-gqa", filepath.Join(work, "src"))
	pecvt := program(t, t.TempDir())
	for _, c := range []struct {
		name, size string
		args       []string
		file       string
	}{
		{"copied weights", "200k", nil, "model.safetensors"},
		{"rewritten weights", "200k", []string{"--layout", "partial"}, "model.safetensors"},
		{"the graph", "400k", nil, "model.onnx"},
		{"the graph's weights", "500k", []string{"--placement", "external-copy", "--max-length", "64"}, "model.onnx.data"},
		{"the graph with weights", "500k", []string{"--placement", "embed"}, "model.onnx"},
	} {
		t.Run(c.name, func(t *testing.T) {
			disk := small(t, "size="+c.size)
			if err := os.WriteFile(filepath.Join(disk, "there"), nil, 0o666); err != nil {
				t.Fatal(err)
			}
			before, source := listing(t, disk), listing(t, work)
			cmd := exec.Command(pecvt, append([]string{"convert", "src", "--to", "hope", "-o", filepath.Join(disk, "deep", "out")}, c.args...)...)
			cmd.Dir = work
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			code := exitCodeOf(t, cmd.Run())
			text := stderr.String()
			if code != exitError || stdout.Len() > 0 || !strings.Contains(text, c.file+": ") || !strings.Contains(text, "no space left on device") || strings.Count(text, "\n") != 1 {
				t.Errorf("exit code %d, stdout %q, stderr %q: want %s and the reason", code, stdout.String(), text, c.file)
			}
			if after := listing(t, disk); after != before {
				t.Errorf("the disk changed:\nwas:\n%s\nis:\n%s", before, after)
			}
			if after := listing(t, work); after != source {
				t.Errorf("the source changed:\nwas:\n%s\nis:\n%s", source, after)
			}
		})
	}
}

// TestReadOnlyDisk: a file system that cannot be written to at all.
func TestReadOnlyDisk(t *testing.T) {
	work := t.TempDir()
	copyModel(t, "golden/llama-gqa", filepath.Join(work, "src"))
	disk := small(t, "size=1m,ro")
	cmd := exec.Command(program(t, t.TempDir()), "convert", "src", "--to", "hope", "-o", filepath.Join(disk, "out"))
	cmd.Dir = work
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if code := exitCodeOf(t, cmd.Run()); code != exitError || !strings.Contains(stderr.String(), "read-only file system") || !strings.Contains(stderr.String(), disk) {
		t.Errorf("exit code %d, stderr %q", code, stderr.String())
	}
}

// TestOtherDisk: where no link can be made the weights are copied, and say so.
func TestOtherDisk(t *testing.T) {
	work := t.TempDir()
	copyModel(t, "golden/llama-gqa", filepath.Join(work, "src"))
	disk := small(t, "size=2m")
	cmd := exec.Command(program(t, t.TempDir()), "convert", "src", "--to", "hope", "-o", filepath.Join(disk, "out"), "--json")
	cmd.Dir = work
	out, err := cmd.Output()
	if err != nil || !strings.Contains(string(out), `"how": "copied"`) {
		t.Errorf("%v: %s", err, out)
	}
	a, err := os.ReadFile(filepath.Join(work, "src", "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(disk, "out", "model.safetensors"))
	if err != nil || !bytes.Equal(a, b) {
		t.Errorf("the copy differs: %v", err)
	}
}
