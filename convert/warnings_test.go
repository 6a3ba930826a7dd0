package convert_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert"
	"github.com/pecvt/pecvt/convert/rewrite"
)

// TestLengthWarnings: plan, convert and export say, as inspect does, where a
// graph holds one of several rotations; not where the result has one.
func TestLengthWarnings(t *testing.T) {
	factors := func(short, long string) string {
		return `{"rope_type":"longrope","rope_theta":300.0,"original_max_position_embeddings":16,"short_factor":[` + strings.TrimSuffix(strings.Repeat(short+",", 8), ",") +
			`],"long_factor":[` + strings.TrimSuffix(strings.Repeat(long+",", 8), ",") + `]}`
	}
	const dynamic = `{"rope_type":"dynamic","rope_theta":300.0,"factor":4.0}`
	for _, c := range []struct{ rope, to, want string }{
		{factors("1.0", "2.0"), "hope", "longrope switches from its short to its long factors beyond 16 positions"},
		{factors("1.0", "2.0"), rewrite.AsIs, "a --max-length above 16 selects the long ones"},
		{factors("1.0", "2.0"), "nope", ""},
		{factors("2.0", "2.0"), "hope", ""},
		{dynamic, rewrite.AsIs, "dynamic scaling changes the base"},
		{dynamic, "rope", "dynamic scaling changes the base"},
		{dynamic, "nope", ""},
	} {
		source := golden(t, "llama-gqa")
		editConfig(t, filepath.Join(source, "config.json"), "rope_parameters", c.rope)
		p := plan(t, source, to(c.to))
		text := strings.Join(p.Warnings, "\n")
		if c.want == "" && text != "" || !strings.Contains(text, c.want) {
			t.Errorf("%s to %s: warnings %q, want %q", c.rope, c.to, text, c.want)
		}
		in, err := convert.Inspect(source)
		if err != nil {
			t.Fatal(err)
		}
		if c.want != "" && !strings.Contains(strings.Join(in.Warnings, "\n"), c.want) {
			t.Errorf("inspect warns %q, want %q", in.Warnings, c.want)
		}
	}
}
