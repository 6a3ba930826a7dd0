package place

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// resume lists the parts of an upload that an older run began.
func (w *s3Writer) resume(ctx context.Context, name, id string, size int64) (upload, error) {
	u := w.uploadOf(w.key(name), &id, size, partOf(size))
	in := &s3.ListPartsInput{Bucket: &w.name, Key: u.key, UploadId: u.upload}
	for {
		page, err := w.client.ListParts(ctx, in, call)
		if err = w.orUnsupported(err); errors.Is(err, errors.ErrUnsupported) { // all parts are sent again
			return u, nil
		} else if err != nil {
			return nil, err
		}
		for _, p := range page.Parts {
			u.there[int(aws.ToInt32(p.PartNumber))-1] = p
		}
		if !aws.ToBool(page.IsTruncated) || aws.ToString(page.NextPartNumberMarker) == "" {
			return u, nil
		}
		in.PartNumberMarker = page.NextPartNumberMarker
	}
}

func (u *s3Upload) id() string { return aws.ToString(u.upload) }

// has compares a part with the sum that the service took of it: the CRC-32 that its
// upload was begun with, or the MD5 that an ETag is where no key of the service's encrypts
// it. A part without one of them is sent again.
func (u *s3Upload) has(n int, data []byte) bool {
	p, ok := u.there[n]
	if !ok || aws.ToInt64(p.Size) != int64(len(data)) {
		return false
	}
	if p.ChecksumCRC32 != nil {
		sum := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(data))
		ok = aws.ToString(p.ChecksumCRC32) == base64.StdEncoding.EncodeToString(sum)
	} else {
		sum := md5.Sum(data)
		ok = strings.Trim(aws.ToString(p.ETag), `"`) == hex.EncodeToString(sum[:])
	}
	if ok {
		u.note(n, p.ETag, p.ChecksumCRC32)
	}
	return ok
}

// note takes down a part that is there.
func (u *s3Upload) note(n int, tag, sum *string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.parts[n] = types.CompletedPart{PartNumber: aws.Int32(int32(n + 1)), ETag: tag, ChecksumCRC32: sum}
}

func (u *s3Upload) begun() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, p := range u.parts {
		if p.ETag != nil {
			return true
		}
	}
	return len(u.there) > 0
}
