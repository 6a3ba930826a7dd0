package ort

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestReadEvents: the short way to read a profile tells what a decoder of JSON
// tells, names with quotes and events on several lines included.
func TestReadEvents(t *testing.T) {
	line := func(dur int, name, op, provider string) string {
		quoted := func(s string) string { b, _ := json.Marshal(s); return string(b) }
		return fmt.Sprintf(`{"cat" : "Node","pid" :1,"dur" :%d,"ts" :6,"ph" : "X","name" :%s,"args" : {"op_name" : %s,"shape" : [{"float":[1,2]}],"provider" : %s}}`, dur, quoted(name), quoted(op), quoted(provider))
	}
	session := `{"cat" : "Session","pid" :1,"dur" :2074,"ts" :6,"ph" : "X","name" :"model_loading_uri","args" : {}}`
	lines := []string{
		session, session,
		line(1, "a_kernel_time", "Add", "CPU"), line(20, "a_kernel_time", "Add", "CPU"),
		line(3, "a_kernel_time", "Add", "CUDA"), line(3, "a_kernel_time", "Mul", "CPU"),
		line(4, `x","provider" : "CUDA`, "Add", "CPU"), line(40, `x","provider" : "CUDA`, "Add", "CPU"),
		line(5, `"name"`, `"op_name" :`, `\`), line(50, `"name"`, `"op_name" :`, `\`),
		line(6, "}", ",", "]"), line(60, "}", ",", "]"),
		`{"dur":7,"name":"no category","args":{}}`, `{"dur":-70,"name":"no category","args":{}}`,
	}
	for name, text := range map[string]string{
		"lines":         "[\n" + strings.Join(lines, ",\n") + "\n]\n",
		"windows lines": "[\r\n" + strings.Join(lines, ",\r\n") + "\r\n]\r\n",
		"one line":      "[" + strings.Join(lines, ",") + "]",
		"spread":        "[\n" + strings.ReplaceAll(strings.Join(lines, ",\n"), `"args"`, "\n\"args\"") + "\n]",
		"empty":         "[]",
	} {
		got, err := readEvents([]byte(text))
		var want []event
		if e := json.Unmarshal([]byte(text), &want); e != nil || err != nil {
			t.Fatalf("%s: %v, %v", name, e, err)
		}
		if diff := cmp.Diff(want, got); diff != "" && len(want)+len(got) > 0 {
			t.Errorf("%s: %s", name, diff)
		}
	}
	for _, text := range []string{"", "[", "[\n" + session[:40] + "\n]", "[\n" + session + ",\n" + session[:40] + "\n]", "[\n" + session + "\n"} {
		if _, err := readEvents([]byte(text)); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}
