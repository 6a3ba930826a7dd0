package convert_test

import (
	"bytes"
	"context"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/gguf"
	"github.com/pecvt/pecvt/convert/store"
)

// sumsHold checks the sums in a file that a conversion wrote against its bytes: of the
// header with dashes for the sums, then of what stands up to each tensor's end.
func sumsHold(t *testing.T, f *gguf.File, how string) {
	t.Helper()
	kv, ok := f.Header.Find("pecvt.crc32c")
	if !ok {
		t.Fatalf("%s has no sums", f.Path)
	}
	text, err := kv.Text()
	if err != nil {
		t.Fatal(err)
	}
	dashes := strings.Repeat("-", len(text))
	if how == "reflinked" {
		if text != dashes {
			t.Errorf("sums %s of bytes that were not read", text)
		}
		return
	}
	raw := bytesOf(t, f.Path)
	header := bytes.Replace(raw[:f.DataStart()], []byte(text), []byte(dashes), 1)
	table := crc32.MakeTable(crc32.Castagnoli)
	want := hex8(crc32.Checksum(header, table))
	var ends []int64
	for _, info := range f.Header.Tensors {
		at, n, _ := f.Place(info.Name)
		ends = append(ends, at+n)
	}
	slices.Sort(ends)
	at := f.DataStart()
	for _, end := range ends {
		want += hex8(crc32.Checksum(raw[at:end], table))
		at = end
	}
	if text != want {
		t.Errorf("%s: sums %s, expected %s", f.Path, text, want)
	}
	got, err := store.CompareSums(context.Background(), f.Path)
	if err != nil || got != (store.Sums{Known: true, Read: true}) {
		t.Errorf("%s: compared %+v, %v", f.Path, got, err)
	}
}

// TestCompareSums: a changed bit anywhere in a file is found, by the part that it is in;
// a file of another program has no sums, and one whose sums were changed has no valid
// ones.
func TestCompareSums(t *testing.T) {
	f, _ := intoGGUF(t, llamaCPP("llama-tied-bf16"), convert.Options{To: "hope"})
	raw := bytesOf(t, f.Path)
	at, n, _ := f.Place("blk.1.ffn_up.weight")
	sums := bytes.Index(raw, []byte("pecvt.crc32c")) + len("pecvt.crc32c") + 4 + 8
	for name, c := range map[string]struct {
		at   int64
		says string
	}{
		"the first bit of a tensor": {at, `tensor "blk.1.ffn_up.weight"`},
		"the last of one":           {at + n - 1, `tensor "blk.1.ffn_up.weight"`},
		"the file's last tensor":    {int64(len(raw)) - 1 - padded(f), `tensor "rope_freqs.weight"`},
		"the name of the model":     {int64(bytes.Index(raw, []byte("general.name"))) + 12 + 4 + 8, "its header"},
		"a number of the header":    {int64(bytes.Index(raw, []byte("llama.block_count"))) + 17 + 4 + 3, "its header"},
		"a sum":                     {int64(sums) + 2, "its header"},
		"another sum":               {int64(sums) + 8 + 2, "tensor "},
	} {
		other := bytes.Clone(raw)
		other[c.at] ^= 1
		path := filepath.Join(t.TempDir(), "out.gguf")
		if err := os.WriteFile(path, other, 0o666); err != nil {
			t.Fatal(err)
		}
		got, err := store.CompareSums(context.Background(), path)
		if err != nil || !got.Known || !got.Read || !strings.Contains(got.Unlike, c.says) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	got, err := store.CompareSums(context.Background(), llamaCPP("llama-tied-bf16"))
	if err != nil || got != (store.Sums{}) {
		t.Errorf("another program's file: %+v, %v", got, err)
	}
	short := bytes.Replace(raw, []byte("pecvt.crc32c"), []byte("pecvt.crc32d"), 1)
	short = bytes.Replace(short, []byte("general.name"), []byte("pecvt.crc32c"), 1) // a text that is no sums
	path := filepath.Join(t.TempDir(), "out.gguf")
	if err := os.WriteFile(path, short, 0o666); err != nil {
		t.Fatal(err)
	}
	if got, err := store.CompareSums(context.Background(), path); err != nil || !strings.Contains(got.Unlike, "holds no sums") {
		t.Errorf("no sums: %+v, %v", got, err)
	}
}

// padded is how many bytes stand behind a file's last tensor.
func padded(f *gguf.File) int64 {
	end := int64(0)
	for _, info := range f.Header.Tensors {
		at, n, _ := f.Place(info.Name)
		end = max(end, at+n)
	}
	return f.Size() - end
}
