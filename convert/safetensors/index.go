package safetensors

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/pecvt/pecvt/convert/place"
)

// maxIndex bounds the bytes of an index file, as maxHeader does a header's.
const maxIndex = maxHeader

// indexSuffix ends the name of an index file.
const indexSuffix = ".safetensors.index.json"

// readIndex reads an index file and gives its weight_map: the shard's file name
// of each tensor.
func readIndex(folder *place.Folder, name string) (map[string]string, error) {
	path := folder.Path(name)
	file, err := folder.Open(name)
	if errors.Is(err, place.ErrNotRegular) {
		return nil, formatErrorf(path, "", "not a regular file")
	}
	if err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	defer file.Close()
	if file.Size() > maxIndex {
		return nil, formatErrorf(path, "", "the index is larger than %d bytes", maxIndex)
	}
	text := make([]byte, file.Size())
	if _, err := file.Reader().ReadAt(text, 0); err != nil && !(err == io.EOF && len(text) == 0) {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	return parseIndex(path, text)
}

// parseIndex reads the text of an index. Only weight_map is used: metadata (its
// total_size among others) is often wrong in published checkpoints, and further
// keys are left to the programs that wrote them.
func parseIndex(path string, text []byte) (map[string]string, error) {
	s, err := newStrictJSON(text)
	if err != nil {
		return nil, formatErrorf(path, "", "%v: the index is damaged; download it again", err)
	}
	var weightMap map[string]string
	err = s.object(func(key string) error {
		if key != "weight_map" {
			return s.skip()
		}
		weightMap = map[string]string{}
		shards := map[string]string{} // each name once: tensors share it
		listed := func(name string) bool { _, ok := weightMap[name]; return ok }
		err := s.objectOf(listed, func(name string) error {
			shard, err := s.string()
			if err == nil && shards[shard] == "" {
				err = checkShardName(shard)
				shards[shard] = shard
			}
			if err != nil {
				return formatErrorf(path, name, "%v", err)
			}
			weightMap[name] = shards[shard]
			return nil
		})
		if err != nil {
			if _, ok := err.(*FormatError); ok {
				return err
			}
			return fmt.Errorf("weight_map: %w", err)
		}
		return nil
	})
	if err != nil {
		if _, ok := err.(*FormatError); !ok {
			err = formatErrorf(path, "", "%v", err)
		}
		return nil, err
	}
	if weightMap == nil {
		return nil, formatErrorf(path, "", "the key weight_map is missing")
	}
	if len(weightMap) == 0 {
		return nil, formatErrorf(path, "", "weight_map is empty: the index names no shard")
	}
	return weightMap, nil
}

// checkShardName keeps an index from reaching outside its own folder.
func checkShardName(shard string) error {
	switch {
	case strings.ContainsAny(shard, "/\\:"), strings.ContainsFunc(shard, unicode.IsControl):
		return fmt.Errorf("shard %q: a shard is a plain file name in the folder of its index", clip(shard))
	case !strings.HasSuffix(shard, ".safetensors"):
		return fmt.Errorf("shard %q: the name of a shard ends in .safetensors", clip(shard))
	}
	return nil
}
