package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/posenc"
)

const (
	// maxHeader bounds the JSON header, as the reference implementation does.
	maxHeader = 100_000_000
	// maxRank bounds the dimensions of a tensor: PyTorch and NumPy stop at 64.
	maxRank = 64
	// prefix is the length field in front of the header.
	prefix = 8

	metadataKey = "__metadata__"
)

// Info says what a header tells of one tensor. Begin and End count bytes from
// the end of the header.
type Info struct {
	Name       string
	DType      tensor.DType
	Shape      []int64
	Begin, End int64
}

// Bytes gives the size of the tensor's data.
func (i Info) Bytes() int64 { return i.End - i.Begin }

// headerLength checks the first 8 bytes of a file of the given size and gives
// the length of the JSON header.
func headerLength(path string, first [prefix]byte, size int64) (int64, error) {
	n := binary.LittleEndian.Uint64(first[:])
	switch {
	case n > maxHeader:
		if what, known := foreign(first); known {
			return 0, formatErrorf(path, "", "%s", what)
		}
		return 0, formatErrorf(path, "", "the header length is %d, above the format's limit of %d: this is not a safetensors file", n, maxHeader)
	case int64(n) > size-prefix:
		return 0, formatErrorf(path, "", "the header length is %d, the file has only %d bytes after it: the file is truncated; download it again", n, size-prefix)
	case n < 2:
		return 0, formatErrorf(path, "", "the header length is %d, too short for a JSON object: this is not a safetensors file", n)
	}
	return int64(n), nil
}

// foreign recognizes by their first bytes the files that are most often found
// under a .safetensors name.
func foreign(first [prefix]byte) (what string, known bool) {
	for _, f := range []struct{ begin, what string }{
		{"version ", "this is a Git LFS pointer, not the file itself: fetch the file with git lfs pull"},
		{"<!DOCTYP", "this is a web page, perhaps an error or a login page: download the file again"},
		{"<!doctyp", "this is a web page, perhaps an error or a login page: download the file again"},
		{"<html", "this is a web page, perhaps an error or a login page: download the file again"},
		{"GGUF", "this is a GGUF file, not a safetensors file"},
		{"PK\x03\x04", "this is a zip archive, perhaps a PyTorch checkpoint, not a safetensors file"},
	} {
		if strings.HasPrefix(string(first[:]), f.begin) {
			return f.what, true
		}
	}
	return "", false
}

// parseHeader reads and checks a JSON header in front of dataSize bytes of data.
// The tensors come in the order of their data.
func parseHeader(path string, text []byte, dataSize int64) ([]Info, map[string]string, error) {
	if text[0] != '{' {
		return nil, nil, formatErrorf(path, "", "the header begins with %q, expected '{': this is not a safetensors file", text[0])
	}
	s, err := newStrictJSON(text)
	if err != nil {
		return nil, nil, formatErrorf(path, "", "header: %v: the file is damaged; download it again", err)
	}
	var (
		infos    []Info
		metadata map[string]string
	)
	infos = make([]Info, 0, bytes.Count(text, []byte(`"data_offsets"`))) // about: a name may say so too
	err = s.object(func(key string) error {
		if key == metadataKey {
			metadata, err = parseMetadata(s)
			if err != nil {
				return formatErrorf(path, "", "%s: %v", metadataKey, err)
			}
			return nil
		}
		info, err := parseInfo(s, key)
		if err != nil {
			bad := &FormatError{Path: path, Tensor: key, Reason: err.Error()}
			if errors.Is(err, posenc.ErrUnsupported) {
				bad.kind = posenc.ErrUnsupported
			}
			return bad
		}
		infos = append(infos, info)
		return nil
	})
	if err != nil {
		if _, ok := err.(*FormatError); !ok {
			err = formatErrorf(path, "", "header: %v", err)
		}
		return nil, nil, err
	}
	if err := checkLayout(path, infos, dataSize); err != nil {
		return nil, nil, err
	}
	return infos, metadata, nil
}

func parseMetadata(s *strictJSON) (map[string]string, error) {
	metadata := map[string]string{}
	err := s.object(func(key string) error {
		v, err := s.string()
		if err != nil {
			return fmt.Errorf("key %q: %w: metadata values are strings", clip(key), err)
		}
		metadata[key] = v
		return nil
	})
	return metadata, err
}

func parseInfo(s *strictJSON, name string) (Info, error) {
	info := Info{Name: name}
	var hasDType, hasShape, hasOffsets bool
	err := s.object(func(key string) (err error) {
		switch key {
		case "dtype":
			hasDType = true
			var spelled string
			if spelled, err = s.string(); err == nil {
				err = checkRead(spelled)
			}
			if err == nil {
				info.DType, err = tensor.ParseDType(clip(spelled))
			}
		case "shape":
			hasShape = true
			var shape []int64
			if shape, err = s.naturals(maxRank); err == nil {
				info.Shape = s.packNumbers(shape)
			}
		case "data_offsets":
			hasOffsets = true
			var o []int64
			if o, err = s.naturals(2); err == nil {
				if len(o) != 2 {
					return fmt.Errorf("data_offsets has %d numbers, expected 2", len(o))
				}
				info.Begin, info.End = o[0], o[1]
			}
		default:
			return fmt.Errorf("unknown key %q: known are dtype, shape, data_offsets", clip(key))
		}
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		return nil
	})
	if err != nil {
		return info, err
	}
	for _, k := range []struct {
		key string
		has bool
	}{{"dtype", hasDType}, {"shape", hasShape}, {"data_offsets", hasOffsets}} {
		if !k.has {
			return info, fmt.Errorf("the key %s is missing", k.key)
		}
	}
	if info.Begin > info.End {
		return info, fmt.Errorf("data_offsets [%d, %d]: the end is before the beginning", info.Begin, info.End)
	}
	need, err := tensor.ByteSize(info.DType, info.Shape)
	if err != nil {
		return info, err
	}
	if need != info.Bytes() {
		return info, fmt.Errorf("shape %v of %s needs %d bytes, data_offsets [%d, %d] hold %d: the header is damaged; download the file again",
			info.Shape, info.DType, need, info.Begin, info.End, info.Bytes())
	}
	return info, nil
}

// checkLayout sorts the tensors by their place and checks that they cover the
// data exactly.
func checkLayout(path string, infos []Info, dataSize int64) error {
	slices.SortStableFunc(infos, func(a, b Info) int {
		return cmp.Or(cmp.Compare(a.Begin, b.Begin), cmp.Compare(a.End, b.End))
	})
	var at int64
	for i, info := range infos {
		switch {
		case info.Begin > at:
			return formatErrorf(path, info.Name, "begins at byte %d of the data, %d bytes after the tensor before it ends: the header leaves a gap", info.Begin, info.Begin-at)
		case info.Begin < at:
			return formatErrorf(path, info.Name, "begins at byte %d of the data, inside tensor %q which ends at %d: the header makes them overlap", info.Begin, clip(infos[i-1].Name), at)
		}
		at = info.End
		if at > dataSize {
			return formatErrorf(path, info.Name, "ends at byte %d of the data, the file holds %d: the file is truncated; download it again", at, dataSize)
		}
	}
	if at < dataSize {
		return formatErrorf(path, "", "%d bytes follow the last tensor: the file is damaged or was written by a broken program", dataSize-at)
	}
	return nil
}
