package safetensors

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/convert/place"
)

const (
	singleName = "model.safetensors"
	indexName  = "model" + indexSuffix
)

// locate finds the file to open in a folder, or checks the one that is named.
func locate(folder *place.Folder, name string) (string, error) {
	switch {
	case name == "":
		return locateInDir(folder)
	case strings.HasSuffix(name, indexSuffix):
		return name, nil
	case strings.HasSuffix(name, ".safetensors"):
		return name, checkNotShard(folder, name)
	}
	return "", formatErrorf(folder.Path(name), "", "expected a folder, a .safetensors file or a *%s", indexSuffix)
}

func locateInDir(folder *place.Folder) (string, error) {
	dir := folder.Root()
	entries, err := folder.ReadDir()
	if err != nil {
		return "", fmt.Errorf("safetensors: %w", err)
	}
	var indexes, files []string // sorted, as ReadDir sorts
	for _, e := range entries {
		switch {
		case strings.HasSuffix(e.Name(), indexSuffix):
			indexes = append(indexes, e.Name())
		case strings.HasSuffix(e.Name(), ".safetensors"):
			files = append(files, e.Name())
		}
	}
	hasSingle, hasIndex := slices.Contains(files, singleName), slices.Contains(indexes, indexName)
	switch {
	case hasSingle && hasIndex:
		// Loaders differ in which of the two they take.
		weightMap, err := readIndex(folder, indexName)
		if err != nil {
			return "", err
		}
		for _, shard := range weightMap {
			if shard == singleName {
				return indexName, nil
			}
		}
		return "", ambiguous(dir, []string{singleName, indexName})
	case hasIndex:
		return indexName, nil
	case hasSingle:
		return singleName, nil
	case len(indexes) == 1:
		return indexes[0], nil
	case len(indexes) > 1:
		return "", ambiguous(dir, indexes)
	case len(files) == 1:
		return files[0], checkNotShard(folder, files[0])
	case len(files) > 1:
		if !slices.ContainsFunc(files, func(name string) bool { return !shardName.MatchString(name) }) {
			return "", formatErrorf(dir, "", "the folder holds %d shards but no index: download the *%s", len(files), indexSuffix)
		}
		return "", ambiguous(dir, files)
	}
	hint := ""
	if slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		return strings.HasSuffix(e.Name(), ".bin") || strings.HasSuffix(e.Name(), ".pt")
	}) {
		hint = "; `pecvt import` makes one of a PyTorch checkpoint"
	}
	return "", formatErrorf(dir, "", "the folder holds no .safetensors file and no *%s%s", indexSuffix, hint)
}

func ambiguous(dir string, names []string) error {
	const shown = 8
	list := strings.Join(names[:min(len(names), shown)], ", ")
	if len(names) > shown {
		list += fmt.Sprintf(" and %d more", len(names)-shown)
	}
	return formatErrorf(dir, "", "the folder holds several candidates (%s): name the file to use", list)
}

// shardName is the naming of huggingface_hub.
var shardName = regexp.MustCompile(`-\d+-of-(\d+)\.safetensors$`)

// checkNotShard refuses a file that the index beside it lists as one of several,
// or that by its name is one: alone it is a part of a model.
func checkNotShard(folder *place.Folder, name string) error {
	path := folder.Path(name)
	entries, err := folder.ReadDir()
	if err != nil {
		return nil // the file itself may still be readable
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), indexSuffix) {
			continue
		}
		weightMap, err := readIndex(folder, e.Name())
		if err != nil {
			continue // it is not the file that was asked for
		}
		listed, others := false, false
		for _, shard := range weightMap {
			listed = listed || shard == name
			others = others || shard != name
		}
		if listed && others {
			return formatErrorf(path, "", "this is one of the shards of %s: name the index or the folder instead", e.Name())
		}
		if listed {
			return nil
		}
	}
	if m := shardName.FindStringSubmatch(name); m != nil && strings.TrimLeft(m[1], "0") != "1" {
		return formatErrorf(path, "", "by its name this is one of %s shards, but no index beside it lists it: download the *%s", strings.TrimLeft(m[1], "0"), indexSuffix)
	}
	return nil
}
