package verify_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/onnxops"
	"github.com/pecvt/pecvt/verify"
	"github.com/pecvt/pecvt/verify/report"
)

// figure is how far ONNX Runtime is from float64 in one check, beside what a
// plain float32 run of the same model is on the same tokens.
type figure struct {
	name                   string
	error, baseline, limit float64
}

// figures are those of a report.
func figures(name string, r *verify.Report) []figure {
	budgets := map[string]report.Tolerance{}
	for _, t := range r.Tolerances {
		if t.Input != "" {
			budgets[t.Input] = t
		}
	}
	var list []figure
	for _, c := range r.Checks {
		if c.Runner != "ort-cpu" || c.Limit == 0 || c.Against != "ref" {
			continue
		}
		input := "prompt"
		if _, ok := budgets[c.Name]; ok {
			input = c.Name
		}
		list = append(list, figure{fmt.Sprintf("%s %s %s", name, c.Name, c.Level), float64(c.MaxRel), float64(budgets[input].Baseline), float64(c.Limit)})
	}
	return list
}

// TestBudget: what ONNX Runtime's float32 costs is a small multiple of what a
// plain float32 run costs, in every kind of model, form and check. It logs the
// distribution that the table of limits is made by (PECVT_LONG=1: of every
// bundled model).
func TestBudget(t *testing.T) {
	if !runtimePresent(t) {
		return
	}
	models := []string{"llama-gqa", "qwen3", "gpt-neox", "bloom", "grape-fox"}
	if os.Getenv("PECVT_LONG") == "1" {
		entries, err := os.ReadDir(filepath.Join(fixtures, "golden"))
		if err != nil {
			t.Fatal(err)
		}
		models = nil
		for _, e := range entries {
			if _, err := os.Stat(filepath.Join(fixtures, "golden", e.Name(), "model.safetensors")); err == nil {
				models = append(models, e.Name())
			}
		}
	}
	var all []figure
	for _, model := range models {
		for _, o := range []onnxops.Options{{Bias: onnxops.BiasAuto}, {Bias: onnxops.BiasMask}, {Attention: onnxops.AttentionORT}} {
			o.MaxLength, o.Version = 600, "test"
			dir, err := exportGolden(t, model, o)
			if err != nil {
				continue // a form that cannot express it: others test that it says so
			}
			list := figures(fmt.Sprintf("%s/%s%s", model, o.Bias, o.Attention), verified(t, dir, verify.Options{OptLevel: "all"}))
			for _, f := range list {
				t.Logf("%s: %.3g of a plain %.3g: %.2f", f.name, f.error, f.baseline, f.error/f.baseline)
			}
			all = append(all, list...)
		}
	}
	distribution(t, all)
}

// TestBudgetOfTheSource: the source given with --against is what the budget is
// measured on, and changes nothing of what passes.
func TestBudgetOfTheSource(t *testing.T) {
	present := runtimePresent(t)
	source := filepath.Join(fixtures, "golden/llama-gqa")
	for _, to := range []string{"rope", "grape-m", "hope"} {
		dir := conversion{model: "golden/llama-gqa", to: to}.write(t)
		alone, against := verified(t, dir, verify.Options{OptLevel: "all"}), verified(t, dir, verify.Options{OptLevel: "all", Against: source})
		if alone.Verdict != against.Verdict {
			t.Errorf("%s: %s alone, %s with its source", to, alone.Verdict, against.Verdict)
		}
		if !present {
			continue
		}
		measured := func(r *verify.Report, of string) (n int) {
			for _, b := range r.Tolerances {
				if b.Input == "" {
					continue
				}
				n++
				if b.Of != of || !(b.Baseline > 0) || b.Limit != max(b.C*b.Baseline, b.Floor) || b.Limit > 2e-5 {
					t.Errorf("%s: the budget of %s is %+v: want one of the %s", to, b.Input, b, of)
				}
			}
			return n
		}
		if a, b := measured(alone, "checkpoint"), measured(against, "source"); a < 2 || a != b {
			t.Errorf("%s: %d budgets alone, %d with the source", to, a, b)
		}
	}
}

// distribution fails for an answer past its limit and logs the quantiles of
// error / baseline, and of error / u.
func distribution(t *testing.T, all []figure) {
	t.Helper()
	if len(all) == 0 {
		t.Fatal("nothing was measured")
	}
	u := math.Ldexp(1, -24)
	for _, f := range all {
		if !(f.error <= f.limit) {
			t.Errorf("%s: off by %.3g, limit %.3g, a plain float32 run %.3g", f.name, f.error, f.limit, f.baseline)
		}
	}
	for _, of := range []struct {
		what string
		f    func(figure) float64
	}{{"error / baseline", func(f figure) float64 { return f.error / f.baseline }}, {"error / u", func(f figure) float64 { return f.error / u }}, {"baseline / u", func(f figure) float64 { return f.baseline / u }}} {
		slices.SortFunc(all, func(a, b figure) int {
			switch x, y := of.f(a), of.f(b); {
			case x < y:
				return -1
			case x > y:
				return 1
			}
			return strings.Compare(a.name, b.name)
		})
		at := func(q float64) float64 { return of.f(all[min(int(q*float64(len(all))), len(all)-1)]) }
		t.Logf("%s of %d: median %.2f, 90%% %.2f, 99%% %.2f, largest %.2f (%s)", of.what, len(all), at(0.5), at(0.9), at(0.99), at(1), all[len(all)-1].name)
		for _, f := range all[max(0, len(all)-8):] {
			t.Logf("  %s: %.2f u, plain %.2f u", f.name, f.error/u, f.baseline/u)
		}
	}
}
