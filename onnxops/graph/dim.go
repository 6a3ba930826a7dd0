package graph

import (
	"slices"
	"strconv"
	"strings"
)

// Dim is one dimension: a length, or a name for a length known at run time.
// The name of a product is its factors joined by "*", as in "batch*sequence".
type Dim struct {
	N    int64  // the length, when Name is ""
	Name string // the name of a dynamic dimension
}

// Fixed returns the dimension of length n.
func Fixed(n int) Dim { return Dim{N: int64(n)} }

// Sym returns the dynamic dimension called name.
func Sym(name string) Dim { return Dim{Name: name} }

// IsFixed reports whether the length is known at build time.
func (d Dim) IsFixed() bool { return d.Name == "" }

func (d Dim) String() string {
	if d.Name != "" {
		return d.Name
	}
	return strconv.FormatInt(d.N, 10)
}

// Shape lists dimensions, outermost first. An empty shape is a scalar.
type Shape []Dim

// Of makes a shape of integers (lengths) and strings (names); it panics on
// anything else, which is a programmer's error.
func Of(dims ...any) Shape {
	s := make(Shape, len(dims))
	for i, d := range dims {
		switch d := d.(type) {
		case int:
			s[i] = Fixed(d)
		case int64:
			s[i] = Dim{N: d}
		case string:
			s[i] = Sym(d)
		case Dim:
			s[i] = d
		default:
			panic("graph: a dimension is an int, a string or a Dim")
		}
	}
	return s
}

func (s Shape) String() string {
	parts := make([]string, len(s))
	for i, d := range s {
		parts[i] = d.String()
	}
	return "[" + strings.Join(parts, " ") + "]"
}

// Equal reports whether both shapes have the same dimensions, by length or name.
func (s Shape) Equal(t Shape) bool { return slices.Equal(s, t) }

// product is a length as an integer times named factors, sorted.
type product struct {
	n     int64
	names []string
}

func (d Dim) product() product {
	if d.IsFixed() {
		return product{n: d.N}
	}
	p := product{n: 1}
	for f := range strings.SplitSeq(d.Name, "*") {
		if n, err := strconv.ParseInt(f, 10, 64); err == nil {
			p.n *= n
			continue
		}
		p.names = append(p.names, f)
	}
	slices.Sort(p.names)
	return p
}

func (p product) dim() Dim {
	if len(p.names) == 0 || p.n == 0 {
		return Dim{N: p.n}
	}
	name := strings.Join(p.names, "*")
	if p.n != 1 {
		name = strconv.FormatInt(p.n, 10) + "*" + name
	}
	return Sym(name)
}

// mul returns the product of all dims.
func mul(dims ...Dim) product {
	p := product{n: 1}
	for _, d := range dims {
		q := d.product()
		p.n *= q.n
		p.names = append(p.names, q.names...)
	}
	slices.Sort(p.names)
	return p
}

// div returns p / q, when q divides p factor by factor.
func (p product) div(q product) (product, bool) {
	if q.n == 0 || p.n%q.n != 0 {
		return product{}, false
	}
	rest := slices.Clone(p.names)
	for _, name := range q.names {
		i := slices.Index(rest, name)
		if i < 0 {
			return product{}, false
		}
		rest = slices.Delete(rest, i, i+1)
	}
	return product{n: p.n / q.n, names: rest}, true
}

func (p product) equal(q product) bool {
	return p.n == q.n && slices.Equal(p.names, q.names)
}
