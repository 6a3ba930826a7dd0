package torchfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	singleName  = "pytorch_model.bin"
	indexSuffix = ".bin.index.json"
	maxIndex    = 64 << 20
)

// locate lists the files of a checkpoint given by its folder, its file or its
// index.
func locate(name string) ([]string, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("torchfile: %w", err)
	}
	if !info.IsDir() {
		if strings.HasSuffix(name, indexSuffix) {
			return shards(name)
		}
		return []string{name}, nil
	}
	for _, candidate := range Names() {
		path := filepath.Join(name, candidate)
		if _, err := os.Stat(path); err == nil {
			return locate(path)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("torchfile: %w", err)
		}
	}
	return nil, Missing(name)
}

// Names are the files by one of which a folder is a checkpoint.
func Names() []string { return []string{"pytorch_model" + indexSuffix, singleName} }

// Missing is the error of a folder that has none of [Names].
func Missing(folder string) error {
	return fmt.Errorf("torchfile: %s: the folder holds no %s and no pytorch_model%s: name the file", folder, singleName, indexSuffix)
}

// shards lists the files that an index names, sorted.
func shards(index string) ([]string, error) {
	info, err := os.Stat(index)
	if err != nil {
		return nil, fmt.Errorf("torchfile: %w", err)
	}
	if info.Size() > maxIndex {
		return nil, fmt.Errorf("torchfile: %s: %d bytes: not an index", index, info.Size())
	}
	text, err := os.ReadFile(index)
	if err != nil {
		return nil, fmt.Errorf("torchfile: %w", err)
	}
	var parsed struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(text, &parsed); err != nil || len(parsed.WeightMap) == 0 {
		return nil, fmt.Errorf("torchfile: %s: expected a JSON object with the files of the tensors under weight_map", index)
	}
	var files []string
	for _, file := range parsed.WeightMap {
		if file != filepath.Base(file) || strings.ContainsAny(file, `/\`) || file == "." || file == ".." {
			return nil, fmt.Errorf("torchfile: %s: names the file %q outside its folder", index, clip(file))
		}
		files = append(files, filepath.Join(filepath.Dir(index), file))
	}
	slices.Sort(files)
	return slices.Compact(files), nil
}
