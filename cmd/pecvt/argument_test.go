package main

import (
	"strings"
	"testing"

	"github.com/pecvt/pecvt/convert/place"
)

// A name in a command line that is advised is read as that name again, by a shell and as
// a URL.
func TestArgument(t *testing.T) {
	for name, want := range map[string]string{
		"out/hope":                 "out/hope",
		"größer":                   "größer",
		"my model":                 "'my model'",
		"it's":                     `'it'\''s'`,
		"$HOME":                    "'$HOME'",
		"":                         "''",
		"s3://bucket/a b/100%":     "s3://bucket/a%20b/100%25",
		"s3://bucket/a%41#?":       "s3://bucket/a%2541%23%3F",
		"hf://org/name@refs/pr/1":  "hf://org/name@refs/pr/1",
		"s3://bucket/a (1)":        "'s3://bucket/a%20(1)'",
		"gs://bucket/llama-3.2-1b": "gs://bucket/llama-3.2-1b",
	} {
		got := argument(name)
		if got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
		if place.IsURL(name) {
			if at, err := place.Parse(strings.Trim(got, "'")); err != nil || name[:2] != "hf" && at.String() != name {
				t.Errorf("%s is read as %s, %v", got, at, err)
			}
		}
	}
}
