package convert

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// modelName is what a model is called: the name of its folder, or of its file
// where that has one of its own, or its repository in the Hugging Face cache.
func modelName(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("model %s: %w", path, err)
	}
	base := filepath.Base(abs)
	info, err := os.Stat(abs)
	switch {
	case err == nil && info.IsDir():
	case strings.HasSuffix(base, ".safetensors.index.json"), base == singleName:
		base = filepath.Base(filepath.Dir(abs))
	default:
		base = strings.TrimSuffix(strings.TrimSuffix(base, ".safetensors"), ggufSuffix)
	}
	// the Hugging Face cache: models--owner--name/snapshots/<commit>
	if dir := abs; err == nil {
		if !info.IsDir() {
			dir = filepath.Dir(abs)
		}
		snapshots := filepath.Dir(dir)
		repo := filepath.Base(filepath.Dir(snapshots))
		if base == filepath.Base(dir) && filepath.Base(snapshots) == "snapshots" && strings.HasPrefix(repo, "models--") {
			base = repo[strings.LastIndex(repo, "--")+2:]
		}
	}
	if strings.Trim(base, `./\`) == "" || base == filepath.VolumeName(abs) {
		return "model", nil
	}
	return base, nil
}
