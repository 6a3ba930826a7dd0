package convert

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pecvt/pecvt/convert/place"
)

// modelName is what a model is called: the name of its folder, or of its file
// where that has one of its own, or its repository in the Hugging Face cache.
func modelName(path string) (string, error) {
	at, err := place.Parse(path)
	if err != nil {
		return "", err
	}
	path, local := at.Local()
	if !local {
		return nameOf(at), nil
	}
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

// isFile tells whether a model is named by a file.
func isFile(path string) (bool, error) {
	at, err := place.Parse(path)
	if err != nil {
		return false, err
	}
	local, ok := at.Local()
	if !ok {
		return place.IsFile(at.Base()), nil
	}
	info, err := os.Stat(local)
	return err == nil && !info.IsDir(), nil
}

// nameOf is modelName for a place that is not on the local disk.
func nameOf(at place.Place) string {
	base := at.Base()
	switch {
	case !place.IsFile(base):
	case strings.HasSuffix(base, ".safetensors.index.json"), base == singleName:
		folder, _ := at.Split()
		base = folder.Base()
	default:
		base = strings.TrimSuffix(strings.TrimSuffix(base, ".safetensors"), ggufSuffix)
	}
	if strings.Trim(base, `./\`) == "" {
		return "model"
	}
	return base
}
