package family

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// maxConfigBytes bounds config.json before it is read: real ones are a few
// kilobytes.
const maxConfigBytes = 16 << 20

// Config is a checkpoint's config.json.
type Config struct {
	*Object
	// Path is the file it was read from.
	Path string
}

// LoadConfig reads config.json from a checkpoint's folder.
func LoadConfig(dir string) (*Config, error) { return loadConfig(dir, os.DirFS(dir)) }

// loadConfig reads config.json from the files of a store that lies at root.
func loadConfig(root string, files fs.FS) (*Config, error) {
	const name = "config.json"
	path := filepath.Join(root, name)
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

// reader collects typed reads of a configuration and keeps the first error,
// so that a family's file reads like a list of facts.
type reader struct {
	c   *Config
	err error
}

func (r *reader) fail(err error) {
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("%s: %w", r.c.Path, err)
	}
}

// size reads a required positive integer under any of several spellings.
func (r *reader) size(keys ...string) int {
	for _, k := range keys {
		v, ok, err := r.c.Int(k)
		r.fail(err)
		if !ok {
			continue
		}
		if v <= 0 || v > 1<<31 {
			r.fail(fmt.Errorf("key %q is %d: expected a positive number", k, v))
		}
		return v
	}
	r.fail(fmt.Errorf("key %q is missing", keys[0]))
	return 0
}

// sizeOr reads an optional positive integer.
func (r *reader) sizeOr(def int, keys ...string) int {
	for _, k := range keys {
		if r.c.Has(k) {
			return r.size(k)
		}
	}
	return def
}

func (r *reader) float(key string) float64 {
	v, ok, err := r.c.Float(key)
	r.fail(err)
	if !ok {
		r.fail(fmt.Errorf("key %q is missing", key))
	}
	return v
}

func (r *reader) boolOr(def bool, key string) bool {
	v, ok, err := r.c.Bool(key)
	r.fail(err)
	if !ok {
		return def
	}
	return v
}

// sizeOrZero reads an optional non-negative integer.
func (r *reader) sizeOrZero(key string, def int) int {
	v, ok, err := r.c.Int(key)
	r.fail(err)
	if !ok || err != nil {
		return def
	}
	if v < 0 {
		r.fail(wrongType(key, r.c.Raw(key), "zero or a positive number"))
	}
	return v
}

// floatOr reads an optional number.
func (r *reader) floatOr(def float64, key string) float64 {
	v, ok, err := r.c.Float(key)
	r.fail(err)
	if !ok {
		return def
	}
	return v
}

// textOr reads an optional string.
func (r *reader) textOr(def, key string) string {
	v, ok, err := r.c.Text(key)
	r.fail(err)
	if !ok {
		return def
	}
	return v
}

// present returns the first of several spellings that the configuration has,
// or "".
func (r *reader) present(keys []string) string {
	for _, k := range keys {
		if r.c.Has(k) {
			return k
		}
	}
	return ""
}
