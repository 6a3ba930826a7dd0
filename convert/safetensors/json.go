package safetensors

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pecvt/pecvt/convert/tensor"
)

// strictJSON reads a JSON text value by value. It takes what the formats need
// (objects without duplicate keys, strings, natural numbers) and nothing else
// where one of these is asked for; encoding/json alone would accept duplicate
// keys and keys in another case, and its decoder takes four times as long.
//
// The text is valid JSON, so that reading it needs no checks of its grammar.
type strictJSON struct {
	text []byte
	at   int // of the next value, key or delimiter; space before it is not yet skipped

	// Strings and arrays lie together in pieces: a large checkpoint has a hundred
	// thousand of each, and a piece of memory for each costs as much as what is in it.
	packed  strings.Builder
	numbers []int64
	scratch [maxRank]int64
}

// words are strings of which a text has thousands; each is made once.
var words = func() map[string]string {
	list := map[string]string{}
	for _, w := range []string{"dtype", "shape", "data_offsets"} {
		list[w] = w
	}
	for _, d := range tensor.DTypes() {
		list[d.String()] = d.String()
	}
	return list
}()

// pieceBytes is the room that packed strings are given at a time.
const pieceBytes = 16 << 10

// pack makes a string of bytes.
func (s *strictJSON) pack(b []byte) string {
	if w, ok := words[string(b)]; ok {
		return w
	}
	if len(b) > s.packed.Cap()-s.packed.Len() {
		if len(b) > pieceBytes/16 {
			return string(b)
		}
		s.packed = strings.Builder{} // strings in the one before keep it
		s.packed.Grow(min(pieceBytes, len(s.text)))
	}
	at := s.packed.Len()
	s.packed.Write(b)
	return s.packed.String()[at:]
}

// packNumbers makes a slice of numbers.
func (s *strictJSON) packNumbers(list []int64) []int64 {
	if s.numbers == nil || len(list) > cap(s.numbers)-len(s.numbers) {
		s.numbers = make([]int64, 0, max(len(list), 1<<9))
	}
	at := len(s.numbers)
	s.numbers = append(s.numbers, list...)
	return s.numbers[at:len(s.numbers):len(s.numbers)]
}

// newStrictJSON checks the whole text first: it is valid UTF-8 and valid JSON.
// The recursion of that check is bounded by encoding/json.
func newStrictJSON(text []byte) (*strictJSON, error) {
	if !utf8.Valid(text) {
		return nil, errors.New("not valid UTF-8")
	}
	if !json.Valid(text) {
		return nil, errors.New(notValid(text))
	}
	return &strictJSON{text: text}, nil
}

// notValid says from where on a text is not valid JSON.
func notValid(text []byte) string {
	var v json.RawMessage
	var syntax *json.SyntaxError
	err := json.Unmarshal(text, &v)
	if err != nil && strings.Contains(err.Error(), "max depth") {
		return "not valid JSON: exceeded max depth"
	}
	if errors.As(err, &syntax) && syntax.Offset > 0 && syntax.Offset < int64(len(text)) {
		return fmt.Sprintf("not valid JSON from byte %d on", syntax.Offset)
	}
	return "not valid JSON: it ends too early"
}

// next skips space and gives the byte there.
func (s *strictJSON) next() byte {
	for {
		switch b := s.text[s.at]; b {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return b
		}
	}
}

// members calls member before each value of the object or array that begins
// here, and reads the delimiters between them.
func (s *strictJSON) members(member func() error) error {
	s.at++ // the opening one
	for {
		switch s.next() {
		case '}', ']':
			s.at++
			return nil
		case ',':
			s.at++
			s.next()
		}
		if err := member(); err != nil {
			return err
		}
	}
}

