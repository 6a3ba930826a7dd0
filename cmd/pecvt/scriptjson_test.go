package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/pecvt/pecvt/convert/family"
	"github.com/pecvt/pecvt/verify"
)

// cmdJSON reads a value out of a JSON file (or stdout, stderr) and compares
// it: json FILE a.b.0.c VALUE. Without VALUE the path has to be there.
func cmdJSON(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 && len(args) != 3 {
		ts.Fatalf("usage: [!] json FILE PATH [VALUE]")
	}
	dec := json.NewDecoder(strings.NewReader(ts.ReadFile(args[0])))
	var v any
	ts.Check(dec.Decode(&v))
	if dec.More() {
		ts.Fatalf("%s holds more than one JSON document", args[0])
	}
	found := true
	for _, key := range strings.Split(args[1], ".") {
		switch x := v.(type) {
		case map[string]any:
			v, found = x[key]
		case []any:
			i, err := strconv.Atoi(key)
			if found = err == nil && i < len(x); found {
				v = x[i]
			}
		default:
			found = false
		}
		if !found {
			break
		}
	}
	if len(args) == 2 {
		if found == neg {
			ts.Fatalf("%s: found is %v", args[1], found)
		}
		return
	}
	text, ok := v.(string)
	if !ok {
		raw, err := json.Marshal(v)
		ts.Check(err)
		text = string(raw)
	}
	if !found || (text == args[2]) == neg {
		ts.Fatalf("%s is %s, want %s", args[1], text, args[2])
	}
}

// cmdChecks looks up a check in a report: checks FILE NAME RUNNER VERDICT.
func cmdChecks(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: checks FILE NAME RUNNER VERDICT")
	}
	var r verify.Report
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &r))
	for _, c := range r.Checks {
		if c.Name == args[1] && c.Runner == args[2] {
			if string(c.Verdict) != args[3] {
				ts.Fatalf("%s of %s: %s, want %s: %s", c.Name, c.Runner, c.Verdict, args[3], c.Detail)
			}
			return
		}
	}
	ts.Fatalf("no check %s of %s", args[1], args[2])
}

// cmdSizes compares the files that a plan announces with those in a folder,
// byte for byte: sizes PLAN DIR.
func cmdSizes(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: sizes PLAN DIR")
	}
	var plan struct {
		Bytes int64
		Files []struct {
			Name  string
			Bytes int64
		}
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &plan))
	entries, err := os.ReadDir(ts.MkAbs(args[1]))
	ts.Check(err)
	if len(plan.Files) == 0 || len(entries) != len(plan.Files) {
		ts.Fatalf("%d files planned, %d written", len(plan.Files), len(entries))
	}
	var sum int64
	for _, f := range plan.Files {
		st, err := os.Stat(filepath.Join(ts.MkAbs(args[1]), f.Name))
		ts.Check(err)
		if st.Size() != f.Bytes {
			ts.Fatalf("%s: planned with %d bytes, has %d", f.Name, f.Bytes, st.Size())
		}
		sum += f.Bytes
	}
	if sum != plan.Bytes {
		ts.Fatalf("the sum is %d bytes, planned %d", sum, plan.Bytes)
	}
}

// cmdSetKey edits a JSON object: setkey FILE key [VALUE]. A dotted key goes
// into objects; without VALUE the key is removed.
func cmdSetKey(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 && len(args) != 3 {
		ts.Fatalf("usage: setkey FILE KEY [VALUE]")
	}
	path := ts.MkAbs(args[0])
	data, err := os.ReadFile(path)
	ts.Check(err)
	o, err := family.ParseObject(data)
	ts.Check(err)
	inner, outer, key := o, "", args[1]
	if head, tail, dotted := strings.Cut(args[1], "."); dotted && !slices.Contains(o.Keys(), args[1]) {
		inner, err = o.Object(head)
		ts.Check(err)
		outer, key = head, tail
	}
	if len(args) == 2 {
		inner.Delete(key)
	} else {
		inner.Set(key, json.RawMessage(args[2]))
	}
	if outer != "" {
		o.Set(outer, inner)
	}
	text, err := o.Indented()
	ts.Check(err)
	ts.Check(os.WriteFile(path, text, 0o666))
}
