package recode

import (
	"encoding/binary"
	"math"

	"github.com/pecvt/pecvt/convert/quant/nearest"
)

// stepSize are the bytes of a block's grid in the spool: scale, low, zero, exact.
const stepSize = 10

// recordSize are those of a row.
func recordSize(s nearest.Scheme, columns int) int { return columns + stepSize*s.Across(columns) }

func appendLine(buf []byte, l *nearest.Line) []byte {
	buf = append(buf, l.Codes...)
	for _, g := range l.Steps {
		buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(g.Scale))
		buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(g.Low))
		exact := byte(0)
		if g.Exact {
			exact = 1
		}
		buf = append(buf, byte(g.Zero), exact)
	}
	return buf
}

func readLine(buf []byte, l *nearest.Line) {
	buf = buf[copy(l.Codes, buf):]
	for b := range l.Steps {
		r := buf[b*stepSize:]
		l.Steps[b] = nearest.Step{
			Scale: math.Float32frombits(binary.LittleEndian.Uint32(r)), Low: math.Float32frombits(binary.LittleEndian.Uint32(r[4:])),
			Zero: int(r[8]), Exact: r[9] == 1,
		}
	}
}
