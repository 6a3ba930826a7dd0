//go:build unix

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/convert/tensor"
)

// program returns a path under which this test binary is pecvt (see TestMain).
func program(t *testing.T, dir string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "pecvt")
	if os.Link(self, path) == nil {
		return path
	}
	data, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// copyModel copies a bundled checkpoint.
func copyModel(t *testing.T, name, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(filepath.Join("../../testdata", name))); err != nil {
		t.Fatal(err)
	}
}

// exitCodeOf gives a process's exit code.
func exitCodeOf(t *testing.T, err error) int {
	t.Helper()
	if err == nil {
		return 0
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return exit.ExitCode()
}

// TestInterrupt sends Ctrl-C to a conversion that copies a large file: the exit
// code is 130, nothing is left, and the source and an older target are as they
// were.
func TestInterrupt(t *testing.T) {
	const size = 3 << 30 // sparse: it takes no space, but time to copy
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			dir := t.TempDir()
			pecvt := program(t, t.TempDir())
			sparseModel(t, filepath.Join(dir, "src"), size)
			if err := os.Mkdir(filepath.Join(dir, "out"), 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "out", "old"), []byte("old"), 0o666); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "out", "pecvt.json"), []byte(`{"schema":1,"tool":"pecvt devel","files":[{"name":"old","bytes":3}]}`), 0o666); err != nil {
				t.Fatal(err)
			}
			before := listing(t, dir)
			// The partial layout streams every byte: no reflink can be faster than
			// the signal.
			cmd := exec.Command(pecvt, "convert", "src", "--to", "hope", "--layout", "partial", "--max-shard-size", "100MB", "-o", "out", "--force")
			cmd.Dir = dir
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			for begun := false; !begun; time.Sleep(time.Millisecond) {
				found, _ := filepath.Glob(filepath.Join(dir, ".out.pecvt-*", "*", "*.safetensors"))
				begun = len(found) > 0
				select {
				case err := <-ended:
					t.Fatalf("it ended before a signal was sent: %v (stderr %q)", err, stderr.String())
				default:
				}
			}
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			if code := exitCodeOf(t, <-ended); code != exitInterrupted {
				t.Errorf("exit code %d, want %d (stderr %q)", code, exitInterrupted, stderr.String())
			}
			if used := cmd.ProcessState.SystemTime() + cmd.ProcessState.UserTime(); used > 10*time.Second {
				t.Errorf("it took %v of processor time to stop", used)
			}
			if stdout.Len() > 0 || !strings.HasSuffix(stderr.String(), "pecvt: interrupted: nothing is left behind\n") {
				t.Errorf("stdout %q, stderr %q", stdout.String(), stderr.String())
			}
			if after := listing(t, dir); after != before {
				t.Errorf("the folder changed:\nwas:\n%s\nis:\n%s", before, after)
			}
		})
	}
}

// listing names every file below a folder with its size and time.
func listing(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil || d.IsDir() {
			fmt.Fprintln(&b, path)
			return err
		}
		fmt.Fprintln(&b, path, info.Mode(), info.Size(), info.ModTime())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// sparseModel makes a Llama checkpoint of about so many bytes, all zero.
func sparseModel(t *testing.T, dir string, size int64) {
	t.Helper()
	const hidden, inner, heads, vocab = 1024, 4096, 16, 1024
	layers := int(size / (2 * (4*hidden*hidden + 3*hidden*inner)))
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf(`{"model_type": "llama", "vocab_size": %d, "hidden_size": %d, "intermediate_size": %d, "num_hidden_layers": %d,
 "num_attention_heads": %d, "max_position_embeddings": 2048, "rms_norm_eps": 1e-05, "rope_theta": 10000.0, "hidden_act": "silu"}`, vocab, hidden, inner, layers, heads)
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o666); err != nil {
		t.Fatal(err)
	}
	var infos []safetensors.Info
	add := func(name string, shape ...int64) {
		infos = append(infos, safetensors.Info{Name: name, DType: tensor.BF16, Shape: shape})
	}
	add("model.embed_tokens.weight", vocab, hidden)
	for i := range layers {
		p := fmt.Sprintf("model.layers.%d.", i)
		add(p+"input_layernorm.weight", hidden)
		for _, part := range []string{"q", "k", "v", "o"} {
			add(p+"self_attn."+part+"_proj.weight", hidden, hidden)
		}
		add(p+"post_attention_layernorm.weight", hidden)
		add(p+"mlp.gate_proj.weight", inner, hidden)
		add(p+"mlp.up_proj.weight", inner, hidden)
		add(p+"mlp.down_proj.weight", hidden, inner)
	}
	add("model.norm.weight", hidden)
	add("lm_head.weight", vocab, hidden)
	infos, err := safetensors.Layout(infos)
	if err != nil {
		t.Fatal(err)
	}
	header, err := safetensors.Header(infos, map[string]string{"format": "pt"})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "model.safetensors")
	if err := os.WriteFile(path, header, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, int64(len(header))+infos[len(infos)-1].End); err != nil {
		t.Fatal(err)
	}
}

// TestReadOnlyTarget: a folder that may not be written to is named, with the
// system's reason.
func TestReadOnlyTarget(t *testing.T) {
	dir := t.TempDir()
	copyModel(t, "golden/llama-gqa", filepath.Join(dir, "src"))
	locked := filepath.Join(dir, "locked")
	if err := os.Mkdir(locked, 0o555); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(locked, 0o755) })
	bin := t.TempDir()
	binary := program(t, bin)
	if os.Geteuid() == 0 { // root may write anywhere: be nobody instead
		for _, d := range []string{dir, filepath.Dir(dir), bin, filepath.Dir(bin), binary} {
			if err := os.Chmod(d, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	before := listing(t, dir)
	for _, more := range [][]string{nil, {"--calibrate", "--ids", "src/config.json"}} { // before the tokens are read
		cmd := exec.Command(binary, append([]string{"convert", "src", "--to", "hope", "-o", "locked/out"}, more...)...)
		cmd.Dir = dir
		if os.Geteuid() == 0 {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		}
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		code := exitCodeOf(t, cmd.Run())
		if want := "pecvt: target locked/out: cannot write beside it: permission denied; choose another\n"; code != exitError || stderr.String() != want {
			t.Errorf("%v: exit code %d, stderr %q: want %q", more, code, stderr.String(), want)
		}
		if after := listing(t, dir); after != before {
			t.Errorf("%v: the folder changed:\nwas:\n%s\nis:\n%s", more, before, after)
		}
	}
}
