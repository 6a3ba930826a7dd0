package mutants

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/onnxops/ops"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/verify"
	"github.com/pecvt/pecvt/verify/report"
	"google.golang.org/protobuf/proto"
)

// TestEveryRowHasAProof walks the tables that are extended by a row, and names
// what a row lacks and where it goes. Beside it, a row fails without
//   - a formula for the body of an operator (verify/interp/ops_test.go),
//   - frequencies of another program for a rope type (posenc/testdata), and a
//     model of it that is emitted and verified (verify/ropetypes_test.go),
//   - a sample for a bias or a rotation (posenc/posenctest),
//   - a verdict and a configuration worked out by hand for a spectrum (convert/rewrite),
//   - a rule and a line of reason for each kind of source (convert/rewrite),
//   - an exact rewrite that is computed, for an encoding (verify/rewrites_test.go),
//   - a comparison with each golden (verify/ref),
//   - a mutant that a check finds (TestMutants, where all of them run).
func TestEveryRowHasAProof(t *testing.T) {
	index, err := os.ReadFile(filepath.Join(testdata, "golden", "INDEX.md"))
	if err != nil {
		t.Fatal(err)
	}
	types := map[string][]string{} // folders of checkpoints with logits of another program, by model_type
	for _, path := range glob(t, "golden/*/config.json") {
		var c struct {
			ModelType string `json:"model_type"`
		}
		data, err := os.ReadFile(path)
		if err == nil {
			err = json.Unmarshal(data, &c)
		}
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Dir(path)
		name := filepath.Base(dir)
		if !regexp.MustCompile(`(?m)(^\| |, )` + regexp.QuoteMeta(name) + `([ ,]|$)`).Match(index) {
			t.Errorf("testdata/golden/%s has no line in testdata/golden/INDEX.md", name)
		}
		if len(glob(t, "golden/"+name+"/golden*.safetensors"))+len(glob(t, "golden/"+name+"/golden/*.safetensors")) == 0 {
			t.Errorf("testdata/golden/%s has no logits of another program: add golden.safetensors", name)
			continue
		}
		types[c.ModelType] = append(types[c.ModelType], name)
	}
	for _, path := range glob(t, "families/*/golden.safetensors") { // each is named after its model_type
		name := filepath.Base(filepath.Dir(path))
		types[name] = append(types[name], name)
	}
	classes := map[string]bool{} // what is read by a class that another row's golden was made with
	for _, s := range families.Table() {
		classes[s.Architecture] = classes[s.Architecture] || len(types[s.ModelType]) > 0
	}
	for _, s := range families.Table() {
		if len(types[s.ModelType]) == 0 && !classes[s.Architecture] {
			t.Errorf("family %q has no checkpoint with logits of another program: add a folder to testdata/families (its INDEX.md says how)", s.ModelType)
		}
	}
	goldens := map[string]bool{}
	for _, path := range glob(t, "*/*/golden/*.safetensors") {
		goldens[strings.TrimSuffix(filepath.Base(path), ".safetensors")] = true
	}
	for _, e := range posenc.Encodings() {
		mutated := slices.ContainsFunc(Bases(), func(b Base) bool { to, err := posenc.FindEncoding(b.To); return err == nil && to.Name == e.Name })
		if !mutated && !goldens[e.Name] {
			t.Errorf("encoding %q has neither logits of another program (testdata/golden/*/golden/%s.safetensors) nor a mutant (a base with To: %q in verify/mutants/base.go)", e.Name, e.Name, e.Name)
		}
	}
}

// TestEveryOperatorIsEmitted: a mutant is planted into a graph with each operator.
func TestEveryOperatorIsEmitted(t *testing.T) {
	emitted := map[string]bool{}
	for _, b := range Bases() {
		dir := filepath.Join(t.TempDir(), b.Name)
		if _, err := b.Convert(t.Context(), testdata, dir); err != nil {
			t.Fatal(err)
		}
		if err := b.Emit(dir); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(dir, "model.onnx"))
		if err != nil {
			t.Fatal(err)
		}
		var m onnxpb.ModelProto
		if err := proto.Unmarshal(data, &m); err != nil {
			t.Fatal(err)
		}
		for _, n := range m.GetGraph().GetNode() {
			if n.GetDomain() == ops.Domain {
				emitted[n.GetOpType()] = true
			}
		}
	}
	for _, op := range ops.Table() {
		if !emitted[op.Name] {
			t.Errorf("operator %s is in no graph that mutants are planted into: add a base (verify/mutants/base.go)", op.Name)
		}
	}
}

// provedElsewhere are the checks that no mutant of a folder can make fail, and
// the tests that make them.
var provedElsewhere = map[string]string{
	report.CheckWindow:        "TestWindow: the prompts of mutants are longer than their windows",
	report.CheckPlacement:     "TestPlace: only the runtime puts a node on another provider",
	report.CheckSourceWeights: "TestSourceWeights: conversions of mutants record no hashes of weights",
	report.CheckGenerators:    "TestGeneratorLaws: what it compares is made of the same tensors by two ways of this program",
	report.CheckGolden:        "TestFaultyGolden: mutants are verified against no given answers",
	report.CheckGoldenHidden:  "TestFaultyGolden: likewise",
	report.CheckRoundedInputs: "TestJudgeRounded: what only ONNX Runtime's products can do wrong",
	report.CheckRepro:         "TestExtract: a mutant is a model, no part of one",
}

// unproved lists the rows of the table of checks that no mutant makes fail.
func unproved(results []Result) (names []string) {
	found := map[string]bool{}
	for _, r := range results {
		for _, name := range r.All {
			found[name] = true
		}
	}
	for _, k := range verify.Checks() {
		if !found[k.Name] && provedElsewhere[k.Name] == "" {
			names = append(names, k.Name)
		}
	}
	return names
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(testdata, pattern))
	if err != nil {
		t.Fatal(err)
	}
	return found
}
