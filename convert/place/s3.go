package place

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"
	"gocloud.dev/blob"
	_ "gocloud.dev/blob/s3blob" // opens s3://
)

func openS3(ctx context.Context, p Place) (driver, error) {
	return openBucket(ctx, p.url, &service{pin: pinS3, same: sameS3, once: onceS3, version: versionS3, status: statusS3})
}

// onceS3 leaves it to [Folder] how often a request is made.
func onceS3(as func(any) bool) error {
	var options *[]func(*s3.Options)
	if as(&options) {
		*options = append(*options, func(o *s3.Options) {
			o.Retryer = aws.NopRetryer{}
			o.Logger = logging.Nop{}                           // what went wrong is told by us, once
			o.DisableLogOutputChecksumValidationSkipped = true // no object's sum is of a part
		})
	}
	return nil
}

func pinS3(e Entry, as func(any) bool) error {
	var in *s3.GetObjectInput
	if as(&in) && e.Version != "" {
		in.IfMatch = aws.String(e.Version)
	}
	return onceS3(as)
}

func sameS3(e Entry, offset int64, r *blob.Reader) error {
	var out s3.GetObjectOutput
	if !r.As(&out) {
		return nil
	}
	if got := aws.ToString(out.ETag); got != e.Version && got != "" && e.Version != "" {
		return changed("its ETag is %s, listed was %s", got, e.Version)
	}
	return ranged(aws.ToString(out.ContentRange), offset)
}

func versionS3(o *blob.ListObject) string {
	var object types.Object
	if !o.As(&object) {
		return ""
	}
	return aws.ToString(object.ETag)
}

func statusS3(err error) (int, string) {
	var answer interface{ HTTPStatusCode() int }
	if !errors.As(err, &answer) {
		return 0, ""
	}
	var says smithy.APIError
	if !errors.As(err, &says) {
		return answer.HTTPStatusCode(), ""
	}
	return answer.HTTPStatusCode(), strings.TrimSuffix(says.ErrorCode()+": "+says.ErrorMessage(), ": ")
}
