package safetensors

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/pecvt/pecvt/convert/place"
	"github.com/pecvt/pecvt/convert/tensor"
)

// Checkpoint is a model's set of safetensors files: one, or the shards of an
// index. Index and shards have been found to agree. It is a store of tensors
// (store.Store); its methods may be used from several goroutines, Close excepted.
type Checkpoint struct {
	folder *place.Folder
	files  []*File // sorted by path
	index  string  // the index's path, "" where the checkpoint has none
	names  []string
	fileOf map[string]*File
	unheld map[string]string // listed in the index, in no shard
}

// OpenCheckpoint opens a checkpoint by its folder, its .safetensors file or its
// *.safetensors.index.json.
//
// In a folder, model.safetensors.index.json or model.safetensors is taken, else
// the only other index, else the only .safetensors file; a folder that leaves a
// choice is an error that lists the candidates. Every tensor of the index must be
// in the shard it names and nowhere else, and every tensor of a shard in the
// index; one that the index lists and no shard holds is told by Unheld.
func OpenCheckpoint(path string) (*Checkpoint, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	if st.IsDir() {
		return OpenCheckpointIn(place.Local(path), "")
	}
	return OpenCheckpointIn(place.Local(filepath.Dir(path)), filepath.Base(path))
}

// OpenCheckpointIn is [OpenCheckpoint] for a folder, wherever it is, or the file of a
// name in it. Close closes the folder too.
func OpenCheckpointIn(folder *place.Folder, name string) (*Checkpoint, error) {
	found, err := locate(folder, name)
	if err != nil {
		return nil, errors.Join(err, folder.Close())
	}
	c := &Checkpoint{folder: folder}
	if strings.HasSuffix(found, indexSuffix) {
		c.index = folder.Path(found)
		err = c.openShards(found)
	} else {
		err = c.openSingle(found)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	c.names = make([]string, 0, len(c.fileOf))
	for _, f := range c.files {
		for i := range f.infos {
			c.names = append(c.names, f.infos[i].Name)
		}
	}
	slices.Sort(c.names)
	return c, nil
}

func (c *Checkpoint) openSingle(name string) error {
	f, err := OpenIn(c.folder, name)
	if err != nil {
		return err
	}
	c.files = []*File{f}
	c.fileOf = make(map[string]*File, len(f.infos))
	for _, info := range f.infos {
		c.fileOf[info.Name] = f
	}
	return nil
}

func (c *Checkpoint) openShards(index string) error {
	weightMap, err := readIndex(c.folder, index)
	if err != nil {
		return err
	}
	c.fileOf = make(map[string]*File, len(weightMap))
	named := map[string]bool{}
	for _, shard := range weightMap {
		named[shard] = true
	}
	shards := slices.Sorted(maps.Keys(named))
	opened, errs := c.openAll(shards)
	for i, f := range opened {
		if f != nil {
			c.files = append(c.files, f)
		}
		if errors.Is(errs[i], fs.ErrNotExist) {
			errs[i] = formatErrorf(c.index, "", "shard %s is missing (%d shards are listed): download it", shards[i], len(shards))
		}
	}
	for _, err := range errs { // the first shard's, whichever was opened first
		if err != nil {
			return err
		}
	}
	for _, f := range c.files {
		for _, info := range f.infos {
			if other := c.fileOf[info.Name]; other != nil {
				return formatErrorf(f.Path, info.Name, "also in %s: a tensor belongs to one shard", filepath.Base(other.Path))
			}
			c.fileOf[info.Name] = f
		}
	}
	return c.checkIndex(weightMap)
}

// openedAtOnce is how many shards' headers are read at a time: those of a bucket wait
// for its answers.
const openedAtOnce = 8

// openAll opens shards, and gives the file or the error of each.
func (c *Checkpoint) openAll(shards []string) ([]*File, []error) {
	files, errs := make([]*File, len(shards)), make([]error, len(shards))
	var g errgroup.Group
	g.SetLimit(openedAtOnce)
	var failed atomic.Int64 // the first that is known to fail: later ones do not matter
	failed.Store(int64(len(shards)))
	for i, shard := range shards {
		g.Go(func() error {
			if failed.Load() < int64(i) {
				return nil
			}
			if files[i], errs[i] = OpenIn(c.folder, shard); errs[i] != nil {
				for first := failed.Load(); int64(i) < first && !failed.CompareAndSwap(first, int64(i)); first = failed.Load() {
				}
			}
			return nil
		})
	}
	g.Wait()
	return files, errs
}

// checkIndex compares the index with what the shards hold, both ways.
func (c *Checkpoint) checkIndex(weightMap map[string]string) error {
	moved := "" // the first by name
	for name := range weightMap {
		f := c.fileOf[name]
		if f == nil { // a tied head, often: who needs the tensor says what is wrong
			if c.unheld == nil {
				c.unheld = map[string]string{}
			}
			c.unheld[name] = weightMap[name]
			continue
		}
		if filepath.Base(f.Path) != weightMap[name] && (moved == "" || name < moved) {
			moved = name
		}
	}
	if moved != "" {
		return formatErrorf(c.index, moved, "listed in %s, but it is in %s: index and shards are not of one checkpoint; download both again", weightMap[moved], filepath.Base(c.fileOf[moved].Path))
	}
	for _, f := range c.files {
		for _, info := range f.infos {
			if _, ok := weightMap[info.Name]; !ok {
				return formatErrorf(f.Path, info.Name, "not listed in %s: index and shards are not of one checkpoint; download both again", filepath.Base(c.index))
			}
		}
	}
	return nil
}

// Root is the folder of the files.
func (c *Checkpoint) Root() string { return c.folder.Root() }

// FS gives the files of that folder.
func (c *Checkpoint) FS() fs.FS { return c.folder.FS() }

// Folder is that folder.
func (c *Checkpoint) Folder() *place.Folder { return c.folder }

// IndexPath is the index that lists the shards, "" where there is none.
func (c *Checkpoint) IndexPath() string { return c.index }

// Unheld gives the shard in which the index lists a tensor that no shard holds, ""
// for any other name. Programs that write an index from a model's modules list a
// head there that is stored as the embedding alone.
func (c *Checkpoint) Unheld(name string) string { return c.unheld[name] }

// Shards lists the open files, sorted by path. The caller must not change it.
func (c *Checkpoint) Shards() []*File { return c.files }

// Files describes the files, in the order of Shards.
func (c *Checkpoint) Files() []tensor.File {
	list := make([]tensor.File, len(c.files))
	for i, f := range c.files {
		names := make([]string, len(f.infos))
		for j, info := range f.infos {
			names[j] = info.Name
		}
		list[i] = tensor.File{Path: f.Path, Format: Format, Size: f.size, DataStart: f.dataStart, HeaderSHA256: f.headerSum, Metadata: f.Metadata(), Tensors: names}
	}
	return list
}

// Names lists all tensors, sorted. The caller must not change it.
func (c *Checkpoint) Names() []string { return c.names }

// Lookup finds a tensor by its name.
func (c *Checkpoint) Lookup(name string) (tensor.Info, bool) {
	f := c.fileOf[name]
	if f == nil {
		return tensor.Info{}, false
	}
	info, ok := f.Lookup(name)
	return tensor.Info{Name: info.Name, DType: info.DType, Shape: info.Shape}, ok
}

// Place says where in which file a tensor's bytes lie.
func (c *Checkpoint) Place(name string) (tensor.Place, bool) {
	f := c.fileOf[name]
	if f == nil {
		return tensor.Place{}, false
	}
	info, ok := f.Lookup(name)
	return tensor.Place{File: f.Path, Offset: f.dataStart + info.Begin, Length: info.Bytes()}, ok
}

// Bytes gives the data of a tensor; see [File.Bytes].
func (c *Checkpoint) Bytes(name string) ([]byte, error) {
	return ofFile(c, name, func(f *File) ([]byte, error) { return f.Bytes(name) })
}

// Read gives the bytes [begin, end) of a tensor; see [File.Read].
func (c *Checkpoint) Read(name string, begin, end int64) ([]byte, error) {
	return ofFile(c, name, func(f *File) ([]byte, error) { return f.Read(name, begin, end) })
}

// Section gives a reader of a tensor's data; see [File.Section].
func (c *Checkpoint) Section(name string) (*io.SectionReader, error) {
	return ofFile(c, name, func(f *File) (*io.SectionReader, error) { return f.Section(name) })
}

// Walk goes through the data of a tensor; see [File.Walk].
func (c *Checkpoint) Walk(name string, visit func(offset int64, piece []byte) error) error {
	_, err := ofFile(c, name, func(f *File) (struct{}, error) { return struct{}{}, f.Walk(name, visit) })
	return err
}

// ofFile asks the file that holds a tensor.
func ofFile[T any](c *Checkpoint, name string, ask func(*File) (T, error)) (T, error) {
	f := c.fileOf[name]
	if f == nil {
		var none T
		return none, c.noTensor(name)
	}
	return ask(f)
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
	info, ok := c.Lookup(name)
	if !ok {
		return nil, c.noTensor(name)
	}
	size := int64(info.DType.Size())
	out := make([]F, info.Bytes()/size)
	err := c.Walk(name, func(offset int64, piece []byte) error {
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
	for _, f := range c.files {
		errs = append(errs, f.Close())
	}
	c.files, c.fileOf, c.names = nil, nil, nil
	return errors.Join(append(errs, c.folder.Close())...)
}

func (c *Checkpoint) noTensor(name string) error {
	where := c.Root()
	if c.index != "" {
		where = c.index
	} else if len(c.files) == 1 {
		where = c.files[0].Path
	}
	return formatErrorf(where, name, "the checkpoint has no such tensor")
}
