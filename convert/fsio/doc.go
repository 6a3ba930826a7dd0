// Package fsio moves the bytes of large files: read-only memory maps whose
// pages can be given back, hard links, reflinks and in-kernel copies. Where the
// operating system or the file system lacks one of them, a portable way takes
// its place and the result says which way was taken.
package fsio
