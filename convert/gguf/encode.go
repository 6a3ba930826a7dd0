package gguf

import (
	"encoding/binary"
	"fmt"
)

// Encode gives the bytes of a header: all that stands before the data, with the
// padding. Offsets are written as they are; see [Header.Arrange].
func (h *Header) Encode() ([]byte, error) {
	align, err := h.Alignment()
	if err != nil {
		return nil, fmt.Errorf("gguf: %w", err)
	}
	raw := binary.LittleEndian.AppendUint32([]byte(magic), h.Version)
	raw = binary.LittleEndian.AppendUint64(raw, uint64(len(h.Tensors)))
	raw = binary.LittleEndian.AppendUint64(raw, uint64(len(h.KVs)))
	for _, kv := range h.KVs {
		raw = appendText(raw, kv.Key)
		raw = binary.LittleEndian.AppendUint32(raw, uint32(kv.Type))
		raw = append(raw, kv.Raw...)
	}
	for _, t := range h.Tensors {
		raw = appendText(raw, t.Name)
		raw = binary.LittleEndian.AppendUint32(raw, uint32(len(t.Dims)))
		for _, d := range t.Dims {
			raw = binary.LittleEndian.AppendUint64(raw, uint64(d))
		}
		raw = binary.LittleEndian.AppendUint32(raw, uint32(t.Type))
		raw = binary.LittleEndian.AppendUint64(raw, uint64(t.Offset))
	}
	return append(raw, make([]byte, roundUp(int64(len(raw)), align)-int64(len(raw)))...), nil
}
