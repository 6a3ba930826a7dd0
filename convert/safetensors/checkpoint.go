package safetensors

import (
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/convert/tensor"
)

// Checkpoint is a model's set of safetensors files: one, or the shards of an
// index. Index and shards have been found to agree.
type Checkpoint struct {
	Dir       string  // the folder of the files
	Files     []*File // sorted by path
	IndexPath string  // "" where the checkpoint has no index

	names  []string
	fileOf map[string]*File
}

// OpenCheckpoint opens a checkpoint by its folder, its .safetensors file or its
// *.safetensors.index.json.
//
// In a folder, model.safetensors.index.json or model.safetensors is taken, else
// the only other index, else the only .safetensors file; a folder that leaves a
// choice is an error that lists the candidates. Every tensor of the index must be
// in the shard it names and nowhere else, and every tensor of a shard in the
// index.
func OpenCheckpoint(path string) (*Checkpoint, error) {
	found, err := locate(path)
	if err != nil {
		return nil, err
	}
	c := &Checkpoint{Dir: filepath.Dir(found)}
	if strings.HasSuffix(found, indexSuffix) {
		c.IndexPath = found
		err = c.openShards()
	} else {
		err = c.openSingle(found)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	c.names = slices.Sorted(maps.Keys(c.fileOf))
	return c, nil
}

func (c *Checkpoint) openSingle(path string) error {
	f, err := Open(path)
	if err != nil {
		return err
	}
	c.Files = []*File{f}
	c.fileOf = make(map[string]*File, len(f.infos))
	for _, info := range f.infos {
		c.fileOf[info.Name] = f
	}
	return nil
}

func (c *Checkpoint) openShards() error {
	weightMap, err := readIndex(c.IndexPath)
	if err != nil {
		return err
	}
	c.fileOf = make(map[string]*File, len(weightMap))
	shards := slices.Compact(slices.Sorted(maps.Values(weightMap)))
	for _, shard := range shards {
		f, err := Open(filepath.Join(c.Dir, shard))
		if errors.Is(err, fs.ErrNotExist) {
			return formatErrorf(c.IndexPath, "", "shard %s is missing (%d shards are listed): download it", shard, len(shards))
		}
		if err != nil {
			return err
		}
		c.Files = append(c.Files, f)
		for _, info := range f.infos {
			if other := c.fileOf[info.Name]; other != nil {
				return formatErrorf(f.Path, info.Name, "also in %s: a tensor belongs to one shard", filepath.Base(other.Path))
			}
			c.fileOf[info.Name] = f
		}
	}
	return c.checkIndex(weightMap)
}

// checkIndex compares the index with what the shards hold, both ways.
func (c *Checkpoint) checkIndex(weightMap map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(weightMap)) {
		f := c.fileOf[name]
		if f == nil {
			return formatErrorf(c.IndexPath, name, "listed in %s, but no shard holds it: index and shards are not of one checkpoint; download both again", weightMap[name])
		}
		if in := filepath.Base(f.Path); in != weightMap[name] {
			return formatErrorf(c.IndexPath, name, "listed in %s, but it is in %s: index and shards are not of one checkpoint; download both again", weightMap[name], in)
		}
	}
	for _, f := range c.Files {
		for _, info := range f.infos {
			if _, ok := weightMap[info.Name]; !ok {
				return formatErrorf(f.Path, info.Name, "not listed in %s: index and shards are not of one checkpoint; download both again", filepath.Base(c.IndexPath))
			}
		}
	}
	return nil
}

// Names lists all tensors, sorted. The caller must not change it.
func (c *Checkpoint) Names() []string { return c.names }

// Lookup finds a tensor by its name, and the file that holds it.
func (c *Checkpoint) Lookup(name string) (Info, *File, bool) {
	f := c.fileOf[name]
	if f == nil {
		return Info{}, nil, false
	}
	info, ok := f.Lookup(name)
	return info, f, ok
}

// Bytes gives the data of a tensor; see [File.Bytes].
func (c *Checkpoint) Bytes(name string) ([]byte, error) {
	f := c.fileOf[name]
	if f == nil {
		return nil, c.noTensor(name)
	}
	return f.Bytes(name)
}

// Release gives back the mapped pages of a tensor; see [File.Release].
func (c *Checkpoint) Release(name string) {
	if f := c.fileOf[name]; f != nil {
		f.Release(name)
	}
}

// Float64 decodes a tensor into a new slice, in its stored order, and gives its
// mapped pages back; see [File.Walk]. Integer tensors are converted too.
func (c *Checkpoint) Float64(name string) ([]float64, error) {
	return decodeTensor(c, name, tensor.Decode64)
}

// Float32 is [Checkpoint.Float64] to float32; see [tensor.Decode32] for what it
// rounds.
func (c *Checkpoint) Float32(name string) ([]float32, error) {
	return decodeTensor(c, name, tensor.Decode32)
}

func decodeTensor[F float32 | float64](c *Checkpoint, name string, decode func([]F, []byte, tensor.DType) error) ([]F, error) {
	info, f, ok := c.Lookup(name)
	if !ok {
		return nil, c.noTensor(name)
	}
	size := int64(info.DType.Size())
	out := make([]F, info.Bytes()/size)
	err := f.Walk(name, func(offset int64, piece []byte) error {
		first, n := offset/size, int64(len(piece))/size
		return decode(out[first:first+n], piece, info.DType)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Close closes every file.
func (c *Checkpoint) Close() error {
	var errs []error
	for _, f := range c.Files {
		errs = append(errs, f.Close())
	}
	c.Files, c.fileOf, c.names = nil, nil, nil
	return errors.Join(errs...)
}

func (c *Checkpoint) noTensor(name string) error {
	where := c.Dir
	if c.IndexPath != "" {
		where = c.IndexPath
	} else if len(c.Files) == 1 {
		where = c.Files[0].Path
	}
	return formatErrorf(where, name, "the checkpoint has no such tensor")
}
