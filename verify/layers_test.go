package verify_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/verify"
)

// TestLayersOfOneKind: a rewrite of some layers passes, and one of other layers than
// pecvt.json says does not.
func TestLayersOfOneKind(t *testing.T) {
	runtimePresent(t)
	for _, c := range []struct{ family, layers, lie string }{
		{"gemma3_text", "all", "full"},
		{"gemma3_text", "sliding", "all"},
		{"gemma3_text", "full", "sliding"},
		{"gemma2", "full", "all"},
		{"gemma2", "sliding", "full"},
	} {
		t.Run(c.family+" "+c.layers, func(t *testing.T) {
			t.Parallel()
			dir := conversion{model: "families/" + c.family, to: "hope", layers: c.layers, maxLength: 120}.write(t)
			against := verify.Options{Against: filepath.Join(fixtures, "families", c.family)}
			for _, check := range verified(t, dir, against).Checks {
				if check.Verdict == verify.Fail {
					t.Errorf("%s, %s: %s", check.Name, check.Runner, check.Detail)
				}
			}
			replaceIn(t, filepath.Join(dir, "pecvt.json"), `"layers": "`+c.layers+`"`, `"layers": "`+c.lie+`"`)
			check, ok := find(verified(t, dir, against), "rewrite", "ref")
			if !ok || check.Verdict != verify.Fail || !strings.Contains(check.Detail, "layer ") {
				t.Errorf("%s said to be of %s: %s: %s", c.layers, c.lie, check.Verdict, check.Detail)
			}
		})
	}
}
