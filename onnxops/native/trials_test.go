package native_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/pecvt/pecvt/onnxops/graph"
	"github.com/pecvt/pecvt/onnxops/ops"
)

// array is an input: floats, or whole numbers where ints is set. One that is narrow
// goes through that type in the graph, a boolean becomes a bool there.
type array struct {
	shape   []int64
	floats  []float32
	ints    []int64
	narrow  graph.DType
	boolean bool
}

// trial is one call of an operator.
type trial struct {
	op    string
	in    []array
	attrs []graph.Attr
}

// draw makes trials.
type draw struct{ *rand.Rand }

func (d draw) between(low, high int) int64 { return int64(low + d.IntN(high-low+1)) }

// floats are normal numbers times scale.
func (d draw) floats(scale float64, shape ...int64) array {
	a := array{shape: shape, floats: make([]float32, size(shape))}
	for i := range a.floats {
		a.floats[i] = float32(d.NormFloat64() * scale)
	}
	return a
}

// mask is 0 or 1, mostly 1.
func (d draw) mask(shape ...int64) array {
	a := array{shape: shape, ints: make([]int64, size(shape))}
	for i := range a.ints {
		a.ints[i] = min(d.between(0, 7), 1)
	}
	return a
}

func (d draw) real(shape ...int64) array {
	m := d.mask(shape...)
	a := array{shape: shape}
	for _, x := range m.ints {
		a.floats = append(a.floats, float32(x))
	}
	return a
}

func size(shape []int64) int64 {
	n := int64(1)
	for _, s := range shape {
		n *= s
	}
	return n
}

// positions count from start in each row.
func positions(b, n, start int64) array {
	a := array{shape: []int64{b, n}}
	for range b {
		for i := range n {
			a.floats = append(a.floats, float32(start+i))
		}
	}
	return a
}

// kernels is a bias of the distance: r1 of 0 or more, r2 above 0 and at most 2.
func kernels(d draw, op string) trial {
	b, h, s, past := d.between(1, 3), d.between(1, 5), d.between(1, 70), d.between(0, 70)
	r1, r2 := d.floats(1, 1, h, 1, 1), d.floats(1, 1, h, 1, 1)
	for i := range r1.floats {
		r1.floats[i], r2.floats[i] = max(r1.floats[i], 0), min(max(-r2.floats[i], r2.floats[i], 1e-3), 2)
	}
	return trial{op, []array{positions(b, s, past), positions(b, s+past, 0), r1, r2}, nil}
}

// trials are the operators of the table, by name.
var trials = map[string]func(d draw) trial{
	"Rotation": func(d draw) trial {
		b, n, s, size := d.between(1, 3), d.between(1, 5), d.between(1, 130), 2*d.between(1, 40)
		r := 2 * d.between(1, int(size/2))
		attr := r
		if r == size && d.IntN(2) == 0 {
			attr = 0
		}
		if r != size { // RotaryEmbedding takes a part of a head alone so
			attr = r
		}
		return trial{"Rotation", []array{d.floats(1, b, n, s, size), d.floats(1, b, s, r/2), d.floats(1, b, s, r/2)},
			[]graph.Attr{graph.IntAttr("interleaved", d.IntN(2)), graph.IntAttr("rotary_embedding_dim", int(attr))}}
	},
	"ContextPhase": func(d draw) trial {
		b, n, s := d.between(1, 3), d.between(1, 5), d.between(1, 200)
		return trial{"ContextPhase", []array{d.floats(3, b, n, s), d.real(b, 1, s), d.floats(100, b, n, 2)}, nil}
	},
	"PathBias": func(d draw) trial {
		b, n, s := d.between(1, 3), d.between(1, 5), d.between(1, 200)
		return trial{"PathBias", []array{d.floats(3, b, n, s), d.real(b, 1, s), d.floats(100, b, n, 2)}, nil}
	},
	"RelativeBias": func(d draw) trial {
		b, h, s, past := d.between(1, 3), d.between(1, 5), d.between(1, 70), d.between(0, 70)
		t := s + past
		one := func(n int64) int64 { return []int64{1, n}[d.IntN(2)] }
		return trial{"RelativeBias", []array{positions(b, s, past), positions(b, t, 0), d.floats(1, one(b), h, one(s), 1), d.floats(1, one(b), one(h), 1, one(t))}, nil}
	},
	"LogBias":   func(d draw) trial { return kernels(d, "LogBias") },
	"PowerBias": func(d draw) trial { return kernels(d, "PowerBias") },
	"PathIntegralBias": func(d draw) trial {
		b, h, s, past, p := d.between(1, 3), d.between(1, 4), d.between(1, 150), d.between(0, 150), d.between(1, 20)
		seen := d.mask(b, 1, s, s+past)
		seen.boolean = true
		return trial{"PathIntegralBias", []array{d.floats(1, b, h, s, p), d.floats(1, b, h, s+past, p), d.floats(1, 1, h, 1, 1), seen}, nil}
	},
	"RelativeAttention": func(d draw) trial {
		t, b, h, s, all := attention(d, "RelativeAttention")
		one := func(n int64) int64 { return []int64{1, n}[d.IntN(2)] }
		t.in = append(t.in, positions(b, s, all-s), positions(b, all, 0), d.floats(.3, one(b), h, one(s), 1), d.floats(.3, one(b), one(h), 1, one(all)))
		return t
	},
	"PathAttention": func(d draw) trial {
		t, b, h, s, all := attention(d, "PathAttention")
		t.in = append(t.in, d.floats(3, b, h, s, 1), d.floats(1, b, h, s, 1), d.floats(3, b, h, all, 1), d.floats(1, b, h, all, 1))
		return t
	},
	"PathIntegralAttention": func(d draw) trial {
		t, b, h, s, all := attention(d, "PathIntegralAttention")
		p := d.between(1, 20)
		t.in = append(t.in, d.floats(1, b, h, s, p), d.floats(1, b, h, all, p), d.floats(.3, 1, h, 1, 1))
		return t
	},
}

// attention is a trial without its bias.
func attention(d draw, op string) (t trial, b, h, s, all int64) {
	b, s = d.between(1, 3), []int64{d.between(1, 3), d.between(1, 150)}[d.IntN(2)]
	groups, past, q, v := d.between(1, 3), d.between(0, 150), d.between(1, 80), d.between(1, 80)
	if s <= 3 && d.IntN(2) == 0 { // few queries of so many keys that they are divided among threads
		b, groups, past = 1, d.between(1, 2), d.between(1100, 2200)
	}
	h, all = groups*d.between(1, 3), s+past
	window := []int64{0, d.between(1, int(all)+3)}[d.IntN(2)]
	t = trial{op, []array{d.floats(1, b, h, s, q), d.floats(1, b, groups, s, q), d.floats(1, b, groups, s, v), d.floats(1, b, groups, past, q), d.floats(1, b, groups, past, v),
		d.mask(b, all), {shape: []int64{}, ints: []int64{window}}}, []graph.Attr{graph.FloatAttr("scale", 1/math.Sqrt(float64(q)))}}
	return t, b, h, s, all
}

// narrow are the operators that take 16 bits, and how many inputs then have them.
var narrow = map[string]int{"Rotation": 3, "RelativeAttention": 5, "PathAttention": 5, "PathIntegralAttention": 5}

// row is the operator's row of the table.
func row(t testing.TB, name string) ops.Op {
	for _, op := range ops.Table() {
		if op.Name == name {
			return op
		}
	}
	t.Fatalf("the table has no operator %s", name)
	return ops.Op{}
}
