package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/verify/report"
)

// schemaVersion is the number that reports carry; a field that changes its
// meaning or goes away makes a new one, a field that is added does not.
const schemaVersion = 1

// object is a JSON object that keeps the order of its keys.
type object []member

type member struct {
	key   string
	value any
}

func (o object) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			out.WriteByte(',')
		}
		key, err := json.Marshal(m.key)
		if err != nil {
			return nil, err
		}
		var value bytes.Buffer
		enc := json.NewEncoder(&value)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(m.value); err != nil {
			return nil, err
		}
		out.Write(key)
		out.WriteByte(':')
		out.Write(bytes.TrimSpace(value.Bytes()))
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// ReportSchema is the JSON Schema of what `pecvt verify --json` prints, from
// the types of package report; dir holds its sources, whose comments become
// descriptions.
func ReportSchema(dir string) ([]byte, error) {
	docs, err := comments(dir)
	if err != nil {
		return nil, err
	}
	g := schemaMaker{docs: docs}
	report, err := g.structure(reflect.TypeFor[report.Report]())
	if err != nil {
		return nil, err
	}
	slices.SortFunc(g.defs, func(a, b member) int { return strings.Compare(a.key, b.key) })
	root := object{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"},
		{"$id", fmt.Sprintf("urn:pecvt:verify:report:%d", schemaVersion)},
		{"title", "Report of pecvt verify"},
	}
	root = append(append(root, report...), member{"$defs", g.defs})
	for i, m := range root {
		if m.key == "properties" {
			properties := m.value.(object)
			for j := range properties {
				if properties[j].key == "schema" {
					properties[j].value = object{{"const", schemaVersion}, {"description", "version of this schema"}}
				}
			}
			root[i].value = properties
		}
	}
	raw, err := json.Marshal(root)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", "  "); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return bytes.ReplaceAll(bytes.ReplaceAll(bytes.ReplaceAll(out.Bytes(), []byte(`\u003c`), []byte("<")), []byte(`\u003e`), []byte(">")), []byte(`\u0026`), []byte("&")), nil
}

// schemaMaker collects the definitions of structures met on the way.
type schemaMaker struct {
	docs map[string]string
	defs object
}

// structure is a struct's schema.
func (g *schemaMaker) structure(t reflect.Type) (object, error) {
	properties, required := object{}, []string{}
	for i := range t.NumField() {
		f := t.Field(i)
		tag, tagged := f.Tag.Lookup("json")
		if tag == "-" || !f.IsExported() {
			continue
		}
		name, rest, _ := strings.Cut(tag, ",")
		if !tagged || name == "" {
			return nil, fmt.Errorf("%s.%s has no name in JSON", t.Name(), f.Name)
		}
		optional := strings.Contains(rest, "omitempty")
		s, err := g.of(f.Type, optional)
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", t.Name(), f.Name, err)
		}
		if text := g.docs[t.Name()+"."+f.Name]; text != "" {
			s = append(s, member{"description", text})
		}
		properties = append(properties, member{name, s})
		if !optional {
			required = append(required, name)
		}
	}
	out := object{}
	if text := g.docs[t.Name()]; text != "" {
		out = append(out, member{"description", text})
	}
	return append(out, member{"type", "object"}, member{"properties", properties}, member{"required", required}), nil
}

// of is the schema of a type; what is left out when empty is never null.
func (g *schemaMaker) of(t reflect.Type, optional bool) (object, error) {
	kind := func(name string) any {
		if optional {
			return name
		}
		return []string{name, "null"}
	}
	switch t {
	case reflect.TypeFor[report.Number]():
		return object{{"type", []string{"number", "null"}}}, nil
	case reflect.TypeFor[report.Verdict]():
		return object{{"enum", report.Verdicts()}}, nil
	}
	switch t.Kind() {
	case reflect.String:
		return object{{"type", "string"}}, nil
	case reflect.Int, reflect.Int64:
		return object{{"type", "integer"}}, nil
	case reflect.Float64:
		return object{{"type", "number"}}, nil
	case reflect.Bool:
		return object{{"type", "boolean"}}, nil
	case reflect.Slice:
		items, err := g.of(t.Elem(), false)
		return object{{"type", kind("array")}, {"items", items}}, err
	case reflect.Map:
		values, err := g.of(t.Elem(), false)
		return object{{"type", kind("object")}, {"additionalProperties", values}}, err
	case reflect.Pointer:
		if !optional {
			return nil, fmt.Errorf("a pointer that may be null: give it omitempty")
		}
		return g.of(t.Elem(), optional)
	case reflect.Struct:
		if !slices.ContainsFunc(g.defs, func(m member) bool { return m.key == t.Name() }) {
			g.defs = append(g.defs, member{t.Name(), nil})
			at := len(g.defs) - 1
			def, err := g.structure(t)
			if err != nil {
				return nil, err
			}
			g.defs[at].value = def
		}
		return object{{"$ref", "#/$defs/" + t.Name()}}, nil
	}
	return nil, fmt.Errorf("type %s has no schema", t)
}

// comments are the documentation of a package's structs ("Check") and of their
// fields ("Check.Runner").
func comments(dir string) (map[string]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s holds no Go sources", dir)
	}
	out := map[string]string{}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		for _, d := range f.Decls {
			gen, ok := d.(*ast.GenDecl)
			if !ok || gen.Tok != token.TYPE {
				continue
			}
			for _, s := range gen.Specs {
				spec := s.(*ast.TypeSpec)
				if st, ok := spec.Type.(*ast.StructType); ok {
					out[spec.Name.Name] = oneLine(gen.Doc.Text())
					for _, field := range st.Fields.List {
						text := field.Doc.Text()
						if text == "" {
							text = field.Comment.Text()
						}
						for _, name := range field.Names {
							out[spec.Name.Name+"."+name.Name] = oneLine(text)
						}
					}
				}
			}
		}
	}
	return out, nil
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
