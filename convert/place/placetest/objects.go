package placetest

import (
	"context"
	"io"
	"strings"
	"testing"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"gocloud.dev/blob"
)

// Objects lists the names of all objects below a folder of the bucket, in it.
func (s *Server) Objects(t testing.TB, folder string) []string {
	t.Helper()
	var list []string
	s.with(t, func(ctx context.Context, b *blob.Bucket) error {
		for i := b.List(&blob.ListOptions{Prefix: folder + "/"}); ; {
			o, err := i.Next(ctx)
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			list = append(list, strings.TrimPrefix(o.Key, folder+"/"))
		}
	})
	return list
}

// Get reads an object.
func (s *Server) Get(t testing.TB, name string) (data []byte) {
	t.Helper()
	s.with(t, func(ctx context.Context, b *blob.Bucket) (err error) {
		data, err = b.ReadAll(ctx, name)
		return err
	})
	return data
}

// Uploads counts the uploads to S3 that nobody finished; other services list none.
func (s *Server) Uploads(t testing.TB) (n int) {
	t.Helper()
	s.with(t, func(ctx context.Context, b *blob.Bucket) error {
		var client *awss3.Client
		if !b.As(&client) {
			return nil
		}
		out, err := client.ListMultipartUploads(ctx, &awss3.ListMultipartUploadsInput{Bucket: &s.Bucket})
		if err == nil {
			n = len(out.Uploads)
		}
		return err
	})
	return n
}
