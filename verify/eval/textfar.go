package eval

import (
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"
)

// bandsLike returns the bands of the longest length, nil where it is not beyond a trained
// length, and of models of several.
func (r *Report) bandsLike() []Band {
	var bands []Band
	for i, x := range r.longest() {
		if i > 0 && (len(x.Bands) != len(bands) || len(bands) > 0 && x.Bands[0].From != bands[0].From) {
			return nil
		}
		bands = x.Bands
	}
	return bands
}

// trained is L of the bands, 0 where there are none.
func (r *Report) trained() int {
	if bands := r.bandsLike(); len(bands) > 0 {
		return bands[0].To + 1
	}
	return 0
}

// writeBands has a line for each model and length beyond the trained one, and beside each
// range of positions there its perplexity over the model's own before L.
func (r *Report) writeBands(w io.Writer) error {
	bands := r.bandsLike()
	if bands == nil {
		return nil
	}
	fmt.Fprintf(w, "\npast the trained length of %d: perplexity by position, and over the model's own in the first range\n", r.trained())
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "LENGTH\tMODEL\t")
	for i, b := range bands {
		if fmt.Fprintf(t, "%d-%d\t", b.From, b.To); i > 0 {
			fmt.Fprint(t, "OF OWN\t95%\t")
		}
	}
	fmt.Fprintln(t)
	for _, x := range r.Results {
		if len(x.Bands) == 0 {
			continue
		}
		fmt.Fprintf(t, "%d\t%s\t", x.Length, x.Model)
		for i := range bands {
			var b Band
			if i < len(x.Bands) {
				b = x.Bands[i]
			} else {
				b.PPL, b.Own = Number(math.NaN()), Number(math.NaN())
			}
			if fmt.Fprintf(t, "%s\t", figure(b.PPL, "%.4g")); i > 0 {
				fmt.Fprintf(t, "%s\t%s\t", ratio(b.Own), between(b.OwnCI, "%.4g"))
			}
		}
		fmt.Fprintln(t)
	}
	return t.Flush()
}

func (r *Report) writeCopies(w io.Writer) error {
	type line struct {
		model  string
		beyond bool
		Copy
	}
	var lines []line
	compared, beyond := false, false
	for _, x := range r.Results {
		for _, c := range x.Copy {
			l := line{x.Model, c.Distance >= x.TrainedLength, c}
			lines = append(lines, l)
			compared, beyond = compared || !math.IsNaN(float64(c.Share)), beyond || l.beyond
		}
	}
	if len(lines) == 0 {
		return nil
	}
	slices.SortStableFunc(lines, func(a, b line) int { return a.Distance - b.Distance })
	n := float64(lines[0].Alphabet)
	together := ""
	if lines[0].Together {
		together = fmt.Sprintf(", %d in one sequence", lines[0].Probes)
	}
	fmt.Fprintf(w, "\ncopying a random string of %d tokens out of %.0f%s (chance: accuracy %.2g%%, nll %.3g)\n", lines[0].Tokens/lines[0].Probes+1, n, together, 100/n, math.Log(n))
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', tabwriter.AlignRight)
	of := ""
	if compared {
		of = "OF SOURCE\t"
	}
	fmt.Fprintf(t, "DISTANCE\tMODEL\tPROBES\tACCURACY\t%sNLL\tNLL FIRST\t\n", of)
	for _, l := range lines {
		distance := fmt.Sprint(l.Distance)
		if l.beyond {
			distance = "*" + distance
		}
		if compared {
			of = percent(l.Share) + "\t"
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s%s\t%s\t\n", distance, l.model, l.Probes, percent(l.Accuracy), of, figure(l.NLL, "%.3g"), figure(l.First, "%.3g"))
	}
	if err := t.Flush(); err != nil || !beyond {
		return err
	}
	_, err := fmt.Fprintln(w, "* from beyond the trained length of the model")
	return err
}
