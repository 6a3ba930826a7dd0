package convert_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/safetensors"
	"github.com/pecvt/pecvt/convert/tensor"
	"github.com/pecvt/pecvt/posenc"
)

// head returns row j of head h of a stored tensor whose heads have 16 rows,
// counted from a first row.
func headRow(t *testing.T, c *safetensors.Checkpoint, name string, first, h, j int) []byte {
	t.Helper()
	info, ok := c.Lookup(name)
	if !ok {
		t.Fatalf("no tensor %s", name)
	}
	data := raw(t, c, name)
	row := len(data) / int(info.Shape[0])
	at := (first + h*16 + j) * row
	return data[at : at+row]
}

// newRow is the partial layout said the other way round: where coordinate j of
// a head of 16 (8 planes, halves) goes when the first k planes are kept.
func newRow(j, k int) int {
	plane, half := j%8, j/8
	if plane < k {
		return half*k + plane
	}
	return 2*k + half*(8-k) + plane - k
}

// TestPartialRows: every row of every head is where the formula puts it, for
// separate and fused tensors, biases, norms and all dtypes.
func TestPartialRows(t *testing.T) {
	const k = 3
	for _, name := range []string{"llama-gqa", "llama-tied-bf16", "llama-sharded-f16", "mistral", "qwen2", "qwen3"} {
		source := golden(t, name)
		out, p, _ := produce(t, source, partial())
		src, dst := open(t, source), open(t, out)
		for layer := range 2 {
			at := func(s string) string { return fmt.Sprintf("model.layers.%d.%s", layer, s) }
			check := func(heads int, from, to string, first int) {
				for h := range heads {
					for j := range 16 {
						if !bytes.Equal(headRow(t, src, at(from), 0, h, j), headRow(t, dst, at(to), first, h, newRow(j, k))) {
							t.Errorf("%s: %s head %d row %d is not row %d of %s", name, from, h, j, newRow(j, k), to)
							return
						}
					}
				}
			}
			if p.Encoding.Family == "phi3" {
				check(4, "self_attn.q_proj.weight", "self_attn.qkv_proj.weight", 0)
				check(2, "self_attn.k_proj.weight", "self_attn.qkv_proj.weight", 64)
				qkv := raw(t, dst, at("self_attn.qkv_proj.weight"))
				if !bytes.HasSuffix(qkv, raw(t, src, at("self_attn.v_proj.weight"))) {
					t.Errorf("%s: qkv_proj does not end with v_proj", name)
				}
				want := append(bytes.Clone(raw(t, src, at("mlp.gate_proj.weight"))), raw(t, src, at("mlp.up_proj.weight"))...)
				if !bytes.Equal(want, raw(t, dst, at("mlp.gate_up_proj.weight"))) {
					t.Errorf("%s: gate_up_proj is not gate_proj, then up_proj", name)
				}
				continue
			}
			check(4, "self_attn.q_proj.weight", "self_attn.q_proj.weight", 0)
			check(2, "self_attn.k_proj.weight", "self_attn.k_proj.weight", 0)
			switch name {
			case "qwen2":
				check(4, "self_attn.q_proj.bias", "self_attn.q_proj.bias", 0)
				check(2, "self_attn.k_proj.bias", "self_attn.k_proj.bias", 0)
			case "qwen3":
				check(1, "self_attn.q_norm.weight", "self_attn.q_norm.weight", 0)
				check(1, "self_attn.k_norm.weight", "self_attn.k_norm.weight", 0)
			}
		}
		// every tensor that both have under one name and that is no query or key stays
		for _, n := range dst.Names() {
			if _, both := src.Lookup(n); !both || strings.Contains(n, "q_") || strings.Contains(n, "k_") {
				continue
			}
			if !bytes.Equal(raw(t, src, n), raw(t, dst, n)) {
				t.Errorf("%s: tensor %s changed", name, n)
			}
		}
	}
}

