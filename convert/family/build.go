package family

import (
	"strconv"
	"strings"
)

// whole is a weight that is a stored tensor.
func whole(name string, shape ...int64) Weight {
	return Weight{Tensor: name, Shape: shape, Stored: shape}
}

// builder makes one layer's weights from a family's name templates.
type builder struct {
	r     *reader
	spec  Spec
	n     Names
	eps   float64
	layer int
}

func (b *builder) name(template string) string {
	return strings.ReplaceAll(template, "{i}", strconv.Itoa(b.layer))
}

func (b *builder) has(rule BiasRule) bool {
	return rule.Always || (rule.Key != "" && b.r.boolOr(false, rule.Key))
}

func (b *builder) norm(template string, n int64) Norm {
	name := b.name(template)
	norm := Norm{Kind: b.spec.Norm, Weight: whole(name+".weight", n), Eps: b.eps}
	if b.spec.Norm == LayerNorm {
		bias := whole(name+".bias", n)
		norm.Bias = &bias
	}
	return norm
}

// linear is y = W x (+ b) with a tensor of its own.
func (b *builder) linear(template string, bias bool, out, in int64) Linear {
	return b.part(template, bias, in, 0, out, out)
}

// part is the rows [begin, begin+out) of a stored matrix of total rows.
func (b *builder) part(template string, bias bool, in, begin, out, total int64) Linear {
	name := b.name(template)
	var rows []Range
	if out != total {
		rows = []Range{{begin, begin + out}}
	}
	l := Linear{Weight: Weight{Tensor: name + ".weight", Shape: []int64{out, in}, Rows: rows, Stored: []int64{total, in}}}
	if bias {
		l.Bias = &Weight{Tensor: name + ".bias", Shape: []int64{out}, Rows: rows, Stored: []int64{total}}
	}
	return l
}

// sizeOrZero reads an optional non-negative integer.
func (r *reader) sizeOrZero(key string, def int) int {
	v, ok, err := r.c.Int(key)
	r.fail(err)
	if !ok || err != nil {
		return def
	}
	if v < 0 {
		r.fail(wrongType(key, r.c.Raw(key), "zero or a positive number"))
	}
	return v
}
