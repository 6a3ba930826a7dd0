package eval

import (
	"math"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// confidence is the level of every interval.
const confidence = 0.95

// interval is Student's t interval of the mean of samples; ok is false for
// fewer than two.
func interval(samples []float64) (mean, half float64, ok bool) {
	mean = stat.Mean(samples, nil)
	n := float64(len(samples))
	if n < 2 {
		return mean, math.NaN(), false
	}
	t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: n - 1}.Quantile((1 + confidence) / 2)
	return mean, t * stat.StdDev(samples, nil) / math.Sqrt(n), true
}

// plain is a mean with its interval.
func plain(samples []float64) (Number, Interval) {
	mean, half, ok := interval(samples)
	if !ok {
		return Number(mean), nil
	}
	return Number(mean), &[2]Number{Number(mean - half), Number(mean + half)}
}

// exponential is exp of a mean, with its interval.
func exponential(samples []float64) (Number, Interval) {
	mean, half, ok := interval(samples)
	if !ok {
		return Number(math.Exp(mean)), nil
	}
	return Number(math.Exp(mean)), &[2]Number{Number(math.Exp(mean - half)), Number(math.Exp(mean + half))}
}

// each applies f to the traces of all sequences.
func each(traces []Trace, f func(t Trace) float64) []float64 {
	out := make([]float64, len(traces))
	for s, t := range traces {
		out[s] = f(t)
	}
	return out
}

func mean(x []float64) float64 { return stat.Mean(x, nil) }

func shareOf(x []bool) float64 {
	n := 0
	for _, ok := range x {
		if ok {
			n++
		}
	}
	return float64(n) / float64(len(x))
}

// bucketStart is the first position of bucket k: 0, 16, 32, 64, 128, …
func bucketStart(k int) int {
	if k == 0 {
		return 0
	}
	return 8 << k
}

// summarise makes a result of the traces of N sequences of T tokens; source are
// the source's traces of the same sequences, nil without one or for itself, and trained
// is L.
func (m *Model) summarise(traces, source []Trace, last, trained int) *Result {
	n := len(traces[0].NLL)
	k := min(last, n)
	nan := Number(math.NaN())
	r := &Result{
		Model: m.Name, Path: m.Dir, As: m.as, Length: n + 1, Sequences: len(traces), Tokens: len(traces) * n,
		TrainedLength: m.TrainedLength, Beyond: n+1 > m.TrainedLength, Runner: m.Runner, Last: k,
		KL: nan, KLLast: nan, Top1: nan, Ratio: nan, RatioLast: nan,
	}
	all := each(traces, func(t Trace) float64 { return mean(t.NLL) })
	late := each(traces, func(t Trace) float64 { return mean(t.NLL[n-k:]) })
	r.NLL = Number(mean(all))
	r.PPL, r.PPLCI = exponential(all)
	r.PPLLast, r.PPLLastCI = exponential(late)
	if source != nil {
		r.KL, r.KLCI = plain(each(traces, func(t Trace) float64 { return mean(t.KL) }))
		r.KLLast = Number(mean(each(traces, func(t Trace) float64 { return mean(t.KL[n-k:]) })))
		r.Top1, r.Top1CI = plain(each(traces, func(t Trace) float64 { return shareOf(t.OK) }))
		r.Ratio, r.RatioCI = exponential(minus(all, each(source, func(t Trace) float64 { return mean(t.NLL) })))
		r.RatioLast, r.RatioLastCI = exponential(minus(late, each(source, func(t Trace) float64 { return mean(t.NLL[n-k:]) })))
	}
	for b := 0; bucketStart(b) < n; b++ {
		from, to := bucketStart(b), min(bucketStart(b+1), n)
		out := Bucket{From: from, To: to - 1, KL: nan, Top1: nan}
		out.PPL = Number(math.Exp(mean(each(traces, func(t Trace) float64 { return mean(t.NLL[from:to]) }))))
		if source != nil {
			out.KL = Number(mean(each(traces, func(t Trace) float64 { return mean(t.KL[from:to]) })))
			out.Top1 = Number(mean(each(traces, func(t Trace) float64 { return shareOf(t.OK[from:to]) })))
		}
		r.Buckets = append(r.Buckets, out)
	}
	if m.as != "" {
		r.Path = m.from
	}
	r.Bands = bands(traces, source, trained)
	return r
}

// bands are those of sequences of more than trained tokens.
func bands(traces, source []Trace, trained int) []Band {
	n := len(traces[0].NLL)
	if trained < 2 || n+1 <= trained {
		return nil
	}
	var out []Band
	var own []float64
	for from, to := trained/2, trained; from < n; from, to = to, 2*to {
		to := min(to, n)
		b := Band{From: from, To: to - 1, Own: Number(math.NaN()), Ratio: Number(math.NaN())}
		nll := each(traces, func(t Trace) float64 { return mean(t.NLL[from:to]) })
		b.PPL, b.PPLCI = exponential(nll)
		if own == nil {
			own = nll
		} else {
			b.Own, b.OwnCI = exponential(minus(nll, own))
		}
		if source != nil {
			b.Ratio, b.RatioCI = exponential(minus(nll, each(source, func(t Trace) float64 { return mean(t.NLL[from:to]) })))
		}
		out = append(out, b)
	}
	return out
}

func minus(a, b []float64) []float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = a[i] - b[i]
	}
	return out
}