// TestFusedTensors lists what a fused checkpoint holds.
func TestFusedTensors(t *testing.T) {
	out, p, _ := produce(t, golden(t, "llama-sharded-f16"), partial())
	want := []string{"lm_head.weight", "model.embed_tokens.weight"}
	for i := range 2 {
		for _, s := range []string{"input_layernorm", "mlp.down_proj", "mlp.gate_up_proj", "post_attention_layernorm", "self_attn.o_proj", "self_attn.qkv_proj"} {
			want = append(want, fmt.Sprintf("model.layers.%d.%s.weight", i, s))
		}
	}
	want = append(want, "model.norm.weight")
	if diff := cmp.Diff(want, open(t, out).Names()); diff != "" {
		t.Errorf("tensors (-want +got):\n%s", diff)
	}
	if p.Encoding.Family != "phi3" || p.Encoding.SourceFamily != "llama" {
		t.Errorf("family %s from %s", p.Encoding.Family, p.Encoding.SourceFamily)
	}
}

// TestRemovedPlanesAreZero: the ablation zeroes the query rows of planes 3 to 7
// and touches nothing else; shards without queries stay as they are.
func TestRemovedPlanesAreZero(t *testing.T) {
	source := golden(t, "llama-sharded-f16")
	out, p, _ := produce(t, source, convert.Options{To: "hope-ab3", TrainLength: 20})
	src, dst := open(t, source), open(t, out)
	sameTensors(t, src, dst, func(n string) bool { return strings.Contains(n, "q_proj") })
	removed := map[int]bool{}
	for _, plane := range p.Encoding.Planes {
		removed[plane.Index] = plane.State == "removed"
	}
	if !removed[7] || removed[0] {
		t.Fatalf("planes %+v", p.Encoding.Planes)
	}
	for layer := range 2 {
		name := fmt.Sprintf("model.layers.%d.self_attn.q_proj.weight", layer)
		for h := range 4 {
			for j := range 16 {
				want := headRow(t, src, name, 0, h, j)
				if removed[j%8] {
					want = make([]byte, len(want))
				}
				if !bytes.Equal(want, headRow(t, dst, name, 0, h, j)) {
					t.Errorf("%s head %d row %d", name, h, j)
				}
			}
		}
	}
	for i, f := range p.Files[:3] {
		holds := false
		for _, info := range src.Shards()[i].Tensors() {
			holds = holds || strings.Contains(info.Name, "q_proj")
		}
		if holds != (f.Action == convert.Rewrite) || holds != (f.Edited > 0) {
			t.Errorf("%s: %s, %d edited tensors; holds queries: %v", f.Name, f.Action, f.Edited, holds)
		}
	}
}

// TestShards: no file above the limit unless it holds one tensor, an index that
// agrees, the same tensors.
func TestShards(t *testing.T) {
	for _, name := range []string{"llama-gqa", "llama-sharded-f16", "llama-tied-bf16"} {
		for _, limit := range []int64{1, 20000, 100000, 1 << 40} {
			source := golden(t, name)
			out, p, _ := produce(t, source, convert.Options{To: "hope", MaxShardSize: limit})
			dst := open(t, out)
			sameTensors(t, open(t, source), dst, nil)
			for _, f := range dst.Shards() {
				var size int64
				for _, info := range f.Tensors() {
					size += info.Bytes()
				}
				if size > limit && len(f.Tensors()) > 1 {
					t.Errorf("%s at most %d: %s holds %d bytes", name, limit, f.Path, size)
				}
				if f.Metadata()["format"] != "pt" {
					t.Errorf("%s: %s has metadata %v", name, f.Path, f.Metadata())
				}
			}
			if limit == 1<<40 && p.Files[0].Action == convert.Rewrite {
				t.Errorf("%s: files under the limit are written anew: %+v", name, p.Files[0])
			}
			if index := filepath.Base(dst.IndexPath()); len(dst.Shards()) > 1 && index != "model.safetensors.index.json" {
				t.Errorf("index %s", index)
			}
		}
	}
}

