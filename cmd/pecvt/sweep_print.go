package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/pecvt/pecvt/convert/tune"
)

// write prints a sweep for people.
func writeSweep(w io.Writer, s *tune.SweepResult) error {
	fmt.Fprintf(w, "length     L = %d (%s)\n", s.TrainLength, s.TrainLengthFrom)
	for _, t := range s.Texts {
		fmt.Fprintf(w, "%-10s tokens %d to %d of %s, at %d positions\n", t.Use, t.First, t.First+t.Tokens-1, t.Name, s.Length)
	}
	fmt.Fprintln(w)
	costs := s.Costs != nil
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "PLANE\tTHETA\tWAVELENGTH\tANGLE AT L\tBAND\tCUT\t")
	if costs {
		fmt.Fprint(t, "COST MEAN\tMIN\t25%\tMEDIAN\t75%\tMAX\t")
	}
	fmt.Fprintln(t)
	for _, p := range s.Planes {
		wavelength, cut := "", ""
		if p.Wavelength != nil {
			wavelength = fmt.Sprintf("%.4g", *p.Wavelength)
		}
		if p.Dropped {
			cut = "drops"
		}
		fmt.Fprintf(t, "%d\t%.4g\t%s\t%.4g\t%s\t%s\t", p.Plane, p.Theta, wavelength, p.Angle, p.Band, cut)
		if c := p.Cost; c != nil {
			fmt.Fprintf(t, "%.3g\t%.3g\t%.3g\t%.3g\t%.3g\t%.3g\t", c.Mean, c.Min, c.Q25, c.Median, c.Q75, c.Max)
		} else if costs {
			fmt.Fprint(t, "\t\t\t\t\t\t")
		}
		fmt.Fprintln(t)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if costs {
		fmt.Fprintln(w, "cost: attention KL in nats when this plane alone stops turning, over layers and key/value heads")
	}
	fmt.Fprintln(w)
	if err := writeCuts(w, s); err != nil {
		return err
	}
	for _, n := range s.Notes {
		fmt.Fprintf(w, "note       %s\n", n)
	}
	return nil
}

func writeCuts(w io.Writer, s *tune.SweepResult) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "CUT\tDROPPED\t")
	if s.Costs != nil {
		fmt.Fprint(t, "PREDICTED\t")
	}
	if s.Source > 0 {
		fmt.Fprint(t, "PPL\tRATIO\tKL\t")
	}
	fmt.Fprintln(t, " ")
	for _, c := range s.Cuts {
		fmt.Fprintf(t, "%s\t%d\t", c.Cut, c.Dropped)
		if c.Predicted != nil {
			fmt.Fprintf(t, "%.3g\t", *c.Predicted)
		}
		if m := c.Measured; m != nil {
			fmt.Fprintf(t, "%.4g\t%.4f\t%.3g\t", m.PPL, m.PPL/m.SourcePPL, m.KL)
		}
		mark := " "
		if c.Chosen {
			mark = " --cut " + s.Cut
		}
		fmt.Fprintln(t, mark)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if s.Costs != nil {
		fmt.Fprintln(w, "predicted: the sum of the dropped planes' mean costs, nats of attention KL per layer and head")
	}
	if s.Source > 0 {
		fmt.Fprintf(w, "measured: perplexity (the source's is %.4g), its ratio, and KL(source ‖ cut) of the next token in nats\n", s.Source)
	}
	return nil
}
