package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
)

// Object is a JSON object that keeps the order of its keys and the spelling of
// its values, so that an edited configuration differs only where it was edited.
// The zero value is an empty one.
type Object struct {
	keys   []string
	values map[string]json.RawMessage
}

// ParseObject reads one JSON object. A repeated key is an error. Infinity, -Infinity and
// NaN, which Python writes, are read as values that are no number here.
func ParseObject(data []byte) (*Object, error) {
	if !json.Valid(data) {
		python := withSpecials(data)
		if !json.Valid(python) {
			return nil, errors.New(notValid(data))
		}
		data = python
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, fmt.Errorf("not a JSON object: it starts with %q", Clip(string(withoutSpecials(bytes.TrimSpace(data))), 12))
	}
	o := &Object{values: map[string]json.RawMessage{}}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, fmt.Errorf("bad JSON: %w", err)
		}
		key := t.(string) // a key of an object is always a string token
		if _, twice := o.values[key]; twice {
			return nil, fmt.Errorf("key %q occurs twice", key)
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, fmt.Errorf("key %q: bad JSON: %w", key, err)
		}
		o.keys = append(o.keys, key)
		o.values[key] = raw
	}
	if _, err := dec.Token(); err != nil {
		return nil, fmt.Errorf("bad JSON: %w", err)
	}
	if dec.More() {
		return nil, fmt.Errorf("bad JSON: something follows the object")
	}
	return o, nil
}

// notValid says from where on a text is not valid JSON.
func notValid(data []byte) string {
	if len(bytes.TrimSpace(data)) == 0 {
		return "not a JSON object: it is empty; download it again"
	}
	var v json.RawMessage
	if json.NewDecoder(bytes.NewReader(data)).Decode(&v) == nil {
		return "bad JSON: something follows the object"
	}
	var syntax *json.SyntaxError
	if err := json.Unmarshal(data, &v); !errors.As(err, &syntax) || syntax.Offset >= int64(len(data)) {
		return "bad JSON: it ends too early; download it again"
	}
	at := int(max(syntax.Offset-1, 0)) // of the character that cannot be there
	begin := bytes.LastIndexByte(data[:at], '\n') + 1
	text, _, _ := bytes.Cut(data[begin:], []byte("\n"))
	return fmt.Sprintf("bad JSON in line %d, column %d: %q: mend it or download it again", 1+bytes.Count(data[:at], []byte("\n")), at-begin+1, Clip(string(text), 40))
}

// Clip shortens a text for an error.
func Clip(s string, n int) string {
	if len(s) > n {
		return s[:n] + "…"
	}
	return s
}

// Clone returns a copy whose edits leave the original alone.
func (o *Object) Clone() *Object {
	c := &Object{keys: append([]string(nil), o.keys...), values: make(map[string]json.RawMessage, len(o.values))}
	for k, v := range o.values {
		c.values[k] = v
	}
	return c
}

// Keys returns the keys in file order.
func (o *Object) Keys() []string { return append([]string(nil), o.keys...) }

// Has reports whether a key is present with a value other than null.
func (o *Object) Has(key string) bool {
	v := o.Raw(key)
	return v != nil && string(v) != "null"
}

// Raw returns a key's value as spelled, or nil. "outer.inner", where there is no such
// key, is that of an object inside.
func (o *Object) Raw(key string) json.RawMessage {
	if v, ok := o.values[key]; ok {
		return v
	}
	outer, inner, ok := strings.Cut(key, ".")
	if !ok {
		return nil
	}
	in, err := o.Object(outer)
	if err != nil || in == nil {
		return nil
	}
	return in.Raw(inner)
}

// Set stores a value, at the end if the key is new. It panics if the value
// cannot be JSON.
func (o *Object) Set(key string, value any) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		panic(fmt.Sprintf("config: Set(%q): %v", key, err))
	}
	if o.values == nil {
		o.values = map[string]json.RawMessage{}
	}
	if _, ok := o.values[key]; !ok {
		o.keys = append(o.keys, key)
	}
	o.values[key] = bytes.TrimSpace(buf.Bytes())
}

