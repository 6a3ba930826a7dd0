package htmlreport

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/verify/report"
)

// full is a report that has everything a page can show.
func full() *report.Report {
	nan := report.Number(math.NaN())
	r := &report.Report{Schema: 1, Version: "v1", Verdict: report.Fail, Model: `m<script>alert(1)</script>`, Family: "llama", Encoding: "hope", Tokens: 4, Runtime: "1.32.0",
		Warnings: []string{"a & b"}, Tolerances: report.Tolerances(), Seconds: 3,
		Facts:     &report.Facts{DType: "F32", Layers: 2, Hidden: 8, Heads: 2, KVHeads: 1, HeadDim: 4, Vocab: 16, Encoding: "rope", RopeType: "default", Theta: 10000, RotaryDim: 4, Planes: 2, Turning: 1, AttentionFactor: 1, TrainedLength: 512, MaxLength: 600},
		Placement: []report.Placement{{Runner: "ort-cpu", Level: "all", Provider: "CPUExecutionProvider", Nodes: 7}},
		Bisect:    &report.Bisection{Check: "prefill", Runner: "interp", Against: "ref", Stage: "layer 1", Summary: "layer 1 is bad", Node: &report.NodeFinding{Name: "/layers.1/Gemm", Op: "Gemm"}, Tensors: []report.TensorFinding{{Name: "w", File: "model.safetensors", State: "bad"}}, Stages: []report.StageError{{Runner: "interp", Stage: "layer 1", MaxRel: nan}}},
		Drift:     &report.Drift{Source: "/path/to/source", KL: 0.1, Top1: 0.5, Positions: []report.DriftRow{{From: 0, To: 3, KL: 0.1, Top1: 0.5}}},
		Curves: &report.Curves{
			ByLayer:  []report.LayerError{{Runner: "interp", Layer: 0, MaxRel: 0, Limit: 1e-6}, {Runner: "interp", Layer: 1, MaxRel: nan, Limit: 1e-6}, {Runner: "interp", Layer: 2, MaxRel: 1e-7, Limit: 1e-6}},
			Spectrum: []report.PlaneRow{{Plane: 0, InvFreq: 1, Source: 1, State: "kept"}, {Plane: 1, InvFreq: 0, Source: 0.01, State: "dropped"}, {Plane: 2, InvFreq: 0.001, Source: 0.002, State: "scaled"}, {Plane: 3, Source: 0.001, State: "removed"}, {Plane: 4, State: "still"}},
			Drift:    []report.DriftPoint{{Position: 0, KL: 0}, {Position: 1, KL: 0.2}, {Position: 2, KL: nan}},
		}}
	for i, v := range report.Verdicts() {
		r.Checks = append(r.Checks, report.Check{Name: "check-" + string(v), Runner: []string{"interp", "ort-cpu"}[i%2], Verdict: v, MaxRel: report.Number(math.Pow(10, float64(-i))), Limit: 1e-3, Positions: 4, Detail: "d <b>", Blame: "e"})
	}
	r.Checks = append(r.Checks, report.Check{Name: "infinite", Runner: "ref", Verdict: report.Fail, MaxRel: report.Number(math.Inf(1)), Limit: 1e-3, Positions: 4})
	for i := range 3 {
		r.Curves.ByPosition = append(r.Curves.ByPosition, report.PositionError{Check: "prefill", Runner: "interp", Position: i * i * 100, MaxRel: []report.Number{0, nan, 1}[i]})
		r.Curves.Decay = append(r.Curves.Decay, report.DecayRow{From: i, To: i, Score: report.Number(i), Source: 1, Prompt: 2, PromptSource: nan})
	}
	return r
}

func render(t *testing.T, r *report.Report) string {
	t.Helper()
	var out bytes.Buffer
	if err := Write(&out, r); err != nil {
		t.Fatal(err)
	}
	if i := strings.Index(out.String(), "could not be drawn"); i >= 0 {
		t.Errorf("%s", out.String()[i:min(i+200, out.Len())])
	}
	return out.String()
}

