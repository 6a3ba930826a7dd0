package torchfile

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// Bounds of a checkpoint's pickle. It names tensors and holds none of their
// data: 20 000 tensors take some 4 MB and a million opcodes.
const (
	maxPickle  = 32 << 20
	maxOpcodes = 4 << 20
	maxMarks   = 256
)

// How an opcode's operand is spelled: by a number of bytes, or else.
const (
	line   = -1 - iota // up to a newline
	lines              // two of them
	bytes1             // a length of 1, 4 or 8 bytes and as many bytes
	bytes4
	bytes8
)

// operands are the opcodes of a state dictionary as Python's picklers write one,
// protocols 2 to 5. What is not here makes no sense in one: instances, extension
// codes, buffers outside the stream.
var operands = map[byte]int{
	'(': 0, '.': 0, 'N': 0, 'R': 0, 'a': 0, 'b': 0, '}': 0, 'e': 0, ']': 0, 's': 0, 't': 0, ')': 0, 'u': 0, 'Q': 0, // marks, containers, REDUCE, BUILD
	'J': 4, 'K': 1, 'M': 2, 'G': 8, // numbers
	'X': bytes4, 'U': bytes1, 'T': bytes4, 'c': lines, // strings, GLOBAL
	'h': 1, 'j': 4, 'q': 1, 'r': 4, // memo
	0x80: 1, 0x81: 0, 0x85: 0, 0x86: 0, 0x87: 0, 0x88: 0, 0x89: 0, 0x8a: bytes1, // PROTO, NEWOBJ (whose class is then refused by name), short tuples, truth values, LONG1
	'B': bytes4, 'C': bytes1, // bytes
	0x8c: bytes1, 0x8d: bytes8, 0x93: 0, 0x94: 0, 0x95: 8, 0x8f: 0, 0x90: 0, // short and long strings, STACK_GLOBAL, MEMOIZE, FRAME, sets
}

// scan walks a pickle's opcodes without reading it: every one known, every
// operand within the data, and bounds kept that the reader does not keep.
func scan(data []byte) error {
	marks := 0
	for at, n := 0, 0; ; n++ {
		if at >= len(data) {
			return fmt.Errorf("the pickle ends at byte %d without a STOP: the file is truncated; download it again", at)
		}
		if n > maxOpcodes {
			return fmt.Errorf("the pickle has more than %d opcodes: not a checkpoint's", maxOpcodes)
		}
		op := data[at]
		kind, known := operands[op]
		if !known {
			return fmt.Errorf("the pickle has opcode 0x%02x at byte %d: a state dictionary has none; save model.state_dict() alone", op, at)
		}
		switch op {
		case '(':
			marks++
		case 't', 'u', 'e', 0x90:
			marks--
		}
		if marks < 0 || marks > maxMarks {
			return fmt.Errorf("the pickle has %d open marks at byte %d: expected 0 to %d", marks, at, maxMarks)
		}
		size, err := operandSize(kind, data[at+1:])
		if err != nil {
			return fmt.Errorf("the pickle's opcode 0x%02x at byte %d: %w", op, at, err)
		}
		if op == 0x95 { // a frame must end within the data
			if length := binary.LittleEndian.Uint64(data[at+1:]); length > uint64(len(data)-at-9) {
				return fmt.Errorf("the pickle's frame at byte %d of %d bytes ends outside it", at, length)
			}
		}
		if op == '.' {
			return nil
		}
		at += 1 + size
	}
}

// operandSize is the length of an operand, which lies within rest.
func operandSize(kind int, rest []byte) (int, error) {
	size := kind
	switch kind {
	case line, lines:
		size = 0
		for range -kind {
			i := bytes.IndexByte(rest[size:], '\n')
			if i < 0 {
				return 0, fmt.Errorf("no end of line")
			}
			size += i + 1
		}
		return size, nil
	case bytes1, bytes4, bytes8:
		width := map[int]int{bytes1: 1, bytes4: 4, bytes8: 8}[kind]
		if width > len(rest) {
			return 0, fmt.Errorf("its length is cut off")
		}
		var raw [8]byte
		copy(raw[:], rest[:width])
		length := binary.LittleEndian.Uint64(raw[:])
		if length > uint64(len(rest)-width) {
			return 0, fmt.Errorf("its length is %d, %d bytes follow", length, len(rest)-width)
		}
		return width + int(length), nil
	}
	if size > len(rest) {
		return 0, fmt.Errorf("its %d bytes are cut off", size)
	}
	return size, nil
}
