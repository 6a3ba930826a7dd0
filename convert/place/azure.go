package place

import (
	"context"
	"errors"
	"net/url"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	azblob "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"gocloud.dev/blob"
	"gocloud.dev/blob/azureblob"
)

func openAzure(ctx context.Context, p Place) (driver, error) {
	return openBucket(ctx, p.url, &service{open: bucketAzure, context: onceAzure, often: oftenAzure, pin: pinAzure, replaces: replacesAzure, same: sameAzure, version: versionAzure, status: statusAzure})
}

// bucketAzure opens a container as gocloud.dev does by its URL, by the environment as it
// is now.
func bucketAzure(ctx context.Context, u *url.URL) (*blob.Bucket, error) {
	opener := &azureblob.URLOpener{MakeClient: azureblob.NewDefaultClient, ServiceURLOptions: *azureblob.NewDefaultServiceURLOptions()}
	b, err := opener.OpenBucketURL(ctx, u)
	if err != nil {
		return nil, &short{err}
	}
	return b, nil
}

// oftenAzure has a part of a large object sent as often as [Folder] would.
func oftenAzure(ctx context.Context) context.Context {
	return policy.WithRetryOptions(ctx, policy.RetryOptions{MaxRetries: tries - 1, RetryDelay: firstWait})
}

// onceAzure leaves it to [Folder] how often a request is made.
func onceAzure(ctx context.Context) context.Context {
	return policy.WithRetryOptions(ctx, policy.RetryOptions{MaxRetries: -1})
}

func pinAzure(e Entry, as func(any) bool) error {
	var options *azblob.DownloadStreamOptions
	if as(&options) && e.Version != "" {
		tag := azcore.ETag(e.Version)
		options.AccessConditions = &azblob.AccessConditions{ModifiedAccessConditions: &azblob.ModifiedAccessConditions{IfMatch: &tag}}
	}
	return nil
}

func replacesAzure(version string, as func(any) bool) error {
	var options *blockblob.UploadStreamOptions
	if as(&options) {
		tag := azcore.ETag(version)
		options.AccessConditions = &azblob.AccessConditions{ModifiedAccessConditions: &azblob.ModifiedAccessConditions{IfMatch: &tag}}
	}
	return nil
}

func sameAzure(e Entry, offset int64, r *blob.Reader) error {
	var out azblob.DownloadStreamResponse
	if !r.As(&out) {
		return nil
	}
	if out.ETag != nil && e.Version != "" && string(*out.ETag) != e.Version {
		return changed("its ETag is %s, listed was %s", *out.ETag, e.Version)
	}
	said := ""
	if out.ContentRange != nil {
		said = *out.ContentRange
	}
	return ranged(said, offset)
}

func versionAzure(o *blob.ListObject) string {
	var item container.BlobItem
	if !o.As(&item) || item.Properties == nil || item.Properties.ETag == nil {
		return ""
	}
	return quoted(string(*item.Properties.ETag))
}

// quoted is an ETag as headers have it: lists of Azure have it without quotes.
func quoted(tag string) string {
	if len(tag) > 0 && tag[0] != '"' {
		return `"` + tag + `"`
	}
	return tag
}

func statusAzure(err error) (int, string) {
	var answer *azcore.ResponseError
	if errors.As(err, &answer) {
		if answer.ErrorCode == "BlobAlreadyExists" { // 409, which others say of what may pass
			return 412, answer.ErrorCode
		}
		return answer.StatusCode, answer.ErrorCode
	}
	return 0, ""
}