// object reads an object and calls member for each key; member must read exactly
// one value.
func (s *strictJSON) object(member func(key string) error) error {
	var few [4]string // an object of few keys needs no map
	n, many := 0, map[string]struct{}(nil)
	return s.objectOf(func(key string) bool {
		if slices.Contains(few[:n], key) {
			return true
		}
		if n < len(few) {
			few[n] = key
			n++
			return false
		}
		if _, dup := many[key]; dup {
			return true
		}
		if many == nil {
			many = map[string]struct{}{}
		}
		many[key] = struct{}{}
		return false
	}, member)
}

// objectOf is [strictJSON.object] for a caller that knows the keys that were there:
// seen is asked of each before member.
func (s *strictJSON) objectOf(seen func(key string) bool, member func(key string) error) error {
	if s.next() != '{' {
		return s.unexpected("an object")
	}
	return s.members(func() error {
		key, err := s.string()
		if err != nil {
			return err
		}
		if seen(key) {
			return fmt.Errorf("key %q occurs twice", clip(key))
		}
		s.next() // the colon
		s.at++
		return member(key)
	})
}

// naturals reads an array of at most limit natural numbers, which is of use until the
// next is read.
func (s *strictJSON) naturals(limit int) ([]int64, error) {
	if s.next() != '[' {
		return nil, s.unexpected("an array of numbers")
	}
	out := s.scratch[:0:min(limit, maxRank)]
	err := s.members(func() error {
		if len(out) == limit {
			return fmt.Errorf("more than %d numbers", limit)
		}
		n, err := s.natural()
		out = append(out, n)
		return err
	})
	return out, err
}

// natural reads a number that is written as digits only and fits an int64.
func (s *strictJSON) natural() (int64, error) {
	if b := s.next(); b != '-' && (b < '0' || b > '9') {
		return 0, s.unexpected("a number")
	}
	text := s.scalar()
	n, err := strconv.ParseUint(string(text), 10, 63)
	if err != nil {
		return 0, fmt.Errorf("%s is not a natural number below 2^63", clip(string(text)))
	}
	return int64(n), nil
}

// string reads a string.
func (s *strictJSON) string() (string, error) {
	if s.next() != '"' {
		return "", s.unexpected("a string")
	}
	begin, escaped := s.at, false
	for s.at++; s.text[s.at] != '"'; s.at++ {
		if s.text[s.at] == '\\' {
			escaped = true
			s.at++
		}
	}
	s.at++
	if !escaped {
		return s.pack(s.text[begin+1 : s.at-1]), nil
	}
	var out string
	err := json.Unmarshal(s.text[begin:s.at], &out)
	return out, err
}

// scalar reads a number, true, false or null.
func (s *strictJSON) scalar() []byte {
	rest := s.text[s.at:]
	n := bytes.IndexAny(rest, ",]} \t\n\r")
	if n < 0 {
		n = len(rest)
	}
	s.at += n
	return rest[:n]
}

// skip reads one value of any kind. The depth of the text is bounded, so that
// of the recursion is.
func (s *strictJSON) skip() error {
	switch s.next() {
	case '{':
		return s.members(func() error {
			if _, err := s.string(); err != nil {
				return err
			}
			s.next() // the colon
			s.at++
			return s.skip()
		})
	case '[':
		return s.members(s.skip)
	case '"':
		_, err := s.string()
		return err
	}
	s.scalar()
	return nil
}

// unexpected is the error for a value of another kind than is needed here.
func (s *strictJSON) unexpected(need string) error {
	found := "an array"
	switch s.next() {
	case '[':
	case '{':
		found = "an object"
	case '"':
		text, err := s.string()
		if err != nil {
			return err
		}
		found = "the string " + strconv.Quote(clip(text))
	case 't', 'f', 'n':
		found = string(s.scalar())
	default:
		found = "the number " + clip(string(s.scalar()))
	}
	return fmt.Errorf("%s where %s is needed", found, need)
}

// clip keeps what a file says from flooding the error message.
func clip(s string) string {
	const limit = 160
	if len(s) <= limit {
		return s
	}
	cut := limit
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "..."
}
