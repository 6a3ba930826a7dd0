package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/pecvt/pecvt/"

// arrows lists what each package may import of this module: posenc ← convert ←
// onnxops ← verify ← cmd. A package that is not listed is an error, so that
// every new one finds its place.
var arrows = map[string][]string{
	"posenc/hint":         {},
	"posenc":              {},
	"posenc/posenctest":   {"posenc"},
	"convert/tensor":      {},
	"convert/fsio":        {},
	"convert/gemm":        {},
	"convert/place":       {"convert/fsio"},
	"convert/safetensors": {"posenc", "convert/tensor", "convert/fsio", "convert/place"},
	"convert/family":      {"posenc/hint", "posenc", "convert/quant", "convert/tensor", "convert/store", "convert/family/config", "convert/family/evidence"},
	"convert/families":    {"posenc", "convert/store", "convert/family"},
	"convert/gguf":        {"posenc", "convert/fsio", "convert/place", "convert/tensor"},
	"convert/torchfile":   {"posenc", "convert/tensor", "convert/safetensors", "convert/fsio"},
	"convert/loaders":     {"posenc"},
	"convert/rewrite":     {"convert/loaders", "posenc/hint", "posenc", "convert/tensor", "convert/store", "convert/family", "convert/families"},
	"convert/retrofit":    {"posenc", "convert/fsio", "convert/gemm", "convert/tensor", "convert/safetensors", "convert/store", "convert/family"},
	"convert":             {"convert/place", "convert/loaders", "posenc/hint", "posenc", "convert/quant", "convert/tensor", "convert/fsio", "convert/safetensors", "convert/store", "convert/family", "convert/rewrite", "convert/retrofit", "convert/torchfile", "convert/gguf", "convert/gguf/arch", "convert/gguf/rope", "convert/gguf/unpack", "convert/gguf/vocab", "convert/families"},
	"convert/tune":        {"convert/quant/nearest", "convert/quant/widths", "convert/recode", "posenc/hint", "posenc", "convert", "convert/fsio", "convert/family", "convert/rewrite", "convert/retrofit", "convert/store", "convert/families"},
	"onnxops/onnxpb":      {},
	"onnxops/graph":       {"onnxops/onnxpb", "convert/tensor"},
	"onnxops/native":      {},
	"onnxops/ops":         {"onnxops/onnxpb", "onnxops/graph"},
	"onnxops/names":       {"convert/family"},
	"onnxops/lower":       {"onnxops/graph"},
	"onnxops/headtables":  {"onnxops/names", "posenc", "convert/family"},
	"onnxops":             {"onnxops/headtables", "convert/loaders", "convert", "convert/quant", "convert/quant/nearest", "convert/quant/widths", "posenc/hint", "onnxops/names", "convert/fsio", "onnxops/onnxpb", "onnxops/graph", "onnxops/lower", "onnxops/ops", "posenc", "convert/family", "convert/tensor", "convert/store", "convert/families"},
	"verify/ref":          {"onnxops/names", "posenc", "convert/gemm", "convert/tensor", "convert/store", "convert/family"},
	"verify/interp":       {"onnxops/onnxpb", "convert/gemm", "convert/tensor"},
	"verify/ort":          {"posenc/hint", "convert/fsio", "onnxops/onnxpb", "convert/tensor"},
	"verify/ort/orttest":  {"verify/ort", "onnxops/onnxpb"},
	"verify/report":       {},
	"verify/written":      {"onnxops/names", "onnxops/onnxpb"},
	"verify/run":          {"convert/loaders", "convert/quant", "convert/store", "verify/written", "posenc/hint", "onnxops/names", "verify/report", "posenc", "convert/fsio", "convert/tensor", "convert/safetensors", "convert/family", "onnxops/onnxpb", "verify/ref", "verify/interp", "verify/ort"},
	"verify/bisect":       {"onnxops/headtables", "posenc/hint", "onnxops/names", "verify/report", "verify/run", "posenc", "convert/fsio", "convert/tensor", "convert/safetensors", "convert/store", "convert/family", "onnxops/onnxpb", "verify/ref", "verify/interp", "verify/ort"},
	"verify/conversion":   {"posenc/hint", "verify/report", "verify/run", "posenc", "convert/store", "convert/family", "verify/ref"},
	"verify/special":      {},
	"verify/chat":         {"verify/special"},
	"verify/generate":     {"posenc/hint", "convert/tensor", "onnxops/names", "onnxops/onnxpb", "verify/run", "verify/ort", "verify/chat", "verify/special", "verify/eval/tokens"},
	"verify/chart":        {},
	"verify/bench":        {"posenc/hint", "verify/chart", "verify/run", "verify/generate", "verify/ort"},
	"verify/genai":        {"verify/special", "verify/run", "convert/family", "onnxops/onnxpb"},
	"verify/weights":      {"onnxops/names", "verify/run", "convert/fsio", "convert/tensor", "convert/store", "convert/family", "onnxops/onnxpb"},
	"verify/figures":      {"onnxops/names", "verify/report", "verify/run", "posenc", "convert/store", "convert/family", "verify/ref"},
	"verify":              {"onnxops/headtables", "posenc/hint", "convert/place", "onnxops/names", "verify/report", "verify/run", "verify/bisect", "verify/figures", "verify/conversion", "verify/genai", "verify/weights", "posenc", "convert/fsio", "convert/tensor", "convert/safetensors", "convert/store", "convert/family", "onnxops/onnxpb", "verify/ref", "verify/interp", "verify/ort", "convert/families"},
	"verify/eval/tokens":  {"posenc/hint"},
	"verify/eval":         {"convert", "convert/recode", "posenc/hint", "posenc", "convert/fsio", "convert/store", "convert/family", "convert/retrofit", "convert/tune", "onnxops", "verify/run", "verify/report", "verify/ref", "verify/ort", "verify/generate", "verify/chart", "verify/eval/tokens", "convert/families"},
	"verify/htmlreport":   {"posenc/hint", "verify/report"},
	"cmd/pecvt/words":     {"posenc/hint"},
	"cmd/pecvt/garbage":   {},
	"cmd/pecvt/batch":     {"posenc", "convert/fsio", "convert/place"},
	"cmd/pecvt":           {"cmd/pecvt/batch", "cmd/pecvt/garbage", "convert/place", "convert/recode", "convert/fsio", "convert/quant/widths", "cmd/pecvt/words", "convert/quant/nearest", "convert/loaders", "posenc/hint", "posenc", "convert", "convert/family", "convert/store", "convert/rewrite", "convert/retrofit", "convert/tune", "onnxops", "onnxops/lower", "onnxops/ops", "verify", "verify/ort", "verify/eval", "verify/eval/tokens", "verify/generate", "verify/bench", "verify/htmlreport", "convert/families", "convert/family"},
	"verify/mutants":      {"onnxops/headtables", "posenc", "convert", "convert/family", "convert/rewrite", "convert/store", "convert/tensor", "onnxops", "onnxops/names", "onnxops/onnxpb", "verify", "verify/ort", "verify/ref", "convert/families"},
	"verify/mutants/gen":  {"verify/mutants"},
	"cmd/pecvt/faults":    {},
	"cmd/pecvt/gendocs":   {"cmd/pecvt/words", "convert/gguf", "convert/gguf/arch", "convert/loaders", "convert/quant", "posenc", "convert/family", "convert/family/config", "convert/family/evidence", "convert/rewrite", "onnxops/ops", "verify", "verify/report", "convert/families"},

	"convert/shapes":            {"convert/safetensors", "convert/tensor"},
	"cmd/pecvt/shapes":          {"convert/shapes"},
	"convert/gguf/arch":         {"convert/place", "posenc", "convert/gguf", "convert/tensor"},
	"convert/gguf/rope":         {"posenc/hint", "posenc", "convert/gguf", "convert/gguf/arch"},
	"convert/gguf/vocab":        {"posenc", "convert/gguf"},
	"convert/gguf/unpack":       {"posenc/hint", "posenc", "convert/gguf", "convert/gguf/arch", "convert/gguf/vocab", "convert/safetensors", "convert/quant", "convert/tensor", "convert/fsio"},
	"convert/quant":             {"posenc", "convert/tensor"},
	"convert/quant/nearest":     {"posenc"},
	"convert/quant/widths":      {"posenc", "convert/family", "convert/quant/nearest", "convert/store", "convert/tensor"},
	"convert/quant/compensate":  {"convert/gemm", "convert/quant/nearest"},
	"convert/recode":            {"convert/fsio", "convert/quant/widths", "convert/family", "convert/quant/compensate", "convert/quant/nearest", "convert/store", "convert/tensor"},
	"convert/store":             {"convert/place", "convert/quant", "convert/tensor", "convert/gguf", "convert/gguf/arch", "convert/safetensors"},
	"convert/family/config":     {"posenc", "posenc/hint", "convert/fsio"},
	"convert/family/evidence":   {"posenc", "convert/tensor", "convert/store", "convert/family/config"},
	"convert/family/familytest": {"posenc", "convert/family", "convert/safetensors"},
	"convert/place/placetest":   {"convert/fsio"},
	"convert/store/storetest":   {"convert/store", "convert/tensor"},
}

// TestArrows keeps the packages' imports as the layout promises, and
// onnxruntime_go behind one package. Above all verify/ref, the reference, must
// never share code with what it judges.
func TestArrows(t *testing.T) {
	root := filepath.Join("..", "..")
	seen := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "bin" || name == "build") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		rel, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		pkg := filepath.ToSlash(rel)
		allowed, known := arrows[pkg]
		if !known {
			if !seen[pkg] {
				t.Errorf("package %s is not in the table of arrows", pkg)
			}
			seen[pkg] = true
			return nil
		}
		seen[pkg] = true
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range f.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if strings.HasPrefix(imported, "github.com/yalue/") && pkg != "verify/ort" {
				t.Errorf("%s imports %s: only verify/ort may", path, imported)
			}
			if pkg == "posenc" && strings.Contains(imported, ".") {
				t.Errorf("%s imports %s: posenc uses the standard library alone", path, imported)
			}
			if inner, ours := strings.CutPrefix(imported, module); ours && !slices.Contains(allowed, inner) {
				t.Errorf("%s: package %s must not import %s", path, pkg, inner)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !seen["posenc"] || !seen["cmd/pecvt"] {
		t.Fatalf("the walk from %s found no sources", root)
	}
}