// TestOddFileNames: shards and an index under other names come out under the
// names loaders look for, as they are all the same.
func TestOddFileNames(t *testing.T) {
	source := golden(t, "llama-sharded-f16")
	index, err := os.ReadFile(filepath.Join(source, "model.safetensors.index.json"))
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i <= 3; i++ {
		from, to := fmt.Sprintf("model-%05d-of-00003.safetensors", i), fmt.Sprintf("part%d.safetensors", i)
		if err := os.Rename(filepath.Join(source, from), filepath.Join(source, to)); err != nil {
			t.Fatal(err)
		}
		index = bytes.ReplaceAll(index, []byte(from), []byte(to))
	}
	put(t, filepath.Join(source, "weights.safetensors.index.json"), index)
	if err := os.Remove(filepath.Join(source, "model.safetensors.index.json")); err != nil {
		t.Fatal(err)
	}
	out, p, _ := produce(t, source, to("hope"))
	want := []string{"config.json", "model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors", "model-00003-of-00003.safetensors", "model.safetensors.index.json", "pecvt.json"}
	if diff := cmp.Diff(want, names(t, out)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if p.Files[1].Action == convert.Rewrite || p.Files[1].Source != "part2.safetensors" {
		t.Errorf("file %+v", p.Files[1])
	}
	sameTensors(t, open(t, source), open(t, out), nil)
}

// TestMixedDTypes: tensors that would be fused must share a dtype.
func TestMixedDTypes(t *testing.T) {
	source := golden(t, "llama-gqa")
	src := open(t, source)
	infos := append([]safetensors.Info(nil), src.Shards()[0].Tensors()...)
	path := filepath.Join(source, "mixed.safetensors")
	for i := range infos {
		if strings.HasSuffix(infos[i].Name, "layers.1.self_attn.k_proj.weight") {
			infos[i].DType = tensor.F64
			infos[i].Shape = []int64{32, 64}
		}
	}
	w, err := safetensors.Create(path, infos, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, info := range infos {
		if err := w.WriteTensor(info.Name, make([]byte, int(elements(info.Shape))*info.DType.Size())); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = convert.NewPlan(path, partial())
	if err == nil || !strings.Contains(err.Error(), "layers.1.self_attn.k_proj") || !strings.Contains(err.Error(), "Options.Layout native") {
		t.Errorf("error %v", err)
	}
	if _, err := convert.NewPlan(path, convert.Options{To: "hope", Cut: posenc.Cut{Kind: posenc.CutKeep, Keep: 3}}); err != nil {
		t.Errorf("native: %v", err)
	}
}

// TestIgnoredTensors: stored rotary buffers stay in files that stay and leave
// rewritten ones.
func TestIgnoredTensors(t *testing.T) {
	source := golden(t, "llama-gqa")
	src := open(t, source)
	buffer := "model.layers.0.self_attn.rotary_emb.inv_freq"
	infos := append(append([]safetensors.Info(nil), src.Shards()[0].Tensors()...), safetensors.Info{Name: buffer, DType: src.Shards()[0].Tensors()[0].DType, Shape: []int64{8}})
	path := filepath.Join(source, "old.safetensors")
	w, err := safetensors.Create(path, infos, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, info := range infos {
		data := make([]byte, 32)
		if info.Name != buffer {
			data = raw(t, src, info.Name)
		}
		if err := w.WriteTensor(info.Name, data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for name, stays := range map[string]bool{"hope": true, "hope-ab3": false} {
		out, p, _ := produce(t, path, to(name))
		if _, has := open(t, out).Lookup(buffer); has != stays {
			t.Errorf("Options.To %s: buffer there %v, want %v", name, has, stays)
		}
		if !strings.Contains(strings.Join(p.Notes, "\n"), buffer) {
			t.Errorf("Options.To %s: notes %q name no buffer", name, p.Notes)
		}
	}
}
