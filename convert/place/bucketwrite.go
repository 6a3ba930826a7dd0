package place

import (
	"context"
	"errors"
	"io/fs"
	"net/url"
	"strings"

	"gocloud.dev/blob"
)

// bucketWriter writes to any bucket of gocloud.dev, whose libraries send an object in
// parts of their own and leave nothing of one that is not closed.
type bucketWriter struct{ *bucket }

func writeBucket(d driver) writer { return &bucketWriter{d.(*bucket)} }

func isAbsent(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// escapePath is a key as a URL has it.
func escapePath(key string) string {
	elements := strings.Split(key, "/")
	for i, e := range elements {
		elements[i] = url.PathEscape(e)
	}
	return strings.Join(elements, "/")
}

// stat describes one object, as a list does.
func (b *bucket) stat(ctx context.Context, name string) (Entry, error) {
	ctx, cancel := context.WithTimeout(b.own(ctx), stall)
	defer cancel()
	opts := &blob.ListOptions{Prefix: b.prefix + name, Delimiter: "/"}
	if b.once != nil {
		opts.BeforeList = b.once
	}
	page, _, err := b.blobs.ListPage(ctx, blob.FirstPageToken, 2, opts) // in their order, so that of the name comes first
	if err != nil {
		return Entry{}, b.failure(err)
	}
	for _, o := range page {
		if o.Key == b.prefix+name {
			return b.entry(name, o), nil
		}
	}
	return Entry{}, &failure{err: errors.New("no such object"), kind: fs.ErrNotExist}
}

// entry describes a listed object.
func (b *bucket) entry(name string, o *blob.ListObject) Entry {
	e := Entry{Name: name, Dir: o.IsDir}
	if !o.IsDir {
		e.Size, e.ModTime, e.MD5, e.Version = o.Size, o.ModTime, o.MD5, b.version(o)
	}
	return e
}

func (w *bucketWriter) put(ctx context.Context, name string, data []byte, expect string) (string, error) {
	opts := &blob.WriterOptions{IfNotExist: expect == absent, ContentType: "application/octet-stream"}
	if expect != "" && expect != absent && w.replaces != nil {
		opts.BeforeWrite = func(as func(any) bool) error { return w.replaces(expect, as) }
	}
	ctx, cancel := outliving(ctx)
	defer cancel()
	if err := w.blobs.WriteAll(w.own(ctx), w.prefix+name, data, opts); err != nil {
		return "", w.failure(err)
	}
	e, err := w.stat(ctx, name)
	return e.Version, err
}

func (w *bucketWriter) remove(ctx context.Context, name string) error {
	return w.maybe(w.blobs.Delete(w.own(ctx), w.prefix+name))
}

// abandon has nothing to end: parts that were not put together are not listed, and go by
// themselves.
func (w *bucketWriter) abandon(context.Context, func(string, string) bool) error { return nil }

// copy has the server copy an object of the same bucket.
func (w *bucketWriter) copy(ctx context.Context, from driver, e Entry, name string, progress func(int64)) error {
	b, ok := from.(*bucket)
	if !ok || b.url.Scheme != w.url.Scheme || b.url.Host != w.url.Host {
		return errors.ErrUnsupported
	}
	ctx, cancel := context.WithTimeout(w.own(ctx), copyPatience)
	defer cancel()
	// No request of these copies names the source's version: it is looked at before and
	// after.
	for range 2 {
		now, err := b.stat(ctx, e.Name)
		if err != nil {
			return err
		}
		if now.Version != e.Version || now.Size != e.Size {
			return changed("its version is %s, listed was %s", now.Version, e.Version)
		}
		if progress == nil {
			return nil
		}
		longer, end := outliving(ctx)
		err = w.blobs.Copy(longer, w.prefix+name, b.prefix+e.Name, nil)
		end()
		if err != nil {
			return w.failure(err)
		}
		progress(e.Size)
		progress = nil
	}
	return nil
}

// blobUpload is an object that the library sends.
type blobUpload struct {
	w      *blob.Writer
	of     *bucket
	cancel context.CancelFunc
	length int64
}

func (w *bucketWriter) begin(ctx context.Context, name string, size int64) (upload, error) {
	if w.often != nil {
		ctx = w.often(ctx)
	}
	ctx, cancel := context.WithCancel(ctx)
	length := partOf(size)
	out, err := w.blobs.NewWriter(ctx, w.prefix+name, &blob.WriterOptions{BufferSize: int(length), MaxConcurrency: 2, BeforeWrite: w.sends, ContentType: "application/octet-stream"})
	if err != nil {
		cancel()
		return nil, w.failure(err)
	}
	return &blobUpload{out, w.bucket, cancel, length}, nil
}

func (u *blobUpload) atOnce() int  { return 1 }
func (u *blobUpload) bytes() int64 { return u.length }

// part hands a part on. The library makes requests again; what it gives up cannot be
// begun anew from the middle.
func (u *blobUpload) part(_ context.Context, _ int, data []byte) error {
	_, err := u.w.Write(data)
	return u.last(err)
}

func (u *blobUpload) finish(context.Context) error {
	err := u.last(u.w.Close())
	u.cancel()
	return err
}

func (u *blobUpload) last(err error) error {
	if err == nil {
		return nil
	}
	err = u.of.failure(err)
	if f := (*failure)(nil); errors.As(err, &f) {
		f.again = false
	}
	return err
}

func (u *blobUpload) abort(context.Context) {
	u.cancel() // before Close, which would put the object together
	u.w.Close()
}
