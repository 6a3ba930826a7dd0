package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// junitGrammar is what Jenkins' schema of JUnit files (junit-10.xsd of the
// xUnit plugin) allows: per element its attributes, those that must be there
// marked with "!", and its children.
var junitGrammar = map[string]struct{ attributes, children []string }{
	"testsuites": {[]string{"name", "time", "tests", "failures", "disabled", "errors"}, []string{"testsuite"}},
	"testsuite": {[]string{"name!", "tests!", "failures", "errors", "group", "time", "skipped", "timestamp", "hostname", "id", "package", "file", "log", "url", "version"},
		[]string{"testsuite", "properties", "testcase", "system-out", "system-err"}},
	"properties": {nil, []string{"property"}},
	"property":   {[]string{"name!", "value!"}, nil},
	"testcase": {[]string{"name!", "time", "classname", "group"},
		[]string{"skipped", "error", "failure", "rerunFailure", "rerunError", "flakyFailure", "flakyError", "system-out", "system-err"}},
	"skipped":    {[]string{"type", "message"}, nil},
	"error":      {[]string{"type", "message"}, nil},
	"failure":    {[]string{"type", "message"}, nil},
	"system-out": {nil, nil},
}

var (
	junitDecimal = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?$`)
	junitCount   = regexp.MustCompile(`^[0-9]+$`)
)

// checkJUnit holds a file against the grammar.
func checkJUnit(text []byte) error {
	dec := xml.NewDecoder(bytes.NewReader(text))
	stack := []string{}
	for {
		token, err := dec.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		switch e := token.(type) {
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.StartElement:
			name := e.Name.Local
			rule, ok := junitGrammar[name]
			if !ok {
				return fmt.Errorf("element %s is not of the schema", name)
			}
			if len(stack) == 0 && name != "testsuites" {
				return fmt.Errorf("the root is %s", name)
			}
			if len(stack) > 0 && !slices.Contains(junitGrammar[stack[len(stack)-1]].children, name) {
				return fmt.Errorf("%s inside %s", name, stack[len(stack)-1])
			}
			has := map[string]bool{}
			for _, a := range e.Attr {
				at := a.Name.Local
				if !slices.Contains(rule.attributes, at) && !slices.Contains(rule.attributes, at+"!") || has[at] {
					return fmt.Errorf("attribute %s of %s", at, name)
				}
				has[at] = true
				if at == "time" && !junitDecimal.MatchString(a.Value) || slices.Contains([]string{"tests", "failures", "errors", "skipped"}, at) && !junitCount.MatchString(a.Value) {
					return fmt.Errorf("%s of %s is %q", at, name, a.Value)
				}
			}
			for _, at := range rule.attributes {
				if must, ok := strings.CutSuffix(at, "!"); ok && !has[must] {
					return fmt.Errorf("%s lacks %s", name, must)
				}
			}
			stack = append(stack, name)
		}
	}
	return nil
}

// reportOf is a report with one check of every verdict.
func reportOf(verdicts ...Verdict) *Report {
	r := &Report{Schema: 1, Version: "v1.2.3", Model: "a.model", Family: "llama", Encoding: "hope", Tokens: 48, Runtime: "1.32.0"}
	for i, v := range verdicts {
		c := Check{Name: fmt.Sprintf("check-%d", i), Runner: []string{"interp", "ort-cpu"}[i%2], Verdict: v, Seconds: 0.25, Positions: 3, Limit: 1e-6, MaxRel: 2e-6}
		if v != Pass && v != Info {
			c.Detail = "a <detail> & \"more\" \x01"
		}
		r.Checks = append(r.Checks, c)
	}
	r.Settle()
	return r
}

func TestJUnit(t *testing.T) {
	type outcome struct{ element, kind string }
	want := map[Verdict]outcome{Pass: {}, Info: {}, Fail: {"failure", "fail"}, Ambiguous: {"failure", "ambiguous"},
		Incomplete: {"error", "incomplete"}, Unavailable: {"error", "unavailable"}, Skipped: {"skipped", ""}, "unheard-of": {"failure", "unheard-of"}}
	for verdict, w := range want {
		r := reportOf(Pass, verdict, Pass)
		var out bytes.Buffer
		if err := r.WriteJUnit(&out); err != nil {
			t.Fatal(err)
		}
		if err := checkJUnit(out.Bytes()); err != nil {
			t.Fatalf("%s: %v\n%s", verdict, err, out.String())
		}
		var all junitSuites
		if err := xml.Unmarshal(out.Bytes(), &all); err != nil {
			t.Fatal(err)
		}
		if len(all.Suites) != 3 || all.Suites[0].Name != "interp" || all.Suites[1].Name != "ort-cpu" || all.Suites[2].Name != "verification" {
			t.Fatalf("%s: suites %+v", verdict, all.Suites)
		}
		got := outcome{}
		switch c := all.Suites[1].Cases[0]; {
		case c.Failure != nil:
			got = outcome{"failure", c.Failure.Type}
		case c.Error != nil:
			got = outcome{"error", c.Error.Type}
		case c.Skipped != nil:
			got = outcome{"skipped", ""}
		}
		if got != w {
			t.Errorf("%s is %+v, want %+v", verdict, got, w)
		}
		// Red exactly where the exit code is not 0.
		if red := all.Failures+all.Errors > 0; verdict != "unheard-of" && red != (r.Verdict != Pass) {
			t.Errorf("%s: verdict %s, %d failures, %d errors", verdict, r.Verdict, all.Failures, all.Errors)
		}
		if all.Tests != 4 || all.Suites[0].Tests != 2 || all.Suites[0].Time != "0.500" {
			t.Errorf("%s: counts %+v", verdict, all)
		}
		if !slices.Contains(all.Suites[1].Properties.List, junitProperty{"pecvt.version", "v1.2.3"}) ||
			!slices.Contains(all.Suites[1].Properties.List, junitProperty{"onnxruntime.version", "1.32.0"}) {
			t.Errorf("%s: properties %v", verdict, all.Suites[1].Properties)
		}
	}
}

// TestJUnitNothingJudged: a report without a failed check whose verdict is no
// pass is red all the same.
func TestJUnitNothingJudged(t *testing.T) {
	for _, verdicts := range [][]Verdict{nil, {Skipped, Info}} {
		var out bytes.Buffer
		r := reportOf(verdicts...)
		if err := r.WriteJUnit(&out); err != nil {
			t.Fatal(err)
		}
		if err := checkJUnit(out.Bytes()); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), `<error type="incomplete" message="incomplete: `) || r.Verdict != Incomplete {
			t.Errorf("%v: %s", verdicts, out.String())
		}
	}
}

