package ort

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// initializer is a weight of a graph, as far as it is read here.
type initializer struct {
	name     string
	external map[string]string // location, offset, length; nil where the data is in the model
}

func readInitializer(m message) (initializer, error) {
	var t initializer
	err := m.each(func(f field) error {
		var err error
		switch f.number {
		case tensorName:
			t.name, err = f.text()
		case tensorExternal:
			var key, value string
			err = f.body.each(func(e field) error {
				var err error
				switch e.number {
				case entryKey:
					key, err = e.text()
				case entryValue:
					value, err = e.text()
				}
				return err
			})
			if t.external == nil {
				t.external = map[string]string{}
			}
			t.external[key] = value
		}
		return err
	})
	return t, err
}

// check says whether the file the data lies in is there and long enough. The
// runtime finds that out too, after its own fashion: it names the tensor or the
// file, not both.
func (t initializer) check(dir string) error {
	location := t.external["location"]
	if location == "" {
		return nil
	}
	path := filepath.Join(dir, filepath.FromSlash(location))
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("its data is in %s, which is not there: the file belongs beside the model", path)
	}
	if err != nil {
		return fmt.Errorf("its data is in %s: %w", path, err)
	}
	number := func(key string) (uint64, error) {
		text, ok := t.external[key]
		if !ok {
			return 0, nil
		}
		n, err := strconv.ParseUint(text, 10, 63)
		if err != nil {
			return 0, fmt.Errorf("its external data has %s %q, want a number of bytes", key, text)
		}
		return n, nil
	}
	offset, err := number("offset")
	if err != nil {
		return err
	}
	length, err := number("length")
	if err != nil {
		return err
	}
	// Both are below 2^63: the sum does not overflow.
	if size := uint64(info.Size()); offset+length > size {
		return fmt.Errorf("its data is bytes %d to %d of %s, which has %d: the file is truncated, or not the one the model was made for", offset, offset+length, path, size)
	}
	return nil
}
