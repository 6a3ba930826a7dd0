package safetensors

import (
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"slices"
	"strings"
)

// Sums is the CRC-32C (Castagnoli) of a file's parts: its header, and what follows up to
// the end of each tensor, in the order of their places. It is a Writer of the file's
// bytes. The sum finds every burst of up to 32 bits that changed, and any other change
// but for one in 2^32; it is no defence against who changes a file on purpose.
type Sums struct {
	ends []int64
	at   int64
	now  uint32
	done []uint32
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// NewSums sums the parts that end at these offsets of a file, in any order.
func NewSums(ends []int64) *Sums {
	s := &Sums{ends: slices.Sorted(slices.Values(ends))}
	s.pass()
	return s
}

// pass ends the parts that end here.
func (s *Sums) pass() {
	for len(s.done) < len(s.ends) && s.ends[len(s.done)] == s.at {
		s.done, s.now = append(s.done, s.now), 0
	}
}

// Write takes the next bytes; it gives no error.
func (s *Sums) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		part := p
		if len(s.done) < len(s.ends) {
			part = p[:min(int64(len(p)), s.ends[len(s.done)]-s.at)]
		}
		s.now = crc32.Update(s.now, castagnoli, part)
		s.at += int64(len(part))
		p = p[len(part):]
		s.pass()
	}
	return n, nil
}

// String is 8 hexadecimal digits a part, "" before the last one's end, and of nil.
func (s *Sums) String() string {
	if s == nil || len(s.done) < len(s.ends) {
		return ""
	}
	var b strings.Builder
	for _, sum := range s.done {
		fmt.Fprintf(&b, "%08x", sum)
	}
	return b.String()
}

// SumDigits is the length of one sum in [Sums.String].
const SumDigits = 8

// Resum sums the part that ends at an offset anew, from the file as it is now.
func (s *Sums) Resum(ctx context.Context, file io.ReaderAt, end int64) error {
	i, ok := slices.BinarySearch(s.ends, end)
	if !ok || i >= len(s.done) {
		return fmt.Errorf("internal error: no part that was summed ends at %d", end)
	}
	begin := int64(0)
	if i > 0 {
		begin = s.ends[i-1]
	}
	sum := NewSums([]int64{end - begin})
	if err := readInto(ctx, sum, io.NewSectionReader(file, begin, end-begin)); err != nil {
		return err
	}
	s.done[i] = sum.done[0] // BinarySearch finds the first; those behind it have no bytes
	return nil
}

// SumFile sums a file from an offset on, up to its end.
func SumFile(ctx context.Context, s *Sums, path string, from int64) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Seek(from, io.SeekStart); err != nil {
		return err
	}
	return readInto(ctx, s, f)
}

func readInto(ctx context.Context, s *Sums, r io.Reader) error {
	buffer := make([]byte, 256<<10)
	for {
		n, err := r.Read(buffer)
		s.Write(buffer[:n])
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
	}
}

// Unlike says which of a file's parts, in their order, has another sum than the one that
// was recorded, "" where none has; by says where that is.
func Unlike(name string, parts []string, got, want, by string) string {
	for i, part := range parts {
		at := i * SumDigits
		if len(got) != len(want) || got[at:at+SumDigits] != want[at:at+SumDigits] {
			return fmt.Sprintf("%s: %s does not hold the bytes that were written: its CRC-32C is %.8s, %s says %s", name, part, got[min(at, len(got)):], by, want[at:at+SumDigits])
		}
	}
	return ""
}
