package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/pecvt/pecvt/convert/tensor"
)

// Layout gives infos with Begin and End filled in for tensors that follow each
// other in that order. The offsets that infos come with are not looked at. It
// returns an error for a shape that [tensor.ByteSize] refuses, a dtype that is
// none, and a name that occurs twice, is reserved or is not UTF-8.
func Layout(infos []Info) ([]Info, error) {
	out := slices.Clone(infos)
	seen := make(map[string]bool, len(infos))
	var at int64
	for i := range out {
		info := &out[i]
		if !info.DType.Valid() {
			return nil, fmt.Errorf("safetensors: tensor %q: %v is not a dtype", info.Name, info.DType)
		}
		if !info.DType.InHeader() {
			return nil, fmt.Errorf("safetensors: tensor %q: a safetensors header has no dtype %v: decode it to a type of its own elements", info.Name, info.DType)
		}
		if seen[info.Name] || info.Name == metadataKey {
			return nil, fmt.Errorf("safetensors: tensor %q: the name is taken", info.Name)
		}
		seen[info.Name] = true
		if !utf8.ValidString(info.Name) {
			return nil, fmt.Errorf("safetensors: tensor %q: the name is not valid UTF-8", info.Name)
		}
		if len(info.Shape) > maxRank {
			return nil, fmt.Errorf("safetensors: tensor %q: rank %d is above %d", info.Name, len(info.Shape), maxRank)
		}
		n, err := tensor.ByteSize(info.DType, info.Shape)
		if err != nil {
			return nil, fmt.Errorf("safetensors: tensor %q: %w", info.Name, err)
		}
		info.Begin, info.End = at, at+n
		if info.End < info.Begin {
			return nil, fmt.Errorf("safetensors: tensor %q: the file's size overflows 64 bits", info.Name)
		}
		at = info.End
	}
	return out, nil
}

// Header gives the bytes in front of the data, length field included, of a file
// that holds infos in that order. Metadata comes first, its keys sorted; the
// header is padded with spaces so that the data begins at a multiple of 8.
func Header(infos []Info, metadata map[string]string) ([]byte, error) {
	infos, err := Layout(infos)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.Write(make([]byte, prefix))
	b.WriteByte('{')
	separate := func() {
		if b.Len() > prefix+1 {
			b.WriteByte(',')
		}
	}
	if len(metadata) > 0 {
		writeString(&b, metadataKey)
		b.WriteString(":{")
		for i, key := range slices.Sorted(maps.Keys(metadata)) {
			if !utf8.ValidString(key) || !utf8.ValidString(metadata[key]) {
				return nil, fmt.Errorf("safetensors: metadata %q: not valid UTF-8", key)
			}
			if i > 0 {
				b.WriteByte(',')
			}
			writeString(&b, key)
			b.WriteByte(':')
			writeString(&b, metadata[key])
		}
		b.WriteByte('}')
	}
	for _, info := range infos {
		separate()
		writeString(&b, info.Name)
		fmt.Fprintf(&b, `:{"dtype":"%s","shape":[`, info.DType)
		for i, d := range info.Shape {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(strconv.FormatInt(d, 10))
		}
		fmt.Fprintf(&b, `],"data_offsets":[%d,%d]}`, info.Begin, info.End)
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	if b.Len()-prefix > maxHeader {
		return nil, fmt.Errorf("safetensors: the header needs %d bytes, above the format's limit of %d: use shards", b.Len()-prefix, maxHeader)
	}
	binary.LittleEndian.PutUint64(b.Bytes(), uint64(b.Len()-prefix))
	return b.Bytes(), nil
}

func writeString(b *bytes.Buffer, s string) {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s)       // a string always encodes, into a buffer that always takes it
	b.Truncate(b.Len() - 1) // the newline
}
