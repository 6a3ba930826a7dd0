package config_test

import (
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/family/config"
)

// Python writes numbers that JSON does not have; they stay as they are, and words of
// that spelling inside of strings are words.
func TestSpecialNumbers(t *testing.T) {
	text := "{\n  \"limit\": [\n    0.0,\n    Infinity\n  ],\n  \"low\": -Infinity,\n  \"none\": NaN,\n  \"in\": {\n    \"a \\\" Infinity\": \"NaN \\\\\"\n  }\n}\n"
	o, err := config.ParseObject([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	o.Set("in", must(t, o, "in"))
	if again, err := o.Indented(); err != nil || string(again) != text {
		t.Errorf("%v\n%s", err, again)
	}
	if _, _, err := o.Float("none"); err == nil || err.Error() != `key "none" is NaN: expected a number` {
		t.Errorf("NaN read as a number: error %v", err)
	}
	_, _, word := o.Text("none")
	_, words := o.Texts("limit")
	_, object := o.Object("low")
	for want, err := range map[string]error{
		`key "none" is NaN: expected a string`:                      word,
		`key "limit" is [0.0,Infinity]: expected a list of strings`: words,
		`key "low": not a JSON object: it starts with "-Infinity"`:  object,
	} {
		if err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	if got := o.Spelled("limit") + o.Spelled("none") + o.Spelled("no"); got != "[0.0,Infinity]NaNmissing" {
		t.Errorf("spelled as %s", got)
	}
	for _, bad := range []string{`{"a": Infinite}`, `{"a": nan}`, `{"a": +Infinity}`, `{"a": "\u0001NaN", "b": NaN}`} {
		if _, err := config.ParseObject([]byte(bad)); err == nil || !strings.Contains(err.Error(), "JSON") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func must(t *testing.T, o *config.Object, key string) *config.Object {
	t.Helper()
	in, err := o.Object(key)
	if err != nil {
		t.Fatal(err)
	}
	return in
}
