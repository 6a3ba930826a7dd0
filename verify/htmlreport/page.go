package htmlreport

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"strconv"
	"strings"
	"sync"

	"github.com/pecvt/pecvt/verify/report"
)

//go:embed page.html
var pageSource string

//go:embed style.css
var style string

// figure is a drawing with its words; one without SVG has nothing to show.
type figure struct {
	Title, Caption string
	Wide           bool
	Legend         []key
	SVG            template.HTML
}

// key is an entry of a legend. Kind is what it looks like: dot, ring, cross,
// tick, line, thick, dash or area.
type key struct{ Role, Kind, Label string }

// page is what the template shows.
type page struct {
	Report   *report.Report
	Style    template.CSS
	Verdict  string
	Sentence string
	Facts    []fact
	Findings []finding
	LeftOut  []finding
	Figures  []figure
	Missing  []string
}

type fact struct{ Name, Value string }

// finding is a check that did not pass.
type finding struct {
	report.Check
	Runners string
}

var funcs = template.FuncMap{
	"sci": func(n report.Number) string { return sci(float64(n)) },
	"percent": func(n report.Number) string {
		return strconv.FormatFloat(100*float64(n), 'f', 1, 64) + " %"
	},
	"share":   share,
	"seconds": func(n report.Number) string { return strconv.FormatFloat(float64(n), 'f', 2, 64) + " s" },
	"class":   func(v report.Verdict) string { return class(string(v)) },
}

// pageTemplate is parsed when a page is written: other verbs need not wait for it.
var pageTemplate = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("page").Funcs(funcs).Parse(pageSource))
})

// Write writes the report as a page.
func Write(w io.Writer, r *report.Report) error {
	if r == nil || r.Verdict == "" {
		return fmt.Errorf("html report: the report has no verdict: it is not one of a verification")
	}
	p := page{Report: r, Style: template.CSS(style), Verdict: string(r.Verdict), Sentence: sentence(r), Facts: facts(r), Findings: findings(r, false), LeftOut: findings(r, true)}
	for _, draw := range []func(*report.Report) (figure, error){byRunner, byPosition, byLayer, spectrum, drift, decayPlain, decayPrompt} {
		f, err := draw(r)
		switch {
		case err != nil: // the checks are worth reading without it
			p.Missing = append(p.Missing, err.Error())
		case f.SVG != "":
			p.Figures = append(p.Figures, f)
		}
	}
	return pageTemplate().Execute(w, p)
}

// sentence says the verdict in words.
func sentence(r *report.Report) string {
	switch r.Verdict {
	case report.Pass:
		return "The checkpoint, the graph and the runtime give the same answers within the limits."
	case report.Fail:
		return "At least one check is outside its limit: this model should not be released."
	case report.Ambiguous:
		return "Every error is within its limit but where a near tie decides, of first tokens or of experts: look before releasing."
	default:
		return "Nothing was found wrong, but not everything could be checked."
	}
}

// class is a verdict's class in the style sheet; one it does not know is bad.
func class(verdict string) string {
	switch v := report.Verdict(verdict); v {
	case report.Pass, report.Ambiguous, report.Incomplete, report.Unavailable, report.Skipped, report.Info:
		return verdict
	}
	return "fail"
}

// facts are the model and its encoding, in the order a reader asks for them.
func facts(r *report.Report) []fact {
	var out []fact
	add := func(name, format string, args ...any) {
		out = append(out, fact{name, fmt.Sprintf(format, args...)})
	}
	add("Model", "%s (%s)", r.Model, r.Family)
	encoding := r.Encoding
	if encoding == "" {
		encoding = "not declared"
	}
	add("Encoding", "%s", encoding)
	if f := r.Facts; f != nil {
		add("Size", "%d layers, hidden %d, %d heads of %d (%d key/value), vocabulary %d, %s", f.Layers, f.Hidden, f.Heads, f.HeadDim, f.KVHeads, f.Vocab, f.DType)
		rotation := f.Encoding
		if f.RopeType != "" {
			rotation = fmt.Sprintf("%s, base %s", f.RopeType, strconv.FormatFloat(f.Theta, 'g', -1, 64))
		}
		if f.Planes > 0 {
			rotation += fmt.Sprintf(", %d of %d planes turn", f.Turning, f.Planes)
		}
		if f.AttentionFactor != 1 {
			rotation += fmt.Sprintf(", attention factor %.4g", f.AttentionFactor)
		}
		if f.Planes > 0 || f.RopeType != "" {
			add("Rotation", "%s", rotation)
		}
		length := fmt.Sprintf("trained on %d positions, the graph holds %d", f.TrainedLength, f.MaxLength)
		if f.Window > 0 {
			length += fmt.Sprintf(", sliding window %d", f.Window)
		}
		add("Length", "%s", length)
	}
	if r.Attention != "" {
		add("Attention", "%s", r.Attention)
	}
	if r.Tokens > 0 { // 0: nothing was run
		add("Prompt", "%d tokens, seed %d", r.Tokens, r.Seed)
	}
	for _, d := range r.Redrawn {
		add("Redrawn", "%s", d)
	}
	runtime := "not available"
	if r.Runtime != "" {
		runtime = "ONNX Runtime " + r.Runtime
	}
	add("Runtime", "%s", runtime)
	return out
}

// findings are the checks that did not pass, or those that were left out, with
// the runners that say the same thing together.
func findings(r *report.Report, skipped bool) []finding {
	var out []finding
	for _, c := range r.Checks {
		if c.Verdict == report.Pass || c.Verdict == report.Info || (c.Verdict == report.Skipped) != skipped {
			continue
		}
		runner := c.Runner
		if c.Level != "" {
			runner += " (" + c.Level + ")"
		}
		if n := len(out); n > 0 && out[n-1].Name == c.Name && out[n-1].Verdict == c.Verdict && out[n-1].Detail == c.Detail {
			out[n-1].Runners += ", " + runner
			continue
		}
		out = append(out, finding{c, runner})
	}
	return out
}

// sci is a number in a few digits.
func sci(x float64) string {
	switch {
	case math.IsNaN(x) || math.IsInf(x, 0):
		return "not finite"
	case x == 0:
		return "0"
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(x, 'e', 1, 64), "e")
	e, err := strconv.Atoi(exponent)
	if err != nil || e >= -3 && e < 4 {
		return strconv.FormatFloat(x, 'g', 3, 64)
	}
	return mantissa + " × 10" + superscript(e)
}

// share is how much of its limit a check used up, in words that fit a column.
func share(c report.Check) string {
	used := float64(c.MaxRel) / float64(c.Limit)
	switch {
	case math.IsNaN(used) || math.IsInf(used, 0):
		return "—"
	case used > 10:
		return fmt.Sprintf("%.3g ×", used)
	case used == 0:
		return "0 %"
	case used < 0.001:
		return "< 0.1 %"
	}
	return strconv.FormatFloat(100*used, 'f', 1, 64) + " %"
}
