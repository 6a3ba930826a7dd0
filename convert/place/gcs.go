package place

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"cloud.google.com/go/storage"
	"gocloud.dev/blob"
	_ "gocloud.dev/blob/gcsblob" // opens gs://
	"google.golang.org/api/googleapi"
)

func openGCS(ctx context.Context, p Place) (driver, error) {
	return openBucket(ctx, p.url, &service{pin: pinGCS, same: sameGCS, version: versionGCS, status: statusGCS})
}

func pinGCS(e Entry, as func(any) bool) error {
	var object **storage.ObjectHandle
	if !as(&object) {
		return nil
	}
	*object = (*object).Retryer(storage.WithPolicy(storage.RetryNever))
	if generation, err := strconv.ParseInt(e.Version, 10, 64); err == nil {
		*object = (*object).If(storage.Conditions{GenerationMatch: generation})
	}
	return nil
}

// sameGCS trusts the library with the range, which it checks itself.
func sameGCS(e Entry, _ int64, r *blob.Reader) error {
	var out *storage.Reader
	if !r.As(&out) || e.Version == "" {
		return nil
	}
	if got := strconv.FormatInt(out.Attrs.Generation, 10); out.Attrs.Generation != 0 && got != e.Version {
		return changed("its generation is %s, listed was %s", got, e.Version)
	}
	return nil
}

func versionGCS(o *blob.ListObject) string {
	var attrs storage.ObjectAttrs
	if !o.As(&attrs) || attrs.Generation == 0 {
		return ""
	}
	return strconv.FormatInt(attrs.Generation, 10)
}

func statusGCS(err error) (int, string) {
	var answer *googleapi.Error
	switch {
	case errors.As(err, &answer):
		return answer.Code, strings.TrimSpace(answer.Message)
	case errors.Is(err, storage.ErrObjectNotExist), errors.Is(err, storage.ErrBucketNotExist):
		return 404, err.Error()
	}
	return 0, ""
}