func TestPage(t *testing.T) {
	text := render(t, full())
	if n := strings.Count(text, "<figure"); n != 7 {
		t.Errorf("%d figures, want 7", n)
	}
	for _, part := range []string{"Error by runner", "Error by position", "Error by layer", "Spectrum", "Drift from the source", "Decay without content", "Decay for this prompt",
		"Where it goes wrong", "/layers.1/Gemm", "What did not pass", "What was left out", "check-unavailable", "d &lt;b&gt;", "a &amp; b", "CPUExecutionProvider", "not finite",
		"1 kept as they were, 1 scaled, 1 dropped, 1 removed, 1 without rotation"} {
		if !strings.Contains(text, part) {
			t.Errorf("no %q on the page", part)
		}
	}
	for _, bad := range []string{"<script", "NaN", "%!", "ZgotmplZ", "<no value>"} {
		if strings.Contains(text, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
	// The same report gives the same bytes.
	if again := render(t, full()); again != text {
		t.Error("two pages of one report differ")
	}
	for i, rest := 0, text; ; i++ {
		begin := strings.Index(rest, "<svg")
		if begin < 0 {
			break
		}
		end := begin + strings.Index(rest[begin:], "</svg>") + len("</svg>")
		dec := xml.NewDecoder(strings.NewReader(rest[begin:end]))
		for {
			if _, err := dec.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("figure %d: %v", i, err)
			}
		}
		rest = rest[end:]
	}
}

// TestPageOfLittle: a report that holds next to nothing is a page all the same.
func TestPageOfLittle(t *testing.T) {
	for name, r := range map[string]*report.Report{
		"empty":  {Verdict: report.Incomplete},
		"curves": {Verdict: report.Pass, Facts: &report.Facts{}, Curves: &report.Curves{}},
		"zeros": {Verdict: report.Pass, Checks: []report.Check{{Name: "prefill", Runner: "ref", Limit: 1e-10, Positions: 1}},
			Curves: &report.Curves{ByPosition: []report.PositionError{{Runner: "interp"}}, Decay: []report.DecayRow{{}}}},
	} {
		text := render(t, r)
		if strings.Count(text, "<figure") != strings.Count(text, "<svg") || !strings.Contains(text, string(r.Verdict)) {
			t.Errorf("%s: %d figures, %d drawings", name, strings.Count(text, "<figure"), strings.Count(text, "<svg"))
		}
	}
}

func TestTicks(t *testing.T) {
	labels := func(ticks []string) string { return strings.Join(ticks, " ") }
	var got []string
	for _, tick := range (decades{floor: -9}).Ticks(-9, -4) {
		got = append(got, tick.Label)
	}
	if labels(got) != "0 10⁻⁸ 10⁻⁷ 10⁻⁶ 10⁻⁵ 10⁻⁴" {
		t.Errorf("decades %q", got)
	}
	got = nil
	for _, tick := range (doublings{}).Ticks(0, place(8191)) {
		if tick.Label != "" {
			got = append(got, tick.Label)
		}
	}
	if labels(got) != "0 4 16 64 256 1k 4k" {
		t.Errorf("doublings %q", got)
	}
	got = nil
	for _, tick := range (steps{}).Ticks(-1.3, 2.6) {
		got = append(got, tick.Label)
	}
	if labels(got) != "-1 -0.5 0 0.5 1 1.5 2 2.5" && labels(got) != "-1 0 1 2" {
		t.Errorf("steps %q", got)
	}
}

func TestNumbers(t *testing.T) {
	for x, want := range map[float64]string{0: "0", 1.25: "1.25", 1.5e-7: "1.5 × 10⁻⁷", 0.01: "0.01", math.Inf(1): "not finite", 123456: "1.2 × 10⁵"} {
		if got := sci(x); got != want {
			t.Errorf("%v is %q, want %q", x, got, want)
		}
	}
	for used, want := range map[float64]string{0: "0 %", 1e-5: "< 0.1 %", 0.2: "20.0 %", 2: "200.0 %", 1e3: "1e+03 ×"} {
		if got := share(report.Check{MaxRel: report.Number(used), Limit: 1}); got != want {
			t.Errorf("share %v is %q, want %q", used, got, want)
		}
	}
}
