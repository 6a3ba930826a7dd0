package figures

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/pecvt/pecvt/verify/report"
	"github.com/pecvt/pecvt/verify/run"
)

// driftPiece is how many positions of both models are in memory at once.
const driftPiece = 64

// DriftSteps is how many steps Drift announces for these tokens.
func DriftSteps(ids [][]int64) int { return len(ids) * ((len(ids[0]) + driftPiece - 1) / driftPiece) }

// Drift measures how far the model moved from its source on rows of tokens of one
// length, in float64, position by position: ranges of doubling length from position
// 0, and, where they are asked for, the first driftPoints positions one by one.
func (f *Case) Drift(ctx context.Context, ids [][]int64, byPoint bool) (*report.Drift, []report.DriftPoint, error) {
	if f.Source == nil {
		return nil, nil, errors.New("drift: no source to measure it from")
	}
	s := f.maker(ctx)
	n := len(ids[0])
	src, err := s.source.AtLength(n)
	if err != nil {
		return nil, nil, err
	}
	source := run.NewRef(src, s.sourceCkpt)
	d := &report.Drift{Source: s.sourceCkpt.Root()}
	var all bucket
	var buckets, points []bucket
	for row := range ids {
		in := run.Prompt([][]int64{ids[row][:n]}, 0)
		var pastA, pastB run.State
		for from := 0; from < n; from += driftPiece {
			to := min(from+driftPiece, n)
			s.step("drift: row %d of %d, positions %d to %d of %d", row+1, len(ids), from, to-1, n)
			piece := in.Slice(from, to)
			var a, b *report.Logits
			if a, pastA, err = source.Run(s.ctx, piece, pastA); err != nil {
				return nil, nil, fmt.Errorf("source: %w", err)
			}
			if b, pastB, err = s.ref.Run(s.ctx, piece, pastB); err != nil {
				return nil, nil, err
			}
			for i := range to - from {
				k := bucketOf(from + i)
				for len(buckets) <= k {
					buckets = append(buckets, bucket{})
				}
				into := []*bucket{&all, &buckets[k]}
				if byPoint && from+i < driftPoints {
					if from+i == len(points) {
						points = append(points, bucket{})
					}
					into = append(into, &points[from+i])
				}
				for _, into := range into {
					into.add(a.At(0, i), b.At(0, i))
				}
			}
		}
	}
	d.KL, d.Top1, d.MaxAbs = all.figures()
	for k, b := range buckets {
		row := report.DriftRow{From: bucketStart(k), To: min(bucketStart(k+1), n) - 1}
		row.KL, row.Top1, row.Max = b.figures()
		d.Positions = append(d.Positions, row)
	}
	var list []report.DriftPoint
	for position, b := range points {
		point := report.DriftPoint{Position: position}
		point.KL, _, point.Max = b.figures()
		list = append(list, point)
	}
	return d, list, nil
}

// bucketOf puts position p into ranges 0–15, 16–31, 32–63, 64–127, …
func bucketOf(p int) int {
	k := 0
	for bucketStart(k+1) <= p {
		k++
	}
	return k
}

func bucketStart(k int) int {
	if k == 0 {
		return 0
	}
	return 8 << k
}

// bucket accumulates a range of positions.
type bucket struct {
	n, same int
	kl, max float64
}

func (b *bucket) add(p, q []float64) {
	b.n++
	b.kl += report.Divergence(p, q)
	if report.ArgMax(p) == report.ArgMax(q) {
		b.same++
	}
	for i := range p {
		b.max = math.Max(b.max, math.Abs(p[i]-q[i]))
	}
}

func (b *bucket) figures() (kl, top1, largest report.Number) {
	return report.Number(b.kl / float64(b.n)), report.Number(float64(b.same) / float64(b.n)), report.Number(b.max)
}
