package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/pecvt/pecvt/convert/fsio"
	"github.com/pecvt/pecvt/posenc/hint"
)

// maxConfigBytes bounds config.json before it is read: real ones are a few
// kilobytes.
const maxConfigBytes = 16 << 20

// Config is a checkpoint's config.json.
type Config struct {
	*Object
	// Path is the file it was read from.
	Path string
	// Ignore are keys that somebody says to change nothing; they count as absent. After
	// Without they are those that were there.
	Ignore []string
}

// Load reads config.json from the files of a store that lies at root.
func Load(root string, files fs.FS) (*Config, error) {
	const name = "config.json"
	path := fsio.Join(root, name)
	f, err := files.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: no config.json beside the checkpoint: the model's sizes and rotary parameters are read from it; put it there", path)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", root, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxConfigBytes+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(data) > maxConfigBytes {
		return nil, fmt.Errorf("%s: larger than %d bytes: not a model configuration", path, maxConfigBytes)
	}
	o, err := ParseObject(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &Config{Object: o, Path: path}, nil
}

// Without returns the configuration without keys of which somebody says that they
// change nothing. One that reads says a loader computes with is an error.
func (c *Config) Without(keys []string, reads func(key string) bool) (*Config, error) {
	if len(keys) == 0 {
		return c, nil
	}
	o := c.Object.Clone()
	var gone []string
	for _, key := range keys {
		if o.Raw(key) != nil && reads(key) {
			return nil, hint.Errorf("%s: key %q is to be passed over ("+hint.IgnoreKeys+"), yet loaders of this family compute with it: remove it from config.json if they should not", c.Path, key)
		}
		if o.Raw(key) != nil {
			gone = append(gone, key)
		}
		o.Delete(key)
	}
	return &Config{Object: o, Path: c.Path, Ignore: gone}, nil
}
