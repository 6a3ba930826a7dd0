package retrofit

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"

	"github.com/pecvt/pecvt/convert/fsio"
)

// keptStreams is how many layers back a shared stream stays: enough for a worker that
// fits a layer longer than the others.
const keptStreams = 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// streamPath is the file of the residual stream before a layer.
func (s *state) streamPath(layer int) string {
	return filepath.Join(s.folder, fmt.Sprintf("stream-%05d", layer))
}

// streamHeader begins the file of a stream: whose it is, before which layer.
func (s *state) streamHeader(layer int) []byte {
	return fmt.Appendf(nil, "pecvt residual stream %s %d\n", s.fingerprint, layer)
}

// shareStream leaves the stream before a layer for other workers: a header, the sequences'
// numbers as float32, little-endian, one after the other, and the CRC-32C of all that.
// A stream is a help alone: where it cannot be written, others compute it themselves.
func (s *state) shareStream(st *streams) {
	err := fsio.Whole(s.streamPath(st.layer), 0o666, false, func(w io.Writer) error {
		sum := crc32.New(castagnoli)
		out := bufio.NewWriterSize(io.MultiWriter(w, sum), 1<<20)
		if _, err := out.Write(s.streamHeader(st.layer)); err != nil {
			return err
		}
		for _, x := range st.x {
			if err := binary.Write(out, binary.LittleEndian, x); err != nil {
				return err
			}
		}
		if err := out.Flush(); err != nil {
			return err
		}
		return binary.Write(w, binary.LittleEndian, sum.Sum32())
	})
	if err == nil {
		_ = os.Remove(s.streamPath(st.layer - keptStreams)) // there may be none
	}
}

// takeStream leads the streams to a layer by what another worker left, and reports whether
// there was such a file, whole and of this work.
func (s *state) takeStream(st *streams, layer int) bool {
	f, err := os.Open(s.streamPath(layer))
	if err != nil {
		return false
	}
	defer f.Close()
	sum := crc32.New(castagnoli)
	in := bufio.NewReaderSize(f, 1<<20)
	summed := io.TeeReader(in, sum)
	want := s.streamHeader(layer)
	head := make([]byte, len(want))
	if _, err := io.ReadFull(summed, head); err != nil || string(head) != string(want) {
		return false
	}
	x := make([][]float32, len(st.x))
	for i := range x {
		x[i] = make([]float32, len(st.x[i]))
		if err := binary.Read(summed, binary.LittleEndian, x[i]); err != nil {
			return false
		}
	}
	var stored uint32
	if err := binary.Read(in, binary.LittleEndian, &stored); err != nil || stored != sum.Sum32() {
		return false
	}
	if _, err := in.ReadByte(); err != io.EOF {
		return false
	}
	st.x, st.layer = x, layer
	return true
}

// dropStreams removes what is left of shared streams.
func (s *state) dropStreams() {
	list, _ := filepath.Glob(filepath.Join(s.folder, "stream-?????"))
	for _, path := range list {
		_ = os.Remove(path)
	}
}
