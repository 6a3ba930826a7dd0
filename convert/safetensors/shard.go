package safetensors

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/pecvt/pecvt/convert/fsio"
)

// Shard is one file of a planned checkpoint.
type Shard struct {
	File  string // the file's name, without a folder
	Infos []Info // in order; Begin and End as in this file
	Bytes int64  // of the tensors, without the header
}

// PlanShards divides the tensors, in their order, among files of at most
// maxBytes of tensor data, as huggingface_hub does: a file is closed when the
// next tensor would not fit, and a tensor that is too large alone has a file of
// its own. One file is called model.safetensors, n files
// model-00001-of-0000n.safetensors and so on. maxBytes <= 0 means no limit. The
// errors are those of [Layout].
func PlanShards(infos []Info, maxBytes int64) ([]Shard, error) {
	infos, err := Layout(infos)
	if err != nil {
		return nil, err
	}
	var groups [][]Info
	var open []Info
	var size int64
	for _, info := range infos {
		n := info.Bytes()
		if maxBytes > 0 && n > maxBytes {
			groups = append(groups, []Info{info})
			continue
		}
		if maxBytes > 0 && size+n > maxBytes {
			groups = append(groups, open)
			open, size = nil, 0
		}
		open = append(open, info)
		size += n
	}
	if len(open) > 0 || len(groups) == 0 {
		groups = append(groups, open)
	}
	shards := make([]Shard, len(groups))
	for i, group := range groups {
		name := singleName
		if len(groups) > 1 {
			name = fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, len(groups))
		}
		if group, err = Layout(group); err != nil {
			return nil, err
		}
		shards[i] = Shard{File: name, Infos: group}
		for _, info := range group {
			shards[i].Bytes += info.Bytes()
		}
	}
	return shards, nil
}

// WriteIndex writes [Index] to a new file.
func WriteIndex(path string, shards []Shard) error {
	text, err := Index(shards)
	if err != nil {
		return err
	}
	return writeFile(path, text)
}

// Index gives the text of the shards' index, in the layout of huggingface_hub:
// keys sorted, indented by two spaces, metadata.total_size the bytes of all
// tensors.
func Index(shards []Shard) ([]byte, error) {
	weightMap := map[string]string{}
	var total int64
	for _, s := range shards {
		total += s.Bytes
		for _, info := range s.Infos {
			if other, dup := weightMap[info.Name]; dup {
				return nil, fmt.Errorf("safetensors: tensor %q: in both %s and %s", info.Name, other, s.File)
			}
			weightMap[info.Name] = s.File
		}
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "{\n  \"metadata\": {\n    \"total_size\": %d\n  },\n  \"weight_map\": {", total)
	for i, name := range slices.Sorted(maps.Keys(weightMap)) {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("\n    ")
		writeString(&b, name)
		b.WriteString(": ")
		writeString(&b, weightMap[name])
	}
	b.WriteString("\n  }\n}\n")
	return b.Bytes(), nil
}

// writeFile writes a new file and removes it where that fails.
func writeFile(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return fmt.Errorf("safetensors: %w", err)
	}
	_, err = f.Write(data)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		os.Remove(path)
		return fmt.Errorf("safetensors: %w", fsio.WriteError(path, err))
	}
	return nil
}
