package place

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/pecvt/pecvt/convert/fsio"
)

// A download goes to NAME.part, with NAME.parts beside it: a line with the number of
// each part that is there. A later one goes on from them.
const (
	partSuffix = ".part"
	listSuffix = ".parts"
)

// download makes an object a file of the local disk, whole or not at all, and checks it
// against the digests that the service gives. What an earlier download that was ended
// left of the same version is used; the caller sees to it that dst is of one version.
func (f *Folder) download(ctx context.Context, e Entry, dst string, progress fsio.Progress) error {
	if st, err := os.Lstat(dst); err == nil && st.Mode().IsRegular() && st.Size() == e.Size {
		os.Remove(dst + listSuffix) // of a download that was killed at its last step
		if progress != nil {
			progress(e.Size)
		}
		return nil
	}
	d, err := resume(dst, partSuffix, e.Size)
	if err != nil {
		return err
	}
	defer d.close()
	if progress != nil {
		progress(d.had)
	}
	a := &away{folder: f, entry: e}
	if err := a.copy(ctx, d.file, 0, 0, e.Size, &d.parts, nil, progress); err != nil {
		return err
	}
	if err := checkDigest(ctx, d.file, e, f.Path(e.Name)); err != nil {
		d.forget()
		return err
	}
	if err := d.close(); err != nil {
		return fsio.WriteError(dst, err)
	}
	if err := os.Rename(dst+partSuffix, dst); err != nil {
		return err
	}
	return os.Remove(dst + listSuffix)
}

// unfinished is a download under way.
type unfinished struct {
	dst  string
	file *os.File // dst, with an end to its name until it is whole
	had  int64    // bytes that were there
	parts
	closed bool
}

// parts are those of an object that are there, and where that is written down.
type parts struct {
	done map[int64]bool
	list *os.File
}

func (p *parts) has(part int64) bool { return p.done[part] }

// add takes note of a part; one at a time does.
func (p *parts) add(part int64) error {
	if _, err := fmt.Fprintln(p.list, part); err != nil {
		return fsio.WriteError(p.list.Name(), err)
	}
	return nil
}

// resume opens a download, with the parts that an earlier one left.
func resume(dst, suffix string, size int64) (_ *unfinished, err error) {
	d := &unfinished{dst: dst}
	d.done = map[int64]bool{}
	if d.file, err = os.OpenFile(dst+suffix, os.O_RDWR|os.O_CREATE, 0o666); err != nil {
		return nil, err
	}
	if d.list, err = os.OpenFile(dst+listSuffix, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o666); err != nil {
		d.file.Close()
		return nil, err
	}
	text, err := io.ReadAll(d.list)
	if err == nil {
		var st fs.FileInfo
		if st, err = d.file.Stat(); err == nil && st.Size() == size {
			d.note(string(text), size)
		} else if err == nil {
			err = errors.Join(d.list.Truncate(0), d.file.Truncate(size))
		}
	}
	if err != nil {
		d.close()
		return nil, fsio.WriteError(dst, err)
	}
	return d, nil
}

// note reads the list of parts; a line that was cut off is no part.
func (d *unfinished) note(text string, size int64) {
	lines := strings.Split(text, "\n")
	for _, line := range lines[:len(lines)-1] {
		part, err := strconv.ParseInt(line, 10, 64)
		if err == nil && part >= 0 && part*partBytes < size && !d.done[part] {
			d.done[part] = true
			d.had += min(partBytes, size-part*partBytes)
		}
	}
}

func (d *unfinished) close() error {
	if d.closed {
		return nil
	}
	d.closed = true
	return errors.Join(d.file.Close(), d.list.Close())
}

// forget removes what is there.
func (d *unfinished) forget() {
	d.close()
	os.Remove(d.dst + partSuffix)
	os.Remove(d.dst + listSuffix)
}

// checkDigest compares a file with what the service says of it.
func checkDigest(ctx context.Context, file *os.File, e Entry, path string) error {
	for _, c := range []struct {
		name string
		want []byte
		sum  func() hash.Hash
	}{{"SHA-256", e.SHA256, sha256.New}, {"MD5", e.MD5, md5.New}, {"git's SHA-1", e.Git, func() hash.Hash {
		h := sha1.New()
		fmt.Fprintf(h, "blob %d\x00", e.Size)
		return h
	}}} {
		if c.want == nil {
			continue
		}
		h := c.sum()
		if _, err := io.Copy(h, &inContext{ctx, io.NewSectionReader(file, 0, e.Size)}); err != nil {
			return err
		}
		if got := h.Sum(nil); !bytes.Equal(got, c.want) {
			return fmt.Errorf("%s: the bytes that came have the %s %x, the service says %x: run again", path, c.name, got, c.want)
		}
		return nil
	}
	return nil
}

// inContext reads until a context ends.
type inContext struct {
	ctx context.Context
	io.Reader
}

func (r *inContext) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}
