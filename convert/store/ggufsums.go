package store

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/convert/gguf"
	"github.com/pecvt/pecvt/convert/safetensors"
)

// GGUFSums is the key by which a GGUF file has the sums of its header and its tensors, as
// pecvt.json has those of a folder: in the order of their places. While the header
// is summed it holds dashes, and keeps them where the data were not read.
const GGUFSums = "pecvt.crc32c"

// NoGGUFSums has room for the sums of a file.
func NoGGUFSums(h *gguf.Header) gguf.KV {
	return gguf.NewText(GGUFSums, strings.Repeat("-", safetensors.SumDigits*(1+len(h.Tensors))))
}

// GGUFParts gives where the header and each tensor of a file end, by what they are called.
func GGUFParts(h *gguf.Header, start int64) (map[string]int64, error) {
	ends := map[string]int64{"its header": start}
	for _, t := range h.Tensors {
		n, err := t.Bytes()
		if err != nil {
			return nil, err
		}
		ends[fmt.Sprintf("tensor %q", t.Name)] = start + t.Offset + n
	}
	return ends, nil
}

// Sums is what the sums that a GGUF file has say of its bytes.
type Sums struct {
	// Known is false for a file that pecvt did not write, or wrote without sums, Read
	// for one that shares its source's blocks, so that its bytes were not read.
	Known, Read bool
	// Unlike says which part does not hold the bytes that were written, "" where all do.
	Unlike string
}

// CompareSums reads a GGUF file and compares its header and its tensors with the sums
// that a conversion wrote into it.
func CompareSums(ctx context.Context, path string) (Sums, error) {
	f, err := gguf.Open(path)
	if err != nil {
		return Sums{}, err
	}
	defer f.Close()
	kv, ok := f.Header.Find(GGUFSums)
	if !ok {
		return Sums{}, nil
	}
	name := filepath.Base(path)
	ends, err := GGUFParts(f.Header, f.DataStart())
	if err != nil {
		return Sums{}, err
	}
	parts := slices.SortedFunc(maps.Keys(ends), func(a, b string) int { return cmp.Compare(ends[a], ends[b]) })
	want, err := kv.Text()
	if err != nil || len(want) != len(parts)*safetensors.SumDigits {
		return Sums{Known: true, Read: true, Unlike: fmt.Sprintf("%s: key %q holds no sums of %d tensors", name, GGUFSums, len(parts)-1)}, nil
	}
	if strings.HasPrefix(want, "-") {
		return Sums{Known: true}, nil
	}
	sums := safetensors.NewSums(slices.Collect(maps.Values(ends)))
	bare := *f.Header
	bare.KVs = slices.Clone(bare.KVs)
	bare.Set(NoGGUFSums(&bare))
	header, err := bare.Encode()
	if err != nil {
		return Sums{}, err
	}
	sums.Write(header)
	if err := safetensors.SumFile(ctx, sums, path, int64(len(header))); err != nil {
		return Sums{}, err
	}
	return Sums{Known: true, Read: true, Unlike: safetensors.Unlike(name, parts, sums.String(), want, "key "+GGUFSums)}, nil
}
