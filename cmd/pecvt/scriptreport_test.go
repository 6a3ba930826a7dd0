package main

import (
	"encoding/xml"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// cmdValid holds a report (or stdout) against docs/verify.schema.json:
// valid FILE.
func cmdValid(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: [!] valid FILE")
	}
	schema, err := jsonschema.NewCompiler().Compile(filepath.Join(ts.Getenv("DOCS"), "verify.schema.json"))
	ts.Check(err)
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(ts.ReadFile(args[0])))
	ts.Check(err)
	if err := schema.Validate(v); (err == nil) == neg {
		ts.Fatalf("%s: %v", args[0], err)
	}
}

// cmdJUnit requires of a JUnit file that it has as many tests, failures and
// errors as it says, and is red or green: junit FILE red|green.
func cmdJUnit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 || args[1] != "red" && args[1] != "green" {
		ts.Fatalf("usage: junit FILE red|green")
	}
	type outcome struct {
		Type string `xml:"type,attr"`
	}
	var all struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Errors   int `xml:"errors,attr"`
		Suites   []struct {
			Cases []struct {
				Failure *outcome `xml:"failure"`
				Error   *outcome `xml:"error"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	ts.Check(xml.Unmarshal([]byte(ts.ReadFile(args[0])), &all))
	tests, failures, errors := 0, 0, 0
	for _, s := range all.Suites {
		for _, c := range s.Cases {
			tests++
			if c.Failure != nil {
				failures++
			}
			if c.Error != nil {
				errors++
			}
		}
	}
	if tests == 0 || tests != all.Tests || failures != all.Failures || errors != all.Errors {
		ts.Fatalf("%s says %d tests, %d failures, %d errors; it has %d, %d, %d", args[0], all.Tests, all.Failures, all.Errors, tests, failures, errors)
	}
	if red := failures+errors > 0; red != (args[1] == "red") {
		ts.Fatalf("%s has %d failures and %d errors, want %s", args[0], failures, errors, args[1])
	}
}

var (
	pageLoads   = regexp.MustCompile(`(?i)<(script|link|img|iframe|object|embed)\b|@import|url\(|\bon[a-z]+=|https?://`)
	svgNamed    = regexp.MustCompile(`xmlns(:xlink)?="http://www\.w3\.org/[a-z0-9/]*"`)
	pageColours = regexp.MustCompile(`(?:fill|stroke):#[0-9A-Fa-f]{6}`)
)

// cmdPage requires of a report page that it stands alone (nothing is loaded,
// nothing runs), has a number of figures, and draws them in the style sheet's
// colours: page FILE FIGURES.
func cmdPage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: page FILE FIGURES")
	}
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	text := ts.ReadFile(args[0])
	if found := pageLoads.FindString(svgNamed.ReplaceAllString(text, "")); found != "" {
		ts.Fatalf("%s holds %q", args[0], found)
	}
	if n := strings.Count(text, "<figure"); n != want || n != strings.Count(text, "<svg") {
		ts.Fatalf("%s has %d figures and %d drawings, want %d", args[0], n, strings.Count(text, "<svg"), want)
	}
	if found := pageColours.FindString(text); found != "" {
		ts.Fatalf("%s: a drawing has a colour of its own, %s", args[0], found)
	}
	for _, bad := range []string{"NaN", "Inf ", "%!", "<no value>", "ZgotmplZ"} {
		if strings.Contains(text, bad) {
			ts.Fatalf("%s holds %q", args[0], bad)
		}
	}
	if !strings.HasPrefix(text, "<!DOCTYPE html>") || !strings.HasSuffix(strings.TrimSpace(text), "</html>") || !strings.Contains(text, "prefers-color-scheme: dark") {
		ts.Fatalf("%s is no whole page", args[0])
	}
}
