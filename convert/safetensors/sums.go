package safetensors

import (
	"fmt"
	"hash/crc32"
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
