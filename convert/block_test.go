package convert_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/convert/store"
)

// TestBlockLinksTheWeights: what a block adds has a file of its own, so the
// weights are links on the way there and back.
func TestBlockLinksTheWeights(t *testing.T) {
	for _, name := range []string{"llama-gqa", "llama-sharded-f16", "llama-tied-bf16"} {
		source := golden(t, name)
		hybrid, rope := to("hybrid"), to("rope")
		hybrid.Link, rope.Link = true, true
		there, p, r := produce(t, source, hybrid)
		rewritten := 0
		for i, f := range p.Files {
			if !strings.HasSuffix(f.Name, ".safetensors") {
				continue
			}
			switch how := r.Files[i].How; how {
			case "rewritten":
				rewritten++
				if f.Tensors != f.Edited || f.Bytes > 4096 {
					t.Errorf("%s: %s holds %d tensors in %d bytes, %d of them new", name, f.Name, f.Tensors, f.Bytes, f.Edited)
				}
			case "linked":
			default:
				t.Errorf("%s: %s is %s, want a link", name, f.Name, how)
			}
		}
		if rewritten != 1 {
			t.Errorf("%s: %d files written anew, want 1", name, rewritten)
		}
		_, _, back := produce(t, there, rope)
		for _, f := range back.Files {
			if strings.HasSuffix(f.Name, ".safetensors") && f.How != "linked" {
				t.Errorf("%s and back: %s is %s", name, f.Name, f.How)
			}
		}
	}
}

// TestBlockInShards: asked for small files, the new tensors are divided as the
// others are; every byte is the same each time.
func TestBlockInShards(t *testing.T) {
	source := golden(t, "llama-gqa")
	var folders [2]string
	for i := range folders {
		o := to("hybrid:grape-ap")
		o.MaxShardSize = 50_000
		folders[i], _, _ = produce(t, source, o)
	}
	files, err := filepath.Glob(filepath.Join(folders[0], "*"))
	if err != nil || len(files) < 8 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, path := range files {
		a, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(folders[1], filepath.Base(path)))
		if err != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs from run to run (%v)", filepath.Base(path), err)
		}
	}
	c, err := safetensors.OpenCheckpoint(folders[0])
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	beta, err := c.Float64("pecvt.layers.1.bias.beta")
	if err != nil || len(beta) != 4 || beta[0] != 0 {
		t.Errorf("β is %v (%v), want 4 zeros", beta, err)
	}
	info, ok := c.Lookup("pecvt.layers.1.bias.path.weight")
	if !ok || info.Shape[0] != 64 || info.Shape[1] != 64 {
		t.Errorf("projection of shape %v", info.Shape)
	}
}

// TestBlockOfSharedKeys: layers that read another layer's keys turn as it does, or the
// tensor is refused.
func TestBlockOfSharedKeys(t *testing.T) {
	folder, _, _ := produce(t, filepath.Join("..", "testdata", "families", "gemma4_text"), to("grape-m"))
	load := func() (store.Place, error) {
		t.Helper()
		c, err := safetensors.OpenCheckpoint(folder)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		where, _ := c.Place("pecvt.layers.3.rotation.inv_freq")
		_, err = families.Load(c)
		return where, err
	}
	where, err := load()
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(where.File, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const head, plane = 1, 2 // of 12
	other := binary.LittleEndian.AppendUint64(nil, math.Float64bits(0.75))
	if _, err := f.WriteAt(other, where.Offset+8*(12*head+plane)); err != nil {
		t.Fatal(err)
	}
	want := `tensor "pecvt.layers.3.rotation.inv_freq": key/value head 1, plane 2: queries turn by 0.75 per position, and the keys that they meet, those of layer 1, otherwise: expected what tensor "pecvt.layers.1.rotation.inv_freq" has`
	if _, err := load(); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
}

// TestBlockManifest: the manifest says which variant and slope were asked for,
// and a folder's name holds no colon.
func TestBlockManifest(t *testing.T) {
	o := convert.Options{To: "hybrid:alibi", Slope: "0.5"}
	p := plan(t, golden(t, "llama-gqa"), o)
	if filepath.Base(p.Output) != "llama-gqa-hybrid-alibi" {
		t.Errorf("output %s", p.Output)
	}
	out, _, _ := produce(t, golden(t, "llama-gqa"), o)
	text, err := os.ReadFile(filepath.Join(out, "pecvt.json"))
	if err != nil || !bytes.Contains(text, []byte(`"slope": "0.5"`)) || !bytes.Contains(text, []byte(`"kind": "lossy"`)) {
		t.Errorf("manifest %s (%v)", text, err)
	}
}
