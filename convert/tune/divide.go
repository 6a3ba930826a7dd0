package tune

import (
	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/posenc/hint"
)

const (
	// DefaultMeasureTokens is what a measurement takes where the text has it.
	DefaultMeasureTokens = 16384
	// costTokens is what the costs are measured on, in at most costSequences.
	costTokens    = 8192
	costSequences = 4
	// measuredSequences is how many are measured on at most.
	measuredSequences = 8
)

// Division is a text in two: its end is measured on, and what is before that
// serves the costs and the calibration.
type Division struct {
	// Fit are the tokens before the end, Measured the sequences of it.
	Fit      []int64
	Measured [][]int64
	// Whole is the text's end, as long as an extension reaches, and Pieces are it in
	// pieces of the trained length; nil where there is none to measure.
	Whole  []int64
	Pieces [][]int64

	text *Text
}

// Divide cuts the measured sequences of length tokens from the end: as many as
// measure tokens make (0: DefaultMeasureTokens), at most 8, and never more than
// a third of the text. It refuses a text of less than two such sequences.
func (t *Text) Divide(length, measure int) (*Division, error) {
	if measure == 0 {
		measure = DefaultMeasureTokens
	}
	n := max(1, min(measuredSequences, measure/length, len(t.IDs)/length/3))
	if len(t.IDs) < 2*length {
		return nil, hint.Errorf("the text has %d tokens: at a length of %d at least %d are needed, half of them to measure the result on; give more text, or a smaller length (%s and %s, %s of a sweep)",
			len(t.IDs), length, 2*length, hint.SelectLength, hint.CalibrateLength, hint.SweepLength)
	}
	end := len(t.IDs) - n*length
	return &Division{Fit: t.IDs[:end], Measured: t.begun(chunks(t.IDs[end:], length, n)), text: t}, nil
}

// reach sets the last n times length tokens apart for the measurement of an extension,
// so that what is fitted reads none of them.
func (d *Division) reach(n, length int) {
	ids := d.text.IDs
	from := len(ids) - n*length
	d.Fit = d.Fit[:min(len(d.Fit), from)]
	d.Whole = d.text.begun([][]int64{ids[from:]})[0]
	for _, piece := range chunks(d.Whole, length, n) {
		if d.text.BOS != nil { // in the place of a token that is not scored: positions stay
			piece = append([]int64{*d.text.BOS}, piece[1:]...)
		}
		d.Pieces = append(d.Pieces, piece)
	}
}

// Costs are the sequences of length tokens that the costs of planes are measured
// on.
func (d *Division) Costs(length int) [][]int64 {
	return d.text.begun(chunks(d.Fit, length, max(1, min(costSequences, costTokens/length))))
}

// measured records for the manifest what was measured on.
func (d *Division) measured() []convert.Text {
	n, long := tokenCount(d.Measured), len(d.Whole)
	return append(d.text.uses(len(d.text.IDs)-n, n, "measure"), d.text.uses(len(d.text.IDs)-long, long, "reach")...)
}

// chunks cuts at most n sequences from the front.
func chunks(ids []int64, length, n int) [][]int64 {
	var list [][]int64
	for at := 0; at+length <= len(ids) && len(list) < n; at += length {
		list = append(list, ids[at:at+length:at+length])
	}
	return list
}

// tokenCount is the number of tokens in sequences.
func tokenCount(sequences [][]int64) int {
	n := 0
	for _, s := range sequences {
		n += len(s)
	}
	return n
}
