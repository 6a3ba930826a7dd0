package htmlreport

import (
	"bytes"
	"fmt"
	"html/template"
	"image/color"
	"regexp"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// role is what a colour is for. Drawings carry it as the colour #0101NN, which
// svg replaces by the style sheet's variable of that name.
type role uint8

const (
	text role = iota + 1
	muted
	grid
	before // what a conversion came from
	after  // what it came to
	bad
	bandSlow
	bandMiddle
	series // the first of the runners' colours, and all that follow
)

// seriesCount is how many colours of series the style sheet has.
const seriesCount = 6

func (r role) name() string {
	names := []string{"", "text", "muted", "grid", "before", "after", "bad", "band-slow", "band-middle"}
	if r < series {
		return names[r]
	}
	return fmt.Sprintf("series-%d", int(r-series)%seriesCount)
}

func (r role) colour() color.Color { return color.NRGBA{R: 1, G: 1, B: uint8(r), A: 255} }

var (
	roleColour = regexp.MustCompile(`#0101([0-9A-F]{2})`)
	// fontStyle is what text says of its face: the page's own is used.
	fontStyle = regexp.MustCompile(`font-family:[^;"]*;font-variant:[^;"]*;font-weight:[^;"]*;font-style:[^;"]*;?`)
	sizeOf    = regexp.MustCompile(`(<svg) width="[^"]*" height="[^"]*"`)
)

// svg draws a plot of w × h points and returns it as an element for
// the page; label says to a screen reader what it shows.
func svg(p *plot.Plot, w, h vg.Length, label string) (template.HTML, error) {
	c := vgsvg.New(w, h)
	p.Draw(draw.New(c))
	var buf bytes.Buffer
	if _, err := c.WriteTo(&buf); err != nil {
		return "", err
	}
	out := buf.String()
	if i := strings.Index(out, "<svg"); i > 0 {
		out = out[i:]
	}
	out = roleColour.ReplaceAllStringFunc(out, func(s string) string {
		var r role
		fmt.Sscanf(s, "#0101%X", &r)
		return "var(--" + r.name() + ")"
	})
	out = fontStyle.ReplaceAllString(out, "")
	out = sizeOf.ReplaceAllString(out, `$1 role="img" aria-label="`+template.HTMLEscapeString(label)+`"`)
	out = strings.ReplaceAll(out, "\n\tstyle=\"\"", "")
	return template.HTML(out), nil
}
