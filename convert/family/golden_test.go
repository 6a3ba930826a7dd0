package family_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/safetensors"
)

// TestGoldenCheckpointsLoad claims every tensor of every bundled checkpoint.
func TestGoldenCheckpointsLoad(t *testing.T) {
	root := filepath.Join("..", "..", "testdata")
	dirs, err := filepath.Glob(filepath.Join(root, "[gf][oa]*", "*", "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	dirs = append(dirs, filepath.Join(root, "models", "stories260K", "config.json"))
	if len(dirs) < 8 {
		t.Fatalf("%d bundled checkpoints found, at least 8 expected", len(dirs))
	}
	for _, d := range dirs {
		dir := filepath.Dir(d)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			path := dir
			if _, err := os.Stat(filepath.Join(dir, "model.safetensors")); err == nil {
				path = filepath.Join(dir, "model.safetensors")
			}
			ckpt, err := safetensors.OpenCheckpoint(path)
			if err != nil {
				t.Fatal(err)
			}
			defer ckpt.Close()
			m, err := families.Load(ckpt)
			if err != nil {
				t.Fatal(err)
			}
			if len(m.Blocks) == 0 || m.TrainedLength == 0 || m.DType.Size() == 0 {
				t.Errorf("incomplete model: %d blocks, L %d, dtype %v", len(m.Blocks), m.TrainedLength, m.DType)
			}
		})
	}
}
