package chat_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pecvt/pecvt/verify/chat"
)

// folder holds a template as a model has it.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestRendered: transformers' text of every template (testdata/make_rendered.py), and
// an error where it has one.
func TestRendered(t *testing.T) {
	raw, err := os.ReadFile("testdata/rendered.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Cases    map[string][]chat.Message
		Rendered map[string]map[string]*string
	}
	if err := json.Unmarshal(raw, &golden); err != nil {
		t.Fatal(err)
	}
	if len(golden.Cases) < 3 || len(golden.Rendered) < 12 {
		t.Fatalf("%d cases of %d templates: not make_rendered.py's", len(golden.Cases), len(golden.Rendered))
	}
	for name, cases := range golden.Rendered {
		t.Run(name, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata", "templates", name+".jinja"))
			if err != nil {
				t.Fatal(err)
			}
			template, err := chat.Load(folder(t, map[string]string{
				chat.File: string(text), chat.Config: `{"bos_token": "<s>", "eos_token": {"content": "</s>"}, "chat_template": "not this one"}`}))
			if err != nil {
				t.Fatal(err)
			}
			for c, want := range cases {
				got, err := template.Render(golden.Cases[c])
				switch {
				case want == nil && err == nil:
					t.Errorf("%s: %q, where transformers fails", c, got)
				case want != nil && (err != nil || got != *want):
					t.Errorf("%s: %q (%v)\nwant %q", c, got, err, *want)
				}
			}
		})
	}
}

// TestLoad: where a template is read from, and what is said where there is none.
func TestLoad(t *testing.T) {
	user := []chat.Message{{Role: "user", Content: "x"}}
	for _, c := range []struct {
		files      map[string]string
		text, fail string
	}{
		{map[string]string{chat.Config: `{"chat_template": "{{ messages[0].content }}{{ eos_token }}", "eos_token": null}`, "special_tokens_map.json": `{"eos_token": "E"}`}, "xE", ""},
		{map[string]string{chat.Config: `{"chat_template": [{"name": "tools", "template": "t"}, {"name": "default", "template": "d"}]}`}, "d", ""},
		{map[string]string{chat.Config: `{"chat_template": [{"name": "tools", "template": "t"}, {"name": "rag", "template": "r"}]}`}, "", "none of tools, rag is the default one"},
		{map[string]string{chat.Config: `{"chat_template": null}`}, "", "no chat template"},
		{map[string]string{}, "", "neither chat_template.jinja nor chat_template in tokenizer_config.json"},
		{map[string]string{chat.Config: `{"chat_template": 3}`}, "", "expected a text"},
		{map[string]string{chat.Config: `{"chat_template": "x", "bos_token": 3}`}, "", "bos_token is 3: expected a token"},
		{map[string]string{chat.File: "a\n\n{% include 'x' %}"}, "", "line 3: unknown statement \"include\""},
		{map[string]string{chat.File: "a\n{{ x"}, "", "line 2: a tag does not end"},
		{map[string]string{chat.File: "{{ 'x }}"}, "", "line 1: a string does not end"},
		{map[string]string{chat.File: "{# x"}, "", "line 1: a comment does not end"},
		{map[string]string{chat.File: "{% raw %} x {% if %}"}, "", "raw does not end"},
	} {
		template, err := chat.Load(folder(t, c.files))
		text := ""
		if err == nil {
			text, err = template.Render(user)
		}
		switch {
		case c.fail == "" && (err != nil || text != c.text):
			t.Errorf("%v: %q (%v), want %q", c.files, text, err, c.text)
		case c.fail != "" && (err == nil || !strings.Contains(err.Error(), c.fail)):
			t.Errorf("%v: error %v, want %q", c.files, err, c.fail)
		}
		if none := len(c.files) == 0 || strings.Contains(c.files[chat.Config], "null}"); none && c.fail != "" && !errors.Is(err, chat.ErrNone) {
			t.Errorf("%v: %v is not ErrNone", c.files, err)
		}
	}
}
