//go:build !unix

package fsio

import "os"

// Map is a read-only memory map of a whole file; this system has none.
type Map struct{}

// NewMap returns nil and no error: the caller reads with ReadAt instead.
func NewMap(*os.File, int64) (*Map, error) { return nil, nil }

// Data gives the mapped bytes.
func (*Map) Data() []byte { return nil }

// Release tells the system that the given range is not needed for now.
func (*Map) Release(int64, int64) {}

// Close unmaps the file.
func (*Map) Close() error { return nil }
