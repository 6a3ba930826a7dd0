package graph

import "testing"

func TestProducts(t *testing.T) {
	b, s := Sym("batch"), Sym("sequence")
	tests := []struct {
		name string
		got  Dim
		want string
	}{
		{"two names", mul(s, b).dim(), "batch*sequence"},
		{"a name and lengths", mul(b, Fixed(3), Fixed(4)).dim(), "12*batch"},
		{"a product again", mul(Sym("12*batch"), s, Fixed(2)).dim(), "24*batch*sequence"},
		{"lengths", mul(Fixed(3), Fixed(5)).dim(), "15"},
		{"zero", mul(b, Fixed(0)).dim(), "0"},
		{"nothing", mul().dim(), "1"},
	}
	for _, tt := range tests {
		if tt.got.String() != tt.want {
			t.Errorf("%s: %s, expected %s", tt.name, tt.got, tt.want)
		}
	}
}

func TestDivide(t *testing.T) {
	b, s := Sym("batch"), Sym("sequence")
	tests := []struct {
		name string
		p, q product
		want string // "" where it does not divide
	}{
		{"exact", mul(b, s, Fixed(64)), mul(Fixed(64)), "batch*sequence"},
		{"name out", mul(b, s, Fixed(64)), mul(s, Fixed(16)), "4*batch"},
		{"remainder", mul(b, Fixed(64)), mul(Fixed(5)), ""},
		{"other name", mul(b, Fixed(64)), mul(s), ""},
		{"by zero", mul(b), mul(Fixed(0)), ""},
		{"name twice", mul(b, b), mul(b), "batch"},
	}
	for _, tt := range tests {
		got, ok := tt.p.div(tt.q)
		if ok != (tt.want != "") || ok && got.dim().String() != tt.want {
			t.Errorf("%s: %v %v, expected %q", tt.name, got, ok, tt.want)
		}
	}
}
