package place_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/pecvt/pecvt/convert/fsio"
	"github.com/pecvt/pecvt/convert/place"
	"github.com/pecvt/pecvt/convert/place/placetest"
)

// TestPartly: of a file of tensors comes what is asked for, in parts, once, whoever asks;
// short reads of the rest keep nothing; another version is an error.
func TestPartly(t *testing.T) { placetest.Each(t, testPartly) }

func testPartly(t *testing.T, s *placetest.Server) {
	t.Setenv(fsio.EnvCache, t.TempDir())
	const mib, part = 1 << 20, 8 << 20
	data := make([]byte, 5*part+mib)
	draw := rand.NewChaCha8([32]byte{1})
	_, _ = draw.Read(data)
	s.Put(t, "m/a.safetensors", data)
	s.Put(t, "m/config.json", []byte("{}"))
	open := func() *place.Partly {
		t.Helper()
		p, err := place.StagePartly(t.Context(), s.URL("m"), nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.Close() })
		return p
	}
	p := open()
	if raw, err := os.ReadFile(filepath.Join(p.Dir(), "config.json")); err != nil || string(raw) != "{}" {
		t.Errorf("config.json: %q, %v", raw, err)
	}
	if st, err := os.Stat(filepath.Join(p.Dir(), "a.safetensors")); err != nil || st.Size() != int64(len(data)) {
		t.Errorf("a.safetensors has %v bytes: %v", st.Size(), err)
	}
	if err := place.Local(p.Dir()).Finished(); !errors.Is(err, place.ErrUnfinished) {
		t.Errorf("a folder with holes is taken for a model: %v", err)
	}
	before := p.Traffic().Bytes
	spans := []place.Span{{Name: "a.safetensors", Offset: part + 5, Length: 100}, {Name: "a.safetensors", Offset: 2*part - 1, Length: 2}, {Name: "config.json", Offset: 0, Length: 2}}
	var told int64
	if err := p.Fetch(t.Context(), spans, func(_ string, done, total int64) {
		if told = done; total != 2*part {
			t.Errorf("%d bytes are to come, want %d", total, 2*part)
		}
	}); err != nil || told != 2*part || p.Traffic().Bytes-before != 2*part {
		t.Fatalf("%d bytes came, %d were told: %v", p.Traffic().Bytes-before, told, err)
	}
	here, err := os.ReadFile(filepath.Join(p.Dir(), "a.safetensors"))
	if err != nil || !bytes.Equal(here[part:3*part], data[part:3*part]) || !bytes.Equal(here[:part], make([]byte, part)) {
		t.Errorf("the file does not have the second and third part, and no other: %v", err)
	}

	read := func(p *place.Partly, offset, length int64) (came int64) {
		t.Helper()
		f, err := p.Folder().Open("a.safetensors")
		if err != nil {
			t.Fatal(err)
		}
		before, got := p.Traffic().Bytes, make([]byte, length)
		if _, err := f.Reader().ReadAt(got, offset); err != nil && err != io.EOF || !bytes.Equal(got, data[offset:offset+length]) {
			t.Errorf("read of %d at %d: other bytes, %v", length, offset, err)
		}
		return p.Traffic().Bytes - before
	}
	if came := read(p, part+1000, mib); came != 0 {
		t.Errorf("%d bytes of what is here came again", came)
	}
	for range 2 { // a sample
		if came := read(p, 4*part, 64); came != 64 {
			t.Errorf("%d bytes came for 64", came)
		}
	}
	var g sync.WaitGroup
	for i := range 8 { // the last part, which is shorter, by many
		g.Go(func() { read(p, 5*part+int64(i)*1000, mib/2) })
	}
	g.Wait()
	again := open() // another process
	if came := read(again, part, 2*part) + read(again, 5*part, mib); came != 0 {
		t.Errorf("%d bytes came again", came)
	}
	if came := read(again, 2*part, 2*part); came != part {
		t.Errorf("%d bytes came for one part", came)
	}
	if got := read(p, 3*part, part); got != 0 && got != part { // of which p may not know
		t.Errorf("%d bytes came for a part that another fetched", got)
	}

	s.Put(t, "m/a.safetensors", append([]byte("other"), data...))
	if err := p.Fetch(t.Context(), []place.Span{{Name: "a.safetensors", Offset: 0, Length: 1}}, nil); !errors.Is(err, place.ErrChanged) {
		t.Errorf("another version: %v", err)
	}
}
