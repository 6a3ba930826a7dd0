package safetensors

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// strictJSON reads a JSON text value by value. It takes what the formats need
// (objects without duplicate keys, strings, natural numbers) and nothing else
// where one of these is asked for; encoding/json alone would accept duplicate
// keys and keys in another case.
type strictJSON struct{ dec *json.Decoder }

// newStrictJSON checks the whole text first: it is valid UTF-8 and valid JSON.
// The recursion of that check is bounded by encoding/json.
func newStrictJSON(text []byte) (*strictJSON, error) {
	if !utf8.Valid(text) {
		return nil, errors.New("not valid UTF-8")
	}
	if !json.Valid(text) {
		var v json.RawMessage
		return nil, fmt.Errorf("not valid JSON: %w", json.Unmarshal(text, &v))
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	return &strictJSON{dec}, nil
}

// object reads an object and calls member for each key; member must read exactly
// one value.
func (s *strictJSON) object(member func(key string) error) error {
	if err := s.open('{', "an object"); err != nil {
		return err
	}
	seen := map[string]struct{}{}
	for s.dec.More() {
		tok, err := s.dec.Token()
		if err != nil {
			return err
		}
		key := tok.(string) // the text is valid JSON, so a key is a string
		if _, dup := seen[key]; dup {
			return fmt.Errorf("key %q occurs twice", key)
		}
		seen[key] = struct{}{}
		if err := member(key); err != nil {
			return err
		}
	}
	_, err := s.dec.Token()
	return err
}

// naturals reads an array of at most limit natural numbers.
func (s *strictJSON) naturals(limit int) ([]int64, error) {
	if err := s.open('[', "an array of numbers"); err != nil {
		return nil, err
	}
	out := []int64{}
	for s.dec.More() {
		if len(out) == limit {
			return nil, fmt.Errorf("more than %d numbers", limit)
		}
		n, err := s.natural()
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	_, err := s.dec.Token()
	return out, err
}

// natural reads a number that is written as digits only and fits an int64.
func (s *strictJSON) natural() (int64, error) {
	tok, err := s.dec.Token()
	if err != nil {
		return 0, err
	}
	num, ok := tok.(json.Number)
	if !ok {
		return 0, fmt.Errorf("%s where a number is needed", describe(tok))
	}
	n, err := strconv.ParseUint(string(num), 10, 63)
	if err != nil {
		return 0, fmt.Errorf("%s is not a natural number below 2^63", clip(string(num)))
	}
	return int64(n), nil
}

func (s *strictJSON) string() (string, error) {
	tok, err := s.dec.Token()
	if err != nil {
		return "", err
	}
	str, ok := tok.(string)
	if !ok {
		return "", fmt.Errorf("%s where a string is needed", describe(tok))
	}
	return str, nil
}

// skip reads one value of any kind.
func (s *strictJSON) skip() error {
	for depth := 0; ; {
		tok, err := s.dec.Token()
		if err != nil {
			return err
		}
		switch tok {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}

func (s *strictJSON) open(delim json.Delim, what string) error {
	tok, err := s.dec.Token()
	if err != nil {
		return err
	}
	if tok != delim {
		return fmt.Errorf("%s where %s is needed", describe(tok), what)
	}
	return nil
}

func describe(tok json.Token) string {
	switch t := tok.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(t)
	case json.Number:
		return "the number " + clip(string(t))
	case string:
		return "the string " + strconv.Quote(clip(t))
	case json.Delim:
		if t == '{' {
			return "an object"
		}
	}
	return "an array"
}

// clip keeps what a file says from flooding the error message.
func clip(s string) string {
	const limit = 80
	if len(s) <= limit {
		return s
	}
	cut := limit
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "..."
}
