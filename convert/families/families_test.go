package families_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
)

// What is known and not read is refused by what it has, and no hint sends it to
// another family.
func TestMissing(t *testing.T) {
	list := families.Missing()
	if len(list) == 0 {
		t.Fatal("no family is known and not read")
	}
	for _, m := range list {
		_, err := families.Find(m.ModelType)
		if err == nil {
			t.Errorf("%s is read", m.ModelType)
			continue
		}
		for _, want := range append(m.Needs, m.ModelType) {
			if want == "" || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v: want %q in it", m.ModelType, err, want)
			}
		}
		if strings.Contains(err.Error(), "did you mean") || strings.Contains(err.Error(), "unknown") {
			t.Errorf("%s: %v: a known type is taken for a slip of another", m.ModelType, err)
		}
	}
	for _, known := range []string{"gpt2", "mamba", "xlm-roberta", "inkling_text"} { // kinds without a rotation or a slope
		if !slices.ContainsFunc(list, func(m family.Missing) bool { return m.ModelType == known }) {
			t.Errorf("%s has no row", known)
		}
	}
	if _, err := families.Find("lama"); err == nil || !strings.Contains(err.Error(), `did you mean "llama"?`) {
		t.Errorf("lama: %v", err)
	}
}
