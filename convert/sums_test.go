package convert_test

import (
	"encoding/json"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert"
)

// TestSums: pecvt.json has the CRC-32C of every tensor that was copied or written anew,
// of the bytes on the disk, and of no link.
func TestSums(t *testing.T) {
	for name, o := range map[string]convert.Options{
		"copied":    {To: "hope"},
		"sharded":   {To: "hope", MaxShardSize: 40000},
		"rewritten": partial(),
		"added":     {To: "hybrid"},
		"linked":    {To: "hope", Link: true},
	} {
		t.Run(name, func(t *testing.T) {
			o.Output = filepath.Join(t.TempDir(), "out")
			if _, err := run(plan(t, golden(t, "llama-sharded-f16"), o)); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(filepath.Join(o.Output, "pecvt.json"))
			if err != nil {
				t.Fatal(err)
			}
			var man convert.Manifest
			if err := json.Unmarshal(text, &man); err != nil {
				t.Fatal(err)
			}
			sums := map[string]string{}
			for _, f := range man.Files {
				if f.CRC32C != "" {
					sums[f.Name] = f.CRC32C
				}
			}
			ckpt := open(t, o.Output)
			files := ckpt.Files()
			if o.Link {
				files = nil
			}
			if len(sums) != len(files) {
				t.Errorf("sums of %d files, want %d", len(sums), len(files))
			}
			for _, f := range files {
				data, err := os.ReadFile(f.Path)
				if err != nil {
					t.Fatal(err)
				}
				at, want := int64(0), ""
				cut := func(end int64) {
					sum := crc32.Checksum(data[at:end], crc32.MakeTable(crc32.Castagnoli))
					at, want = end, want+hex8(sum)
				}
				cut(f.DataStart)
				for _, tensor := range f.Tensors {
					place, _ := ckpt.Place(tensor)
					cut(place.Offset + place.Length)
				}
				if got := sums[filepath.Base(f.Path)]; got != want && !(o.To == "hope" && strings.Trim(got, "-") == "") {
					t.Errorf("%s: %s, want %s", f.Path, got, want)
				}
			}
		})
	}
}

func hex8(x uint32) string {
	const digits = "0123456789abcdef"
	var b [8]byte
	for i := range b {
		b[i] = digits[x>>(28-4*i)&15]
	}
	return string(b[:])
}
