package verify_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/verify"
)

// renameNodes edits the names of the nodes and, where tables is set, of the
// tables of model.onnx; what the graph computes stays.
func renameNodes(t testing.TB, dir string, tables bool, name func(string) string) {
	t.Helper()
	path := filepath.Join(dir, "model.onnx")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(raw, m); err != nil {
		t.Fatal(err)
	}
	moved := map[string]string{}
	for _, w := range m.GetGraph().GetInitializer() {
		if tables && strings.HasSuffix(w.GetName(), "_table") {
			moved[w.GetName()] = name(w.GetName())
			w.Name = moved[w.GetName()]
		}
	}
	for _, n := range m.GetGraph().GetNode() {
		n.Name = name(n.GetName())
		for i, in := range n.GetInput() {
			if to, ok := moved[in]; ok {
				n.Input[i] = to
			}
		}
	}
	if raw, err = proto.Marshal(m); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, raw, 0o666); err != nil {
		t.Fatal(err)
	}
}

// TestRenamedNodes: a graph that computes the right thing under other names is
// not verified by halves: no check becomes a skip or goes away, and the whole is
// no pass.
func TestRenamedNodes(t *testing.T) {
	replaced := func(from, to string) func(string) string {
		return func(name string) string { return strings.ReplaceAll(name, from, to) }
	}
	renames := map[string]func(string) string{
		"layers":    replaced("/layers.", "/blocks."),
		"attention": replaced("/Attention", "/Attends"),
		"norms":     replaced("_norm/", "_scale/"),
		"linears":   replaced("_proj/", "_linear/"),
		"masks":     replaced("/mask", "/masking"),
		"tables":    replaced("/rotary", "/turns"),
		"stripped":  func(string) string { return "" },
	}
	for _, c := range []conversion{
		{model: "golden/mistral", to: "rope"},
		{model: "golden/mistral", to: "rope", attention: onnxops.AttentionORT},
		{model: "golden/qwen3", to: "hope"},
	} {
		o := verify.Options{Tokens: 12}
		before := verified(t, c.write(t), o)
		for name, rename := range renames {
			t.Run(filepath.Base(c.model)+c.attention+"/"+name, func(t *testing.T) {
				t.Parallel()
				dir := c.write(t)
				renameNodes(t, dir, name == "tables", rename)
				o := o
				o.Bisect = name == "layers" || name == "norms" || name == "stripped"
				after := verified(t, dir, o)
				if o.Bisect && !strings.Contains(after.Bisect.Summary, "the graph has no node /layers.0/attn_norm/RMSNormalization") {
					t.Errorf("the bisection does not say what it goes without: %s", after.Bisect.Summary)
				}
				for _, b := range before.Checks {
					a, ok := find(after, b.Name, b.Runner)
					switch {
					case !ok:
						t.Errorf("%s of %s is gone", b.Name, b.Runner)
					case a.Verdict == verify.Skipped && b.Verdict != verify.Skipped:
						t.Errorf("%s of %s was %s and is skipped: %s", b.Name, b.Runner, b.Verdict, a.Detail)
					}
				}
				if unread := c.attention != "" && name == "attention" || name == "masks" && (c.attention != "" || c.model != "golden/mistral"); unread {
					return // no such nodes, or no window to find in them
				}
				if after.Verdict == verify.Pass {
					t.Errorf("the verdict is still %s", after.Verdict)
				}
			})
		}
	}
}
