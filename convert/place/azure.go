package place

import (
	"context"
	"errors"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	azblob "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"gocloud.dev/blob"
	_ "gocloud.dev/blob/azureblob" // opens azblob://
)

func openAzure(ctx context.Context, p Place) (driver, error) {
	return openBucket(ctx, p.url, &service{pin: pinAzure, same: sameAzure, version: versionAzure, status: statusAzure})
}

func pinAzure(e Entry, as func(any) bool) error {
	var options *azblob.DownloadStreamOptions
	if as(&options) && e.Version != "" {
		tag := azcore.ETag(e.Version)
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
		return answer.StatusCode, answer.ErrorCode
	}
	return 0, ""
}
