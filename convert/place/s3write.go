package place

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/logging"
	"golang.org/x/sync/errgroup"
)

const (
	// copyWhole is up to which size an object is copied in one request, copyPart the
	// parts of larger ones: a request that takes long is one that a proxy ends. S3 copies
	// at most 5 GB at once.
	copyWhole = 256 << 20
	copyPart  = 256 << 20
	// copyPatience bounds a request that copies.
	copyPatience = 10 * time.Minute
)

// s3Writer writes to a bucket through S3's own requests: gocloud.dev copies no object
// above 5 GB, and leaves an upload that a killed process began.
type s3Writer struct {
	*bucket
	client *s3.Client
	name   string
	sse    types.ServerSideEncryption
	kms    *string
}

func writeS3(d driver) writer {
	b := d.(*bucket)
	w := &s3Writer{bucket: b, name: b.url.Host}
	b.blobs.As(&w.client)
	q := b.url.Query()
	w.sse = types.ServerSideEncryption(q.Get("ssetype"))
	if k := q.Get("kmskeyid"); k != "" {
		w.kms = &k
	}
	return w
}

// call has a request made once: [Folder] makes it again.
func call(o *s3.Options) { o.Retryer, o.Logger = aws.NopRetryer{}, logging.Nop{} }

func (w *s3Writer) key(name string) *string { return aws.String(w.prefix + name) }

func (w *s3Writer) put(ctx context.Context, name string, data []byte, expect string) (string, error) {
	in := &s3.PutObjectInput{Bucket: &w.name, Key: w.key(name), Body: bytes.NewReader(data), ServerSideEncryption: w.sse, SSEKMSKeyId: w.kms}
	switch expect {
	case "":
	case absent:
		in.IfNoneMatch = aws.String("*")
	default:
		in.IfMatch = &expect
	}
	ctx, cancel := outliving(ctx)
	defer cancel()
	out, err := w.client.PutObject(ctx, in, call)
	if err != nil && expect != "" && w.lacks(err) {
		return "", fmt.Errorf("%w: %w", w.failure(err), errors.ErrUnsupported)
	} else if err != nil {
		return "", w.failure(err)
	}
	return aws.ToString(out.ETag), nil
}

// maybe is the failure of an error, nil of none.
func (b *bucket) maybe(err error) error {
	if err == nil {
		return nil
	}
	return b.failure(err)
}

func (w *s3Writer) remove(ctx context.Context, name string) error {
	_, err := w.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &w.name, Key: w.key(name)}, call)
	return w.maybe(err)
}

// abandon looks through the uploads below the prefix.
func (w *s3Writer) abandon(ctx context.Context, stray func(name, id string) bool) error {
	in := &s3.ListMultipartUploadsInput{Bucket: &w.name, Prefix: &w.prefix}
	for {
		page, err := w.client.ListMultipartUploads(ctx, in, call)
		if err != nil {
			return w.failure(err)
		}
		for _, u := range page.Uploads {
			key := aws.ToString(u.Key)
			if len(key) <= len(w.prefix) || !stray(key[len(w.prefix):], aws.ToString(u.UploadId)) {
				continue
			}
			_, err := w.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &w.name, Key: u.Key, UploadId: u.UploadId}, call)
			if err := w.maybe(err); err != nil && !isAbsent(err) {
				return err
			}
		}
		if !aws.ToBool(page.IsTruncated) {
			return nil
		}
		in.KeyMarker, in.UploadIdMarker = page.NextKeyMarker, page.NextUploadIdMarker
	}
}

// s3Upload is a multipart upload.
type s3Upload struct {
	*s3Writer
	key    *string
	upload *string // its id
	length int64

	mu    sync.Mutex
	parts []types.CompletedPart
	there map[int]types.Part // what an older run sent
}

func (w *s3Writer) begin(ctx context.Context, name string, size int64) (upload, error) {
	return w.start(ctx, name, size, partOf(size), types.ChecksumAlgorithmCrc32)
}

// start begins an upload whose parts have sums that the server compares, or none.
func (w *s3Writer) start(ctx context.Context, name string, size, length int64, sums types.ChecksumAlgorithm) (*s3Upload, error) {
	key := w.key(name)
	ctx, cancel := outliving(ctx)
	defer cancel()
	out, err := w.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &w.name, Key: key, ChecksumAlgorithm: sums, ServerSideEncryption: w.sse, SSEKMSKeyId: w.kms}, call)
	if err != nil {
		return nil, w.failure(err)
	}
	return w.uploadOf(key, out.UploadId, size, length), nil
}

