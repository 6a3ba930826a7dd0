package posenc

import (
	"strings"
	"testing"
)

func TestVariants(t *testing.T) {
	for _, c := range []struct{ name, want, wrong string }{
		{name: "rope", want: "rope"},
		{name: "grape-a", want: "grape-a:key"},
		{name: "grape-a:querykey", want: "grape-a:querykey"},
		{name: "hybrid:alibi", want: "hybrid:alibi"},
		{name: "hybrid", want: "hybrid:grape-a:key"},
		{name: "hybrid:grape-a", want: "hybrid:grape-a:key"},
		{name: "hybrid:grape-a:query,key", want: "hybrid:grape-a:querykey"},
		{name: "grape-a:query,key", want: "grape-a:querykey"},
		{name: "grape-a:key,query", want: "grape-a:querykey"},
		{name: "hybrid:grape-a:key,query", want: "hybrid:grape-a:querykey"},
		{name: "grape-a:key,key", wrong: `variant "key,key" is unknown`},
		{name: "grape-a:que,ry", wrong: `variant "que,ry" is unknown`},
		{name: "kerple:lo,g", wrong: `variant "lo,g" is unknown`},
		{name: "hybrid:kerple", want: "hybrid:kerple:power"},
		{name: "kerple", want: "kerple:power"},
		{name: "rope:key", wrong: "has no variants"},
		{name: "grape-a:quary", wrong: `did you mean "query"? (valid: key, query, querykey)`},
		{name: "grape-a:", wrong: "(valid: key, query, querykey)"},
	} {
		e, err := FindEncoding(c.name)
		if c.wrong != "" {
			if err == nil || !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("%q: error %v, want %q", c.name, err, c.wrong)
			}
			continue
		}
		if err != nil || e.String() != c.want {
			t.Errorf("%q is %q (%v), want %q", c.name, e, err, c.want)
		}
	}
}
