package families_test

import (
	"encoding/json"
	"testing"

	"github.com/pecvt/pecvt/convert/families"
	"github.com/pecvt/pecvt/convert/family"
)

// golden reads the configuration of a golden in testdata/families after an edit.
func golden(t *testing.T, name string, edit func(c *family.Object)) (*family.Model, error) {
	t.Helper()
	config, err := family.LoadConfig("../../testdata/families/" + name)
	if err != nil {
		t.Fatal(err)
	}
	edit(config.Object)
	return families.FromConfig(config)
}

// set gives keys values in JSON: key, value, key, value.
func set(c *family.Object, pairs ...string) {
	for i := 0; i < len(pairs); i += 2 {
		c.Set(pairs[i], json.RawMessage(pairs[i+1]))
	}
}

// with is an edit that sets keys to values in JSON; an empty one removes its key.
func with(keys map[string]string) func(c *family.Object) {
	return func(c *family.Object) {
		for key, value := range keys {
			if value == "" {
				c.Delete(key)
				continue
			}
			set(c, key, value)
		}
	}
}
