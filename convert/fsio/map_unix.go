//go:build unix

package fsio

import (
	"fmt"
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// Map is a read-only memory map of a whole file.
type Map struct{ data []byte }

// NewMap maps the first size bytes of f, which may be closed afterwards. It
// returns nil and no error where the file cannot be mapped (an empty file, or a
// system without maps): the caller reads with ReadAt instead.
//
// The file must not shrink while it is mapped: the system answers a read beyond
// the new end by ending the program.
func NewMap(f *os.File, size int64) (*Map, error) {
	if size <= 0 || size > math.MaxInt {
		return nil, nil
	}
	data, err := unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ, unix.MAP_SHARED)
	switch err {
	case nil:
		return &Map{data}, nil
	case unix.ENODEV, unix.ENOSYS, unix.EINVAL: // some network and FUSE file systems
		return nil, nil
	}
	return nil, fmt.Errorf("map %s: %w", f.Name(), err)
}

// Data gives the mapped bytes. Writing to them is a fault.
func (m *Map) Data() []byte { return m.data }

// around is how far from a page that is touched the system maps further pages
// unasked (fault_around_bytes of Linux): the neighbours of a range are given back
// with it, or they would add up to a good part of the file.
const around = 64 << 10

// Release tells the system that the given range is not needed for now, so that
// its pages no longer count as resident. The range stays readable: a later read
// fetches the pages again. It is a hint, hence without an error.
func (m *Map) Release(offset, length int64) {
	page := int64(os.Getpagesize())
	begin := max(offset-around, 0) / page * page
	end := min(offset+length+around, int64(len(m.data)))
	if begin >= end {
		return
	}
	_ = unix.Madvise(m.data[begin:end], unix.MADV_DONTNEED)
}

// Close unmaps the file. Slices of Data must not be used afterwards.
func (m *Map) Close() error {
	data := m.data
	m.data = nil
	if data == nil {
		return nil
	}
	return unix.Munmap(data)
}