// Delete removes a key; an absent one is no matter.
func (o *Object) Delete(key string) {
	if _, ok := o.values[key]; !ok {
		return
	}
	delete(o.values, key)
	for i, k := range o.keys {
		if k == key {
			o.keys = append(o.keys[:i:i], o.keys[i+1:]...)
			return
		}
	}
}

// MarshalJSON writes the object in its order.
func (o *Object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, k := range o.keys {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(k)
		if err != nil {
			return nil, fmt.Errorf("key %q: %w", k, err)
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(o.values[k])
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// Indented returns the object as a config.json file spells it: two spaces, a
// final newline.
func (o *Object) Indented() ([]byte, error) {
	raw, err := o.MarshalJSON()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		return nil, fmt.Errorf("indent: %w", err)
	}
	b.WriteByte('\n')
	return withoutSpecials(b.Bytes()), nil
}

// Int reads an integer; found false means absent or null.
func (o *Object) Int(key string) (value int, found bool, err error) {
	x, found, err := o.Float(key)
	if err != nil || !found {
		return 0, found, err
	}
	if x != math.Trunc(x) || math.Abs(x) > 1<<53 {
		return 0, true, WrongType(key, o.Raw(key), "an integer")
	}
	return int(x), true, nil
}

// Float reads a number; found false means absent or null.
func (o *Object) Float(key string) (value float64, found bool, err error) {
	if !o.Has(key) {
		return 0, false, nil
	}
	if err := json.Unmarshal(o.Raw(key), &value); err != nil {
		return 0, true, WrongType(key, o.Raw(key), "a number")
	}
	return value, true, nil
}

// Bool reads a truth value; found false means absent or null.
func (o *Object) Bool(key string) (value, found bool, err error) {
	if !o.Has(key) {
		return false, false, nil
	}
	if err := json.Unmarshal(o.Raw(key), &value); err != nil {
		return false, true, WrongType(key, o.Raw(key), "true or false")
	}
	return value, true, nil
}

// Text reads a string; found false means absent or null.
func (o *Object) Text(key string) (value string, found bool, err error) {
	if !o.Has(key) {
		return "", false, nil
	}
	if err := json.Unmarshal(o.Raw(key), &value); err != nil || hasSpecials(o.Raw(key)) {
		return "", true, WrongType(key, o.Raw(key), "a string")
	}
	return value, true, nil
}

// Floats reads a list of numbers; nil means absent or null.
func (o *Object) Floats(key string) ([]float64, error) {
	if !o.Has(key) {
		return nil, nil
	}
	var list []float64
	if err := json.Unmarshal(o.Raw(key), &list); err != nil {
		return nil, WrongType(key, o.Raw(key), "a list of numbers")
	}
	return list, nil
}

// Texts reads a list of strings; nil means absent or null.
func (o *Object) Texts(key string) ([]string, error) {
	if !o.Has(key) {
		return nil, nil
	}
	var list []string
	if err := json.Unmarshal(o.Raw(key), &list); err != nil || hasSpecials(o.Raw(key)) {
		return nil, WrongType(key, o.Raw(key), "a list of strings")
	}
	return list, nil
}

// Object reads a nested object; nil means absent or null.
func (o *Object) Object(key string) (*Object, error) {
	if !o.Has(key) {
		return nil, nil
	}
	sub, err := ParseObject(o.Raw(key))
	if err != nil {
		return nil, fmt.Errorf("key %q: %w", key, err)
	}
	return sub, nil
}

// Spelled is a key's value in one line, for people; "missing" where there is none.
func (o *Object) Spelled(key string) string {
	if raw := o.Raw(key); raw != nil {
		return spelled(raw)
	}
	return "missing"
}

func spelled(raw json.RawMessage) string {
	var line bytes.Buffer
	if json.Compact(&line, raw) != nil {
		line.Reset()
		line.Write(raw)
	}
	return string(withoutSpecials(line.Bytes()))
}

// WrongType is the error for a value of another kind than expected.
func WrongType(key string, raw json.RawMessage, want string) error {
	return fmt.Errorf("key %q is %s: expected %s", key, Clip(spelled(raw), 40), want)
}
