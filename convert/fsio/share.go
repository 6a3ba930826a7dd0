package fsio

import (
	"context"
	"fmt"
	"io"
	"os"
)

// Block is the alignment at which ranges of files can share blocks: offsets in
// both files that are equal modulo Block. It is the usual block of the file
// systems that have reflinks, and a multiple of smaller ones; where theirs is
// larger, a range is copied.
const Block = 4096

// ShareRange writes length bytes of src, from offset, to dst at position at: the
// whole blocks in it as a reflink where the two positions are equal modulo [Block]
// and the file system can, and all else as [CopyRange] does. It leaves dst's
// position at the end of what it wrote. The action is Reflinked where any block is
// shared; else see, where it is not nil, is shown all bytes.
func ShareRange(ctx context.Context, dst *os.File, at int64, src *os.File, offset, length int64, see io.Writer, progress Progress) (Action, error) {
	head := (Block - offset%Block) % Block
	body := (length - head) / Block * Block
	if at%Block == offset%Block && body > 0 {
		if err := ctx.Err(); err != nil {
			return "", fmt.Errorf("copy %s: %w", src.Name(), err)
		}
		if reflinkRange(dst, at+head, src, offset+head, body) {
			if err := copyTo(ctx, dst, at, src, offset, head, nil, progress); err != nil {
				return "", err
			}
			if progress != nil {
				progress(body)
			}
			done := head + body
			return Reflinked, copyTo(ctx, dst, at+done, src, offset+done, length-done, nil, progress)
		}
	}
	return Copied, copyTo(ctx, dst, at, src, offset, length, see, progress)
}

// copyTo is CopyRange to a position of dst.
func copyTo(ctx context.Context, dst *os.File, at int64, src *os.File, offset, length int64, see io.Writer, progress Progress) error {
	if _, err := dst.Seek(at, io.SeekStart); err != nil {
		return WriteError(dst.Name(), err)
	}
	return CopyRange(ctx, dst, src, offset, length, see, progress)
}
