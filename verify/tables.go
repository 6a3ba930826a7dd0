package verify

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/pecvt/pecvt/onnxops/headtables"
	"github.com/pecvt/pecvt/onnxops/names"
	"github.com/pecvt/pecvt/onnxops/onnxpb"
	"github.com/pecvt/pecvt/posenc"
	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// tables compares every cosine and sine in the graph with the encoding that
// config.json declares. Logits cannot show it all: attention sees differences
// of positions, so tables that are one row off give the same logits, and a
// prompt visits a few rows only.
func (s *session) tables() {
	c := report.Check{Name: report.CheckTables, Runner: run.InterpName, Against: "config.json", Verdict: report.Pass}
	stored := map[string]*onnxpb.TensorProto{}
	for _, t := range s.info.Model.GetGraph().GetInitializer() {
		stored[t.GetName()] = t
	}
	var worst entry
	list := run.Tables(s.model)
	for _, t := range list {
		i, r, prefix := t.Layer, t.Rotary, t.Name
		cos, sin := stored[prefix+names.CosTable], stored[prefix+names.SinTable]
		if cos == nil || sin == nil {
			c.Verdict = report.Incomplete
			c.Detail = fmt.Sprintf("the graph has no tables %s%s and %s, which layer %d turns by: names were changed or stripped after the emission: emit the graph again with pecvt export", prefix, names.CosTable, names.SinTable, i)
			s.add(c)
			return
		}
		found, err := compareTables(r, s.info.MaxLength, cos, sin)
		if err != nil {
			c.Verdict, c.Detail = report.Fail, fmt.Sprintf("layer %d: %v", i, err)
			s.add(c)
			return
		}
		c.Positions = s.info.MaxLength
		c.Limit = max(c.Limit, report.Number(tableLimit(r)))
		if found.off > worst.off {
			worst = found
		}
	}
	heads := headtables.Of(s.model, s.info.MaxLength)
	for _, t := range heads {
		found, missing, err := compareHeadTables(s.model, t, stored)
		if missing != "" {
			c.Verdict, c.Detail = report.Incomplete, unnamed(missing)
			s.add(c)
			return
		}
		if err != nil {
			c.Verdict, c.Detail = report.Fail, fmt.Sprintf("layer %d: %v", t.Layer, err)
			s.add(c)
			return
		}
		c.Positions = s.info.MaxLength
		for _, r := range t.Layers {
			c.Limit = max(c.Limit, report.Number(tableLimit(r)))
		}
		if found.off > worst.off {
			worst = found
		}
	}
	phases, missing, err := s.phaseRates(stored)
	if missing != "" {
		c.Verdict, c.Detail = report.Incomplete, unnamed(missing)
		s.add(c)
		return
	}
	if err != nil {
		c.Verdict, c.Detail = report.Fail, err.Error()
		s.add(c)
		return
	}
	if len(list)+len(heads)+phases == 0 {
		c.Verdict, c.Detail = report.Skipped, "the encoding has no tables: nothing turns"
	}
	c.MaxAbs, c.MaxRel = report.Number(worst.off), report.Number(worst.off)
	if worst.off > 0 && !(worst.off <= float64(c.Limit)) {
		c.Verdict = report.Fail
		c.Detail = fmt.Sprintf("the %s of position %d, plane %d is %.9g: expected %.9g", worst.table, worst.row, worst.plane, worst.got, worst.want)
	}
	s.add(c)
}

// phaseRates compares what the graph multiplies phases by, in turns, with the
// encoding's frequencies, and returns how many layers have such rates, and the
// table that is not there by its name.
func (s *session) phaseRates(stored map[string]*onnxpb.TensorProto) (layers int, missing string, err error) {
	for i, a := range s.model.Attentions() {
		if a.Phase == nil || a.Rotary.Dim == 0 {
			continue
		}
		name := names.Layer(i, names.TurnsPerPosition)
		t := stored[name]
		if t == nil {
			return layers, name, nil
		}
		layers++
		var want []float64
		if a.Spectra == nil {
			want = a.Rotary.InvFreq
		} else {
			for _, group := range a.Spectra.InvFreq {
				want = append(want, group...)
			}
		}
		raw := t.GetRawData()
		if len(raw) != 8*len(want) {
			return layers, "", fmt.Errorf("layer %d: %s has %d bytes: expected %d frequencies of 8", i, name, len(raw), len(want))
		}
		for p, theta := range want {
			got := 2 * math.Pi * math.Float64frombits(binary.LittleEndian.Uint64(raw[8*p:]))
			if !(math.Abs(got-theta) <= 4*report.Float64.Roundoff()*math.Abs(theta)) {
				return layers, "", fmt.Errorf("layer %d: plane %d turns by %.9g per unit of phase: expected %.9g", i, p, got, theta)
			}
		}
	}
	return layers, "", nil
}

// tableLimit is what rounding to float32 may change: 2 u of the largest value,
// of which one is the rounding and the other room for another sine function.
func tableLimit(r posenc.Rotary) float64 {
	return 2 * report.Float32.Roundoff() * max(1, math.Abs(r.Gain))
}

// entry is the number of a table that is farthest off; the first of equals.
type entry struct {
	table      string
	row, plane int
	got, want  float64
	off        float64
}

// compareTables returns the farthest of a rotation's cosines and sines.
func compareTables(r posenc.Rotary, rows int, cos, sin *onnxpb.TensorProto) (entry, error) {
	var worst entry
	for _, t := range []*onnxpb.TensorProto{cos, sin} {
		d := t.GetDims()
		if len(d) != 2 || d[0] != int64(rows) || d[1] < int64(r.Planes()) || d[1] != cos.GetDims()[1] || int64(len(t.GetRawData())) != 4*d[0]*d[1] {
			return worst, fmt.Errorf("table %s has shape %v: expected %d positions and %d planes", t.GetName(), d, rows, r.Planes())
		}
	}
	at := func(t *onnxpb.TensorProto, row, plane int) float64 {
		i := 4 * (row*int(t.GetDims()[1]) + plane)
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(t.GetRawData()[i:])))
	}
	for row := range rows {
		for p := range int(cos.GetDims()[1]) {
			c, s := 1.0, 0.0 // columns past the planes leave what they meet as it is
			if p < r.Planes() {
				c, s = r.CosSin(p, int64(row))
			}
			worst.meet(entry{"cos", row, p, at(cos, row, p), c, 0})
			worst.meet(entry{"sin", row, p, at(sin, row, p), s, 0})
		}
	}
	return worst, nil
}

// meet keeps the farther of two entries.
func (worst *entry) meet(e entry) {
	e.off = math.Abs(e.got - e.want)
	if math.IsNaN(e.off) {
		e.off = math.Inf(1)
	}
	if e.off > worst.off {
		*worst = e
	}
}
