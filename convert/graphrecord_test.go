package convert_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/onnxops"
)

// TestRecordGraph: pecvt.json says of the graph's numbers what the graph's metadata say,
// and the rest of it stays as it was, byte for byte, and is again what it was where a
// plain graph follows.
func TestRecordGraph(t *testing.T) {
	dir, _, _ := produce(t, golden(t, "llama-tied-bf16"), to("hope"))
	path := filepath.Join(dir, "pecvt.json")
	text := func() string {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	before := text()
	if _, err := onnxops.Emit(dir, onnxops.Options{MaxLength: 64}); err != nil {
		t.Fatal(err)
	}
	if text() != before {
		t.Error("a plain graph changed pecvt.json")
	}
	o := onnxops.Options{MaxLength: 64, DType: onnxops.DTypeFloat16, Weights: onnxops.WeightsInt4, Coding: onnxops.Coding{Head: "int8"}, Logits: onnxops.LogitsLast}
	e, err := onnxops.Emit(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	want := convert.GraphRecord{DType: "float16", Coding: "int4, blocks of 32, zero points float", Head: "int8, blocks of 32, zero points none", Accuracy: "float32", Logits: "last"}
	got := manifest(t, dir).Graph
	if got == nil || got.String() != want.String() || e.Record.String() != want.String() {
		t.Errorf("pecvt.json says %v, the emission %v, want %v", got, e.Record, want.String())
	}
	if cut, _, found := strings.Cut(text(), ",\n  \"graph\": {"); !found || cut+"\n}\n" != before {
		t.Errorf("the rest of pecvt.json is not what it was:\n%s", text())
	}
	in, err := convert.Inspect(dir)
	if err != nil {
		t.Fatal(err)
	}
	if in.Graph.String() != "computes in float16; codes: int4, blocks of 32, zero points float; embedding and head int8, blocks of 32, zero points none; accuracy float32; logits: last" {
		t.Errorf("inspected: %v", in.Graph)
	}
	if err := convert.RecordGraph(dir, &convert.GraphRecord{Coding: "c", Rounding: "given", Texts: json.RawMessage(`[{"name":"a.txt","sha256":"00"},{"name":"<b>.txt"}]`)}); err != nil {
		t.Fatal(err)
	}
	if s := manifest(t, dir).Graph.String(); s != "codes: c; rounded by a.txt, <b>.txt" || strings.Contains(text(), `\u003c`) {
		t.Errorf("texts: %s", s)
	}
	if err := convert.RecordGraph(dir, nil); err != nil || text() != before {
		t.Errorf("%v, or pecvt.json is another", err)
	}
	// A folder without one gets none.
	other := t.TempDir()
	if err := convert.RecordGraph(other, &want); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(other); err != nil || len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
}
