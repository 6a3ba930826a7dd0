package convert_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/rewrite"
	"github.com/pecvt/pecvt/posenc"
)

func manifest(t *testing.T, dir string) (m convert.Manifest) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "pecvt.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestManifest(t *testing.T) {
	source := golden(t, "llama-gqa")
	o := convert.Options{To: "hope", Scale: posenc.Scale{Kind: "yarn", Factor: 4}, TrainLength: 20, Hash: true, ToolVersion: "1.2.3"}
	out, p, _ := produce(t, source, o)
	m := manifest(t, out)
	data, err := os.ReadFile(filepath.Join(source, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	f := m.Source.Files[0]
	if f.SHA256 != hex.EncodeToString(sum[:]) || f.Bytes != int64(len(data)) || f.HeaderSHA256 != open(t, source).Files()[0].HeaderSHA256 {
		t.Errorf("source file %+v", f)
	}
	if m.Schema != convert.ManifestSchema || m.Tool != "pecvt 1.2.3" || m.Source.Name != "llama-gqa" {
		t.Errorf("schema %d, tool %q, source %q", m.Schema, m.Tool, m.Source.Name)
	}
	want := convert.Flags{To: "hope", TrainLength: 20, Cut: "paper", Scale: "yarn:4", Layout: "native", Spelling: "auto"}
	if diff := cmp.Diff(want, m.Flags); diff != "" {
		t.Errorf("flags (-want +got):\n%s", diff)
	}
	planned := p.Encoding
	planned.Readers = nil // what loaders make of it is a matter of their versions
	if diff := cmp.Diff(planned, m.Encoding); diff != "" {
		t.Errorf("encoding (-plan +manifest):\n%s", diff)
	}
	if e := m.Encoding; e.TrainLengthFrom != "Options.TrainLength" || e.MaxPositions != 80 || e.Kind != rewrite.Lossy || e.Spelling != "longrope" || len(e.Planes) != 8 {
		t.Errorf("encoding %+v", e)
	}
}

// TestManifestOfManifest: a source that was converted before keeps its story,
// and its trained length is not forgotten in silence.
func TestManifestOfManifest(t *testing.T) {
	first, _, _ := produce(t, golden(t, "llama-gqa"), convert.Options{To: "hope", TrainLength: 20})
	second, p, _ := produce(t, first, convert.Options{To: "rope", Spelling: "longrope"})
	var inner convert.Manifest
	if err := json.Unmarshal(manifest(t, second).Source.Manifest, &inner); err != nil {
		t.Fatal(err)
	}
	if inner.Encoding.To != "hope" || inner.Source.Name != "llama-gqa" {
		t.Errorf("source manifest: %+v", inner)
	}
	if w := strings.Join(p.Warnings, "\n"); !strings.Contains(w, "trained on 20 positions") {
		t.Errorf("warnings %q", w)
	}
	put(t, filepath.Join(first, "pecvt.json"), []byte("not json"))
	third, p, _ := produce(t, first, to("nope"))
	if manifest(t, third).Source.Manifest != nil || !strings.Contains(strings.Join(p.Warnings, "\n"), "pecvt.json") {
		t.Errorf("a broken manifest: warnings %q", p.Warnings)
	}
}

// TestPlanAsJSON: nothing in a plan is null where a list belongs.
func TestPlanAsJSON(t *testing.T) {
	text, err := json.Marshal(plan(t, golden(t, "llama-gqa"), to("hope")))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"model", "output", "encoding", "files", "bytes", "written", "left_behind", "notes", "warnings"} {
		if got[key] == nil {
			t.Errorf("key %s is missing or null", key)
		}
	}
}