func (w *s3Writer) uploadOf(key, id *string, size, length int64) *s3Upload {
	return &s3Upload{s3Writer: w, key: key, upload: id, length: length, parts: make([]types.CompletedPart, (size+length-1)/length), there: map[int]types.Part{}}
}

func (u *s3Upload) atOnce() int  { return sentAtOnce }
func (u *s3Upload) bytes() int64 { return u.length }

func (u *s3Upload) part(ctx context.Context, n int, data []byte) error {
	out, err := u.client.UploadPart(ctx, &s3.UploadPartInput{Bucket: &u.name, Key: u.key, UploadId: u.upload, ChecksumAlgorithm: types.ChecksumAlgorithmCrc32, PartNumber: aws.Int32(int32(n + 1)), Body: bytes.NewReader(data)}, call)
	if err != nil {
		return u.failure(err)
	}
	u.note(n, out.ETag, out.ChecksumCRC32)
	return nil
}

func (u *s3Upload) finish(ctx context.Context) error {
	ctx, cancel := outliving(ctx)
	defer cancel()
	_, err := u.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: &u.name, Key: u.key, UploadId: u.upload, MultipartUpload: &types.CompletedMultipartUpload{Parts: u.parts}}, call)
	return u.maybe(err)
}

// abort ends the upload. A part that the service is still taking may bring it back, so it
// is ended until the service no longer knows it.
func (u *s3Upload) abort(ctx context.Context) {
	for wait := 20 * time.Millisecond; wait < time.Second; wait *= 2 {
		_, err := u.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &u.name, Key: u.key, UploadId: u.upload}, call)
		if status, _ := statusS3(err); err != nil && status != http.StatusNotFound {
			return
		} else if err != nil && wait > 40*time.Millisecond { // the third time or later
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// copy has the server copy an object of any of its buckets, in parts where it is large.
func (w *s3Writer) copy(ctx context.Context, from driver, e Entry, name string, progress func(int64)) (err error) {
	b, ok := from.(*bucket)
	if !ok || b.url.Scheme != w.url.Scheme {
		return errors.ErrUnsupported
	}
	source := aws.String(url.PathEscape(b.url.Host) + "/" + escapePath(b.prefix+e.Name))
	var match *string
	if e.Version != "" {
		match = aws.String(e.Version)
	}
	if e.Size <= copyWhole {
		ctx, cancel := context.WithTimeout(ctx, copyPatience)
		defer cancel()
		ctx, end := outliving(ctx)
		defer end()
		_, err := w.client.CopyObject(ctx, &s3.CopyObjectInput{Bucket: &w.name, Key: w.key(name), CopySource: source, CopySourceIfMatch: match, ServerSideEncryption: w.sse, SSEKMSKeyId: w.kms}, call)
		if err == nil {
			progress(e.Size)
		}
		return w.orUnsupported(err)
	}
	u, err := w.start(ctx, name, e.Size, max(copyPart, partOf(e.Size)), "")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
			defer cancel()
			u.abort(ctx)
		}
	}()
	g, inGroup := errgroup.WithContext(ctx)
	g.SetLimit(sentAtOnce)
	var mu sync.Mutex // progress is told of one part at a time
	for n := range u.parts {
		at := int64(n) * u.length
		end := min(at+u.length, e.Size)
		g.Go(func() error {
			ctx, cancel := context.WithTimeout(inGroup, copyPatience)
			defer cancel()
			out, err := w.client.UploadPartCopy(ctx, &s3.UploadPartCopyInput{Bucket: &w.name, Key: u.key, UploadId: u.upload, PartNumber: aws.Int32(int32(n + 1)), CopySource: source, CopySourceIfMatch: match, CopySourceRange: aws.String(fmt.Sprintf("bytes=%d-%d", at, end-1))}, call)
			if err != nil {
				return w.orUnsupported(err)
			}
			u.note(n, out.CopyPartResult.ETag, nil)
			mu.Lock()
			defer mu.Unlock()
			progress(end - at)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return u.finish(ctx)
}

// orUnsupported is the failure of a request that there is another way for: what the
// service does not have is errors.ErrUnsupported.
func (w *s3Writer) orUnsupported(err error) error {
	if err == nil {
		return nil
	}
	if w.lacks(err) {
		return errors.ErrUnsupported
	}
	return w.failure(err)
}

// lacks tells whether an answer is that the service does not have what was asked for.
func (b *bucket) lacks(err error) bool {
	status, says := b.status(err)
	says = strings.ToLower(says)
	return status == 501 || status == 405 || status == 400 && (strings.Contains(says, "notimplemented") || strings.Contains(says, "not implemented"))
}
