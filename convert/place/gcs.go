package place

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"

	"cloud.google.com/go/storage"
	"gocloud.dev/blob"
	"gocloud.dev/blob/gcsblob"
	"gocloud.dev/gcp"
	"google.golang.org/api/googleapi"
)

// credentialsGCS is where they are read from.
const credentialsGCS = "Google's application default credentials (GOOGLE_APPLICATION_CREDENTIALS); anonymous=true in the URL's query reads a public bucket"

func openGCS(ctx context.Context, p Place) (driver, error) {
	return openBucket(ctx, p.url, &service{open: bucketGCS, pin: pinGCS, replaces: replacesGCS, sends: sendsGCS, same: sameGCS, version: versionGCS, status: statusGCS})
}

// bucketGCS opens a bucket as gocloud.dev does by its URL, but for what that prints on
// stdout where there are no credentials, which is an error here, and without requests
// that the library makes again by itself.
func bucketGCS(ctx context.Context, u *url.URL) (*blob.Bucket, error) {
	opener := &gcsblob.URLOpener{Client: gcp.NewAnonymousHTTPClient(gcp.DefaultTransport())}
	q := u.Query()
	if anonymous, _ := strconv.ParseBool(q.Get("anonymous")); !anonymous && q.Get("access_id") != "-" && os.Getenv("STORAGE_EMULATOR_HOST") == "" {
		creds, err := gcp.DefaultCredentials(ctx)
		if err != nil {
			return nil, fmt.Errorf("no credentials (%w): expected %s", &short{err}, credentialsGCS)
		}
		if opener.Client, err = gcp.NewHTTPClient(gcp.DefaultTransport(), creds.TokenSource); err != nil {
			return nil, err
		}
		opener.TokenSource = gcp.CredentialsTokenSource(creds)
	}
	b, err := opener.OpenBucketURL(ctx, u)
	if err != nil {
		return nil, &short{err}
	}
	var client *storage.Client
	if b.As(&client) {
		client.SetRetry(storage.WithPolicy(storage.RetryNever))
	}
	return b, nil
}

func pinGCS(e Entry, as func(any) bool) error {
	var object **storage.ObjectHandle
	if !as(&object) {
		return nil
	}
	if generation, err := strconv.ParseInt(e.Version, 10, 64); err == nil {
		*object = (*object).If(storage.Conditions{GenerationMatch: generation})
	}
	return nil
}

// sendsGCS has the library send parts of a large object again: one that it gives up cannot
// be begun anew from the middle.
func sendsGCS(as func(any) bool) error {
	var object **storage.ObjectHandle
	if as(&object) {
		*object = (*object).Retryer(storage.WithPolicy(storage.RetryAlways))
	}
	return nil
}

func replacesGCS(version string, as func(any) bool) error {
	var object **storage.ObjectHandle
	if generation, err := strconv.ParseInt(version, 10, 64); err == nil && as(&object) {
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
