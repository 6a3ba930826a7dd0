package place

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"syscall"

	"gocloud.dev/blob"
)

// service is what differs among the buckets' services.
type service struct {
	// pin has a request ask for an entry's version alone, and not be made again by the
	// service's own library.
	pin func(e Entry, as func(any) bool) error
	// same checks that an answer is of the entry, and of the bytes that were asked for.
	same func(e Entry, offset int64, r *blob.Reader) error
	// once has a list not be made again by the library; nil where open saw to it.
	once func(as func(any) bool) error
	// context has its requests not be made again by the library; nil where one of the
	// other two does.
	context func(context.Context) context.Context
	// open opens a bucket by its URL; nil is as gocloud.dev does.
	open func(ctx context.Context, u *url.URL) (*blob.Bucket, error)
	// replaces has an object written in the place of a version alone; nil where its
	// requests are made in another way.
	replaces func(version string, as func(any) bool) error
	// often is context for the parts of a large object, which the library has to send
	// again by itself; nil where sends sees to it.
	often func(context.Context) context.Context
	// sends has the library make requests of a large object again; nil where it does.
	sends func(as func(any) bool) error
	// version is that of a listed object.
	version func(o *blob.ListObject) string
	// status is the HTTP status of an error, 0 where there was no answer, and what the
	// service says.
	status func(err error) (int, string)
}

// bucket reads objects below a prefix of a bucket.
type bucket struct {
	*service
	blobs  *blob.Bucket
	url    *url.URL
	prefix string // "" or with a slash behind it
}

// openBucket opens a bucket by the URL of its scheme. Nothing is asked of it yet.
func openBucket(ctx context.Context, u *url.URL, s *service) (driver, error) {
	at := *u
	prefix := at.Path
	if prefix != "" {
		prefix += "/"
	}
	at.Path = ""
	var b *blob.Bucket
	var err error
	if s.open != nil {
		b, err = s.open(ctx, &at)
	} else {
		b, err = blob.OpenBucket(ctx, at.String())
	}
	if err != nil {
		return nil, err
	}
	return &bucket{s, b, u, prefix}, nil
}

// own is the context of a request.
func (b *bucket) own(ctx context.Context) context.Context {
	if b.context == nil {
		return ctx
	}
	return b.context(ctx)
}

func (b *bucket) close() error { return b.blobs.Close() }

const (
	pageSize = 1000
	// maxListed bounds the objects of one folder.
	maxListed = 100_000
)

func (b *bucket) list(ctx context.Context, folder string) ([]Entry, error) {
	prefix := b.prefix
	if folder != "" {
		prefix += folder + "/"
	}
	opts := &blob.ListOptions{Prefix: prefix, Delimiter: "/"}
	if b.once != nil {
		opts.BeforeList = b.once
	}
	var entries []Entry
	for token := blob.FirstPageToken; len(token) > 0; {
		page, next, err := b.page(ctx, token, opts)
		if err != nil {
			return nil, err
		}
		for _, o := range page {
			name := strings.TrimSuffix(strings.TrimPrefix(o.Key, b.prefix), "/")
			if o.Key == prefix || name == "" { // the mark of a folder that some tools write
				continue
			}
			entries = append(entries, b.entry(name, o))
		}
		if len(entries) > maxListed {
			return nil, fmt.Errorf("over %d objects: expected the folder of one model", maxListed)
		}
		token = next
	}
	return entries, nil
}

// page asks for a part of a list.
func (b *bucket) page(ctx context.Context, token []byte, opts *blob.ListOptions) ([]*blob.ListObject, []byte, error) {
	ctx, cancel := context.WithTimeout(b.own(ctx), stall)
	defer cancel()
	page, next, err := b.blobs.ListPage(ctx, token, pageSize, opts)
	if err != nil {
		return nil, nil, b.failure(err)
	}
	return page, next, nil
}

func (b *bucket) read(ctx context.Context, e Entry, offset, length int64) (_ io.ReadCloser, err error) {
	defer func() { // gocloud.dev 0.49.0 takes headers of Azure's answers to be there
		if p := recover(); p != nil {
			err = &failure{err: fmt.Errorf("an answer that cannot be read (%v)", p)}
		}
	}()
	r, err := b.blobs.NewRangeReader(b.own(ctx), b.prefix+e.Name, offset, length, &blob.ReaderOptions{BeforeRead: func(as func(any) bool) error { return b.pin(e, as) }})
	if err != nil {
		return nil, b.failure(err)
	}
	if r.Size() != e.Size {
		err = changed("it has %d bytes, listed were %d", r.Size(), e.Size)
	} else {
		err = b.same(e, offset, r)
	}
	if err != nil {
		r.Close()
		return nil, err
	}
	return body{r, b}, nil
}

// body is an answer whose errors are failures.
type body struct {
	*blob.Reader
	of *bucket
}

func (r body) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err != nil && err != io.EOF {
		err = r.of.failure(err)
	}
	return n, err
}

// failure says what an error of a request amounts to.
func (b *bucket) failure(err error) error {
	if strings.Contains(err.Error(), "partial request not satisfied") { // Google's library, which checks it itself
		return &failure{err: fmt.Errorf("%w: %s", &short{err}, noRanges)}
	}
	switch status, says := b.status(err); {
	case status >= 200 && status < 300: // that it breaks off is what is wrong
		return &failure{err: errors.New("the answer breaks off"), again: true}
	case status != 0:
		return byStatus(status, says)
	}
	return broken(&short{err})
}

// broken is the failure of a request without an answer.
func broken(err error) error {
	var at net.Error
	var dns *net.DNSError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), strings.Contains(err.Error(), closedIdle):
		return &failure{err: err, again: true}
	case errors.Is(err, syscall.ECONNREFUSED), errors.As(err, &dns):
		return &failure{err: err, again: true, refused: true}
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &at) && at.Timeout():
		return &failure{err: err, again: true}
	}
	return &failure{err: err}
}

// closedIdle is net/http's error, which has no name, of a request with a body on a
// connection that the service gave up at that moment: net/http repeats others itself.
const closedIdle = "server closed idle connection"

// short says an error of a library in one line.
type short struct{ error }

func (s *short) Error() string {
	text := strings.TrimPrefix(s.error.Error(), "blob ")
	if at := (*url.Error)(nil); errors.As(s.error, &at) { // not the request's URL, which has a query
		text = at.Err.Error()
	}
	text, _, _ = strings.Cut(text, "\n")
	return text
}

func (s *short) Unwrap() error { return s.error }

const noRanges = "the service reads no ranges"

// ranged checks the range that an answer says it has, "" where it says none.
func ranged(said string, offset int64) error {
	if want := fmt.Sprintf("bytes %d-", offset); said != "" && !strings.HasPrefix(said, want) || said == "" && offset > 0 {
		return &failure{err: fmt.Errorf("the answer holds %q, asked for were bytes from %d on: %s", said, offset, noRanges)}
	}
	return nil
}
