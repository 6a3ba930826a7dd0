package place

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// offline tells whether huggingface_hub would ask no hub, and which variable says so.
func offline() (variable string, yes bool) {
	for _, name := range []string{"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"} {
		switch strings.ToUpper(os.Getenv(name)) {
		case "1", "ON", "YES", "TRUE":
			return name, true
		}
	}
	return "", false
}

// cached is the place in the hub's cache that a repository has there, where the hub is
// not to be asked: what was fetched of its revision before.
func (p Place) cached(variable string) (Place, error) {
	root, err := hubCache()
	if err != nil {
		return Place{}, fmt.Errorf("%s: no cache: %w", p, err)
	}
	name, folder, _ := strings.Cut(p.url.Path, "/")
	work := filepath.Join(root, "models--"+p.url.Host+"--"+name)
	revision := cmp.Or(p.revision, defaultRevision)
	commit := revision
	if text, err := os.ReadFile(filepath.Join(work, "refs", filepath.FromSlash(revision))); err == nil {
		commit = strings.TrimSpace(string(text))
	}
	at := filepath.Join(work, "snapshots", commit)
	if _, err := os.Stat(at); err != nil || !fs.ValidPath(commit) || strings.Contains(commit, "/") {
		return Place{}, fmt.Errorf("%s: revision %s is not in the cache %s, and %s=%s forbids asking the hub: %w; unset it, or fetch the model first", p, revision, root, variable, os.Getenv(variable), fs.ErrNotExist)
	}
	return Place{Path: filepath.Join(at, filepath.FromSlash(folder))}, nil
}

// hubCache is huggingface_hub's cache of files.
func hubCache() (string, error) {
	if root := os.Getenv("HF_HUB_CACHE"); root != "" {
		return root, nil
	}
	home, err := hubHome()
	return filepath.Join(home, "hub"), err
}
