package store_test

import (
	"path/filepath"
	"testing"

	"github.com/pecvt/pecvt/convert/place/placetest"
	"github.com/pecvt/pecvt/convert/store"
	"github.com/pecvt/pecvt/convert/store/storetest"
)

// A checkpoint in a bucket is the one on the disk: a file, shards, a GGUF file.
func TestBuckets(t *testing.T) { placetest.Each(t, testBuckets) }

func testBuckets(t *testing.T, s *placetest.Server) {
	testdata := filepath.Join("..", "..", "testdata", "golden")
	ggufFile := filepath.Join("..", "gguf", "arch", "testdata", "llama-tied-bf16.gguf")
	for _, name := range []string{"llama-gqa", "llama-sharded-f16"} {
		s.PutFolder(t, name, filepath.Join(testdata, name))
	}
	s.PutFolder(t, "gguf", filepath.Dir(ggufFile))
	for _, c := range []struct{ path, local string }{
		{"llama-gqa", filepath.Join(testdata, "llama-gqa")},
		{"llama-gqa/model.safetensors", filepath.Join(testdata, "llama-gqa")},
		{"llama-sharded-f16", filepath.Join(testdata, "llama-sharded-f16")},
		{"llama-sharded-f16/model.safetensors.index.json", filepath.Join(testdata, "llama-sharded-f16")},
		{"gguf/llama-tied-bf16.gguf", ggufFile},
	} {
		t.Run(c.path, func(t *testing.T) {
			local := open(t, c.local)
			want, err := storetest.Copy(local, func(string, *storetest.Tensor) error { return nil })
			if err != nil {
				t.Fatal(err)
			}
			storetest.Run(t, func(t testing.TB) store.Store {
				s, err := store.Open(s.URL(c.path))
				if err != nil {
					t.Fatal(err)
				}
				return s
			}, want.Tensors)
			away := open(t, s.URL(c.path))
			a, err := away.Fingerprint()
			if err != nil {
				t.Fatal(err)
			}
			if b, err := local.Fingerprint(); err != nil || a != b {
				t.Errorf("fingerprint %s, on the disk %s (%v)", a, b, err)
			}
		})
	}
}
