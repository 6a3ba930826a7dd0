package rewrite_test

import (
	"errors"
	"testing"

	"github.com/pecvt/pecvt/convert/family/familytest"
	"github.com/pecvt/pecvt/convert/rewrite"
	"github.com/pecvt/pecvt/posenc"
)

// TestInventedParts: every rewrite of a model with a part that nothing knows is
// refused by its name; as-is alone, which changes nothing, is done.
func TestInventedParts(t *testing.T) {
	m := model(t, "qwen3", "")
	for _, c := range familytest.Invented(m) {
		t.Run(c.Name, func(t *testing.T) {
			for _, e := range posenc.Encodings() {
				for _, layout := range rewrite.Layouts() {
					o := rewrite.Options{To: e.Name, Layout: layout}
					if kind := map[string]string{"pi": "pi:4", "yarn": "yarn:4"}[e.Name]; kind != "" {
						var err error
						if o.Scale, err = posenc.ParseScale(kind); err != nil {
							t.Fatal(err)
						}
					}
					if _, err := rewrite.Make(c.Model, nil, o); !errors.Is(err, rewrite.ErrOptions) || layout == rewrite.Native {
						c.Refused(t, e.Name+" in layout "+layout, err)
					}
				}
			}
			if _, err := rewrite.Make(c.Model, nil, rewrite.Options{To: rewrite.AsIs}); err != nil {
				t.Errorf("as-is: %v", err)
			}
		})
	}
}
