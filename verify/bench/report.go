package bench

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// Schema is the version of a report.
const Schema = 1

// Report is what was measured.
type Report struct {
	Schema  int    `json:"schema"`
	Runtime string `json:"runtime"`
	// Provider and Threads are the session's; 0 threads is ONNX Runtime's choice.
	Provider string `json:"provider"`
	Threads  int    `json:"threads"`
	// Repeat is the number of rounds that counted, Steps how many tokens each decoded.
	Repeat int      `json:"repeat"`
	Steps  int      `json:"steps"`
	Models []*Model `json:"models"`
}

// Model is one folder.
type Model struct {
	Model string `json:"model"`
	Path  string `json:"path"`
	// Ops is the library of kernels that it ran with.
	Ops string `json:"ops_library,omitempty"`
	// Bytes are those of the folder's files.
	Bytes int64 `json:"bytes"`
	// PeakBytes is the largest resident memory of its process, weights that are mapped
	// from a file included; 0 where that is not known.
	PeakBytes int64    `json:"peak_bytes"`
	Load      Figure   `json:"load"`
	Prefill   []Figure `json:"prefill"`
	Decode    []Figure `json:"decode"`
}

// Figure is the time of one piece of work.
type Figure struct {
	// Tokens is the prompt's length, or the tokens before the first that was decoded.
	Tokens int `json:"tokens,omitempty"`
	// Seconds is the median over the rounds, of a prompt, of one token, or of a load;
	// Low and High are the quartiles.
	Seconds float64 `json:"seconds"`
	Low     float64 `json:"low"`
	High    float64 `json:"high"`
	// Rate is tokens per second of the median.
	Rate float64 `json:"tokens_per_second,omitempty"`
	// CPU is the median of the processor time, in seconds; 0 where it is not known.
	CPU float64 `json:"cpu_seconds"`
	// Ratio and CPURatio are the medians of the time over the first folder's in the same
	// round.
	Ratio    float64 `json:"ratio"`
	CPURatio float64 `json:"cpu_ratio"`
}

// WriteText prints a report for people.
func (r *Report) WriteText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "MODEL\tBYTES\tPEAK MEMORY\tLOAD s\tQUARTILES\tRATIO\tCPU RATIO\t")
	for _, m := range r.Models {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", m.Model, size(m.Bytes), size(m.PeakBytes), m.Load.text(1))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, part := range []struct {
		head, unit string
		of         func(m *Model) []Figure
	}{{"PREFILL", "PROMPT ms", func(m *Model) []Figure { return m.Prefill }}, {"DECODE AT", "TOKEN ms", func(m *Model) []Figure { return m.Decode }}} {
		n := len(part.of(r.Models[0]))
		if n == 0 {
			continue
		}
		fmt.Fprintf(t, "\n%s\tMODEL\tTOKENS/s\t%s\tQUARTILES\tRATIO\tCPU RATIO\t\n", part.head, part.unit)
		for i := range n {
			for _, m := range r.Models {
				f := part.of(m)[i]
				fmt.Fprintf(t, "%d\t%s\t%.4g\t%s\n", f.Tokens, m.Model, f.Rate, f.text(1e3))
			}
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "\nrounds in turns: %d; onnx runtime %s on %s; ratios are of time: under 1 is faster than the first\n", r.Repeat, r.Runtime, r.Provider)
	return err
}

func (f Figure) text(unit float64) string {
	cpu := ""
	if f.CPURatio > 0 {
		cpu = fmt.Sprintf("%.3f", f.CPURatio)
	}
	return fmt.Sprintf("%.4g\t%.4g–%.4g\t%.3f\t%s\t", f.Seconds*unit, f.Low*unit, f.High*unit, f.Ratio, cpu)
}

// size is a number of bytes in words, nothing where it is not known.
func size(n int64) string {
	switch {
	case n == 0:
		return ""
	case n < 1e6:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	case n < 1e9:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.2f GB", float64(n)/1e9)
}
