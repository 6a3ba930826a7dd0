package main

import (
	"fmt"
	"strings"

	"github.com/pecvt/pecvt/cmd/pecvt/words"
	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/onnxops/ops"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/verify"
	"github.com/pecvt/pecvt/verify/report"
)

// markdown lays out rows under a header.
func markdown(header []string, rows [][]string) string {
	var b strings.Builder
	line := func(cells []string) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	line(header)
	line(strings.Split(strings.Repeat("---,", len(header)-1)+"---", ","))
	for _, r := range rows {
		for i := range r {
			r[i] = strings.ReplaceAll(r[i], "|", "\\|")
		}
		line(r)
	}
	return b.String()
}

func paper(id string) string {
	if id == "" {
		return ""
	}
	return "arXiv " + id
}

// encodingNames is the short table of README.md, encodings the one in full.
func encodingNames() string {
	var rows [][]string
	for _, e := range posenc.Encodings() {
		form, ok := strings.CutPrefix(e.Name, posenc.FormPrefix)
		switch last := len(rows) - 1; {
		case !ok:
			rows = append(rows, []string{"`" + e.Name + "`", e.Title})
		case strings.Contains(rows[last][0], posenc.FormPrefix): // one row for all of them
			rows[last][0] += ", `:" + form + "`"
		default:
			rows = append(rows, []string{"`" + e.Name + "`", "GRAPE-M: learned generators"})
		}
	}
	return markdown([]string{"`--to`", "what it is"}, rows)
}

func encodings() string {
	var rows [][]string
	for _, e := range posenc.Encodings() {
		flags := []string{}
		if e.Cut {
			flags = append(flags, "`--cut`")
		}
		switch e.Scale {
		case "may":
			flags = append(flags, "`--scale`")
		case "must":
			flags = append(flags, "`--scale "+e.Name+":FACTOR` (needed)")
		}
		if e.Variants != nil {
			flags = append(flags, "variants `"+e.Name+":"+strings.Join(e.Variants, "`, `:")+"`")
		}
		if e.Slope {
			flags = append(flags, "`--slope`")
		}
		rows = append(rows, []string{"`" + e.Name + "`", e.Title, e.Angle, strings.Join(flags, ", "), paper(e.Paper)})
	}
	return markdown([]string{"`--to`", "what it is", "angle of plane p at position t, or bias b of key j for query i", "flags", "source"}, rows)
}

// familyNames is the list of README.md, families the table.
func familyNames() string {
	var names []string
	for _, s := range families.Table() {
		names = append(names, s.Name)
	}
	const shown = 12
	return fmt.Sprintf("%d families: %s and %d more (`pecvt families`).\n", len(names), strings.Join(names[:shown], ", "), len(names)-shown)
}

func familyTable() string {
	var rows [][]string
	for _, s := range families.Table() {
		rows = append(rows, []string{s.Name, "`" + s.Architecture + "`", s.Describe(), s.PartialText()})
	}
	return markdown([]string{"family", "stock class", "what sets it apart", "`--layout partial`"}, rows)
}

func ropeTypes() string {
	var rows [][]string
	for _, t := range posenc.RopeTypes() {
		rows = append(rows, []string{"`" + t.Name + "`", strings.Join(t.Required, ", "), strings.Join(t.Optional, ", "), paper(t.Paper)})
	}
	return markdown([]string{"`rope_type`", "keys it needs", "keys it may have", "source"}, rows)
}

func opTable() string {
	var rows [][]string
	for _, o := range ops.Table() {
		var in, attrs []string
		for _, p := range o.Inputs {
			in = append(in, p.Name+" "+p.Shape)
		}
		for _, p := range o.Attrs {
			attrs = append(attrs, p.Name)
		}
		rows = append(rows, []string{"`" + ops.Domain + "." + o.Name + "`", strings.Join(in, ", "), strings.Join(attrs, ", "), o.Summary})
	}
	return markdown([]string{"op", "inputs", "attributes", "computes"}, rows)
}

func tolerances() string {
	var rows [][]string
	for _, t := range report.Tolerances() {
		limit := fmt.Sprintf("%.2g", float64(t.Limit))
		if t.C > 0 {
			limit = fmt.Sprintf("%g e, from %.2g to %.2g", float64(t.C), float64(t.Floor), float64(t.Cap))
		}
		rows = append(rows, []string{string(t.DType), limit, t.Why})
	}
	return markdown([]string{"computed in", "limit of max abs / largest logit", "why"}, rows)
}

// checkTable is the table of checks in the command line's words. That a check
// of answers needs a graph that runs and a reference goes without saying.
func checkTable() string {
	var rows [][]string
	for _, k := range verify.Checks() {
		words.All(&k)
		var needs []string
		for _, n := range k.Needs {
			if n != verify.NeedRunners && n != verify.NeedReference {
				needs = append(needs, string(n))
			}
		}
		rows = append(rows, []string{k.Name, k.Meaning, strings.Join(needs, ", ")})
	}
	return markdown([]string{"check", "what must hold", "made only with"}, rows)
}