// TestJUnitTwins: two checks of one name stay two testcases.
func TestJUnitTwins(t *testing.T) {
	r := reportOf(Pass, Pass, Pass, Pass)
	for i := range r.Checks {
		r.Checks[i].Name, r.Checks[i].Level = "prefill", []string{"all", "all", "basic", ""}[i]
		r.Checks[i].Runner = "ort-cpu"
	}
	var out bytes.Buffer
	if err := r.WriteJUnit(&out); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{`"prefill [all]"`, `"prefill [all] (2)"`, `"prefill [basic]"`, `"prefill"`} {
		if strings.Count(out.String(), "<testcase name="+name) != 1 {
			t.Errorf("not one testcase %s in\n%s", name, out.String())
		}
	}
}

func TestJUnitError(t *testing.T) {
	var out bytes.Buffer
	if err := WriteJUnitError(&out, "m", errors.New("no such <folder>")); err != nil {
		t.Fatal(err)
	}
	if err := checkJUnit(out.Bytes()); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`tests="1"`, `errors="1"`, `<error type="error" message="no such &lt;folder&gt;">`} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("no %s in\n%s", part, out.String())
		}
	}
}

func TestText(t *testing.T) {
	r := reportOf(Pass, Fail, Ambiguous, Skipped)
	r.Checks[1].Blame = "the emission"
	r.Seconds = 2
	var plain, colour bytes.Buffer
	if err := r.WriteText(&plain); err != nil {
		t.Fatal(err)
	}
	if err := r.WriteColour(&colour); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(plain.String(), "\x1b") {
		t.Errorf("colours in plain text: %q", plain.String())
	}
	if stripped := regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(colour.String(), ""); stripped != plain.String() {
		t.Errorf("colours move text:\n%s\n%s", stripped, plain.String())
	}
	for _, part := range []string{"\x1b[32mpass\x1b[0m\n", "\x1b[1;31mfail\x1b[0m", "\x1b[33mambiguous\x1b[0m\n"} {
		if !strings.Contains(colour.String(), part) {
			t.Errorf("no %q in %q", part, colour.String())
		}
	}
	for _, part := range []string{"2.00e-06  1.0e-06", "FAIL  check-1, ort-cpu: a <detail>", "LOOK AT  check-1, ort-cpu: the emission\n"} {
		if !strings.Contains(plain.String(), part) {
			t.Errorf("no %q in\n%s", part, plain.String())
		}
	}
	if want := "\nverdict    fail: 1 failed, 1 ambiguous, 1 passed, 1 skipped (2.0 s)\n"; !strings.HasSuffix(plain.String(), want) {
		t.Errorf("the end is not %q:\n%s", want, plain.String())
	}
}
