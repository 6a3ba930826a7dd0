package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// WriteJUnit writes a report in the form that CI systems read: JUnit's XML as
// Jenkins' schema (junit-10.xsd) has it, a testsuite per runner and a testcase
// per check.
//
// A failed check is a <failure> of type "fail", one that was decided by a near
// tie a <failure> of type "ambiguous"; one that could not be made is an
// <error> of type "incomplete" or "unavailable"; one that the graph's form
// rules out is <skipped>. The suite "verification" holds one testcase, the
// verdict of all: it is red whenever `pecvt verify` does not exit with 0.
func (r *Report) WriteJUnit(w io.Writer) error {
	all := junitSuites{Name: "pecvt verify", Time: seconds(r.Seconds)}
	index := map[string]int{}
	for _, c := range r.Checks {
		i, ok := index[c.Runner]
		if !ok {
			i = len(all.Suites)
			index[c.Runner] = i
			all.Suites = append(all.Suites, junitSuite{Name: c.Runner, Package: "pecvt.verify", Properties: &junitProperties{r.junitProperties()}})
		}
		all.Suites[i].add(c.junit(r.Model), float64(c.Seconds))
	}
	verdict := junitSuite{Name: "verification", Package: "pecvt.verify", Properties: &junitProperties{r.junitProperties()}}
	verdict.add(r.junitVerdict(), 0)
	all.Suites = append(all.Suites, verdict)
	return all.write(w)
}

// WriteJUnitError writes what stands for a verification that could not be made
// at all: one testcase with an <error> of type "error".
func WriteJUnitError(w io.Writer, model string, cause error) error {
	suite := junitSuite{Name: "verification", Package: "pecvt.verify"}
	suite.add(junitCase{Name: "verdict", Class: junitClass(model, "verification"), Time: seconds(0),
		Error: &junitOutcome{Type: "error", Message: cause.Error(), Text: cause.Error()}}, 0)
	return (&junitSuites{Name: "pecvt verify", Time: seconds(0), Suites: []junitSuite{suite}}).write(w)
}

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Time     string       `xml:"time,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name       string           `xml:"name,attr"`
	Package    string           `xml:"package,attr"`
	Tests      int              `xml:"tests,attr"`
	Failures   int              `xml:"failures,attr"`
	Errors     int              `xml:"errors,attr"`
	Skipped    int              `xml:"skipped,attr"`
	Time       string           `xml:"time,attr"`
	Properties *junitProperties `xml:"properties"`
	Cases      []junitCase      `xml:"testcase"`

	took float64
}

type junitProperties struct {
	List []junitProperty `xml:"property"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Name    string        `xml:"name,attr"`
	Class   string        `xml:"classname,attr"`
	Time    string        `xml:"time,attr"`
	Skipped *junitOutcome `xml:"skipped"`
	Error   *junitOutcome `xml:"error"`
	Failure *junitOutcome `xml:"failure"`
	Out     string        `xml:"system-out,omitempty"`
}

type junitOutcome struct {
	Type    string `xml:"type,attr,omitempty"`
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// junitProperties are the versions and settings that a result belongs to.
func (r *Report) junitProperties() []junitProperty {
	list := []junitProperty{{"model", r.Model}, {"family", r.Family}, {"tokens", strconv.Itoa(r.Tokens)}, {"seed", strconv.FormatInt(r.Seed, 10)}, {"report.schema", strconv.Itoa(r.Schema)}}
	for _, p := range []junitProperty{{"pecvt.version", r.Version}, {"inside_of", r.InsideOf}, {"encoding", r.Encoding}, {"attention", r.Attention}, {"onnxruntime.version", r.Runtime}, {"onnxruntime.path", r.RuntimePath}} {
		if p.Value != "" {
			list = append(list, p)
		}
	}
	for _, d := range r.Redrawn {
		list = append(list, junitProperty{"redrawn", d.String()})
	}
	return list
}

// junit is a check as a testcase.
func (c Check) junit(model string) junitCase {
	t := junitCase{Name: c.title(), Class: junitClass(model, c.Runner), Time: seconds(c.Seconds), Out: c.figures()}
	o := &junitOutcome{Type: string(c.Verdict), Message: c.Detail, Text: c.figures()}
	if o.Message == "" {
		o.Message = string(c.Verdict)
	}
	if c.Blame != "" {
		o.Text = strings.TrimSpace(o.Text + "\nlook at: " + c.Blame)
	}
	switch c.Verdict {
	case Pass, Info:
	case Skipped:
		t.Skipped = &junitOutcome{Message: o.Message}
	case Incomplete, Unavailable:
		t.Error = o
	default: // a verdict that is not known to be good is not
		t.Failure = o
	}
	return t
}

// junitVerdict is the testcase that has the report's verdict.
func (r *Report) junitVerdict() junitCase {
	t := junitCase{Name: "verdict", Class: junitClass(r.Model, "verification"), Time: seconds(0), Out: r.summary()}
	o := &junitOutcome{Type: string(r.Verdict), Message: r.summary(), Text: r.summary()}
	switch r.Verdict {
	case Pass:
	case Incomplete, Unavailable:
		t.Error = o
	default:
		t.Failure = o
	}
	return t
}

// junitClass is a class name as viewers group them: dots separate, so a dot of
// the model's name may not stand.
func junitClass(model, runner string) string {
	return "pecvt.verify." + strings.ReplaceAll(model, ".", "_") + "." + runner
}

func (s *junitSuite) add(t junitCase, took float64) {
	name := t.Name
	for n, again := 2, true; again; n++ {
		again = false
		for _, o := range s.Cases {
			again = again || o.Name == t.Name
		}
		if again {
			t.Name = fmt.Sprintf("%s (%d)", name, n)
		}
	}
	s.Cases = append(s.Cases, t)
	s.Tests++
	switch {
	case t.Failure != nil:
		s.Failures++
	case t.Error != nil:
		s.Errors++
	case t.Skipped != nil:
		s.Skipped++
	}
	s.took += took
	s.Time = seconds(Number(s.took))
}

func (all *junitSuites) write(w io.Writer) error {
	for _, s := range all.Suites {
		all.Tests += s.Tests
		all.Failures += s.Failures
		all.Errors += s.Errors
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// seconds is a duration as xs:decimal, which knows no exponent.
func seconds(n Number) string { return strconv.FormatFloat(float64(n), 'f', 3, 64) }
