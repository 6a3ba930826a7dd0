package tokens

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pecvt/pecvt/posenc/hint"
)

// Decoder turns ids back into text, one by one, as the Python library does without
// special tokens. What is not a whole character yet is held back, and so are the bytes
// of byte_fallback until a token comes that is none: together they are text, or none
// of them is.
type Decoder struct {
	t       *Tokenizer
	held    []byte
	bytes   []byte // of byte_fallback
	first   bool   // no token was decoded
	started bool   // something was shown, so that nothing is stripped any more
	strip   int
}

// rules are what a tokenizer.json's decoder does, in the order in which it does it:
// each token by itself, then the text's beginning.
type rules struct {
	byteLevel, byteFallback bool
	replace                 [][2]string
	metaspace               string // what stands for a space, "" for none
	dropFirst               bool   // in the first token it stands for nothing
	strip                   int    // spaces at the text's beginning that go, as many at most
	unlike                  error  // what is not computed here
}

// Decoder begins a text. An error names the part of the tokenizer's decoder that is
// not known here.
func (t *Tokenizer) Decoder() (*Decoder, error) {
	if t.rules.unlike != nil {
		return nil, fmt.Errorf("%s: %w", t.path, t.rules.unlike)
	}
	return &Decoder{t: t, strip: t.rules.strip, first: true}, nil
}

// Next gives the text that an id adds. Special tokens add nothing; an id that is no
// token's is an error.
func (d *Decoder) Next(id int64) (string, error) {
	word, ok := d.t.words[id]
	switch {
	case !ok:
		return "", fmt.Errorf("%s: %d is not the id of a token", d.t.path, id)
	case d.t.special[id]:
		return "", nil
	}
	r := &d.t.rules
	for _, p := range r.replace {
		word = strings.ReplaceAll(word, p[0], p[1])
	}
	if r.metaspace != "" {
		space := " "
		if d.first && r.dropFirst {
			space = ""
		}
		word = strings.ReplaceAll(word, r.metaspace, space)
	}
	d.first = false
	if r.byteFallback {
		if b, ok := fallenBack(word); ok {
			d.bytes = append(d.bytes, b)
			return "", nil
		}
		d.flush()
	}
	if r.byteLevel {
		d.held = append(d.held, unlevel(word)...)
	} else {
		d.held = append(d.held, word...)
	}
	return d.show(false), nil
}

// End gives what was held back: bytes that became no character are U+FFFD.
func (d *Decoder) End() string {
	d.flush()
	return d.show(true)
}

// flush takes the bytes of byte_fallback: they are text, or each is U+FFFD.
func (d *Decoder) flush() {
	if utf8.Valid(d.bytes) {
		d.held = append(d.held, d.bytes...)
	} else {
		d.held = append(d.held, strings.Repeat("\uFFFD", len(d.bytes))...)
	}
	d.bytes = d.bytes[:0]
}

// fallenBack reads a token of byte_fallback: "<0x0A>".
func fallenBack(word string) (byte, bool) {
	if len(word) != len("<0x00>") || !strings.HasPrefix(word, "<0x") || word[5] != '>' {
		return 0, false
	}
	n, err := strconv.ParseUint(word[3:5], 16, 8)
	return byte(n), err == nil
}

// show takes the whole characters off what is held, all of it at the end.
func (d *Decoder) show(all bool) string {
	var b strings.Builder
	for len(d.held) > 0 && (all || utf8.FullRune(d.held)) {
		r, n := utf8.DecodeRune(d.held)
		if r == utf8.RuneError && n == 1 {
			// One U+FFFD stands for as many bytes as begin a character (Unicode, 3.9,
			// "Substitution of Maximal Subparts").
			for n < len(d.held) && !utf8.FullRune(d.held[:n+1]) {
				n++
			}
		}
		d.held = d.held[n:]
		if d.strip > 0 && !d.started && r == ' ' {
			d.strip--
			continue
		}
		d.started = true
		b.WriteRune(r)
	}
	return b.String()
}

// runeByte is the inverse of bytesRune.
var runeByte = func() map[rune]byte {
	m := make(map[rune]byte, len(bytesRune))
	for b, r := range bytesRune {
		m[r] = byte(b)
	}
	return m
}()

// unlevel reads what byteLevel wrote; a word with other characters, such as an added
// token, is its own bytes.
func unlevel(word string) []byte {
	out := make([]byte, 0, len(word))
	for _, r := range word {
		b, ok := runeByte[r]
		if !ok {
			return []byte(word)
		}
		out = append(out, b)
	}
	return out
}

// decoderPart is one object of the file's decoder.
type decoderPart struct {
	Type     string        `json:"type"`
	Decoders []decoderPart `json:"decoders"`
	// Replace
	Pattern struct {
		String *string `json:"String"`
	} `json:"pattern"`
	Content string `json:"content"`
	// Strip
	Start int `json:"start"`
	Stop  int `json:"stop"`
	// Metaspace
	Replacement   string `json:"replacement"`
	PrependScheme string `json:"prepend_scheme"`
}

// readRules reads the file's decoder. What is not known is kept as an error for those
// who decode: the ids of a text do not depend on it.
func readRules(raw json.RawMessage) rules {
	var r rules
	var top decoderPart
	if len(raw) == 0 || string(raw) == "null" {
		r.unlike = hint.Errorf("decoder is missing: tokens do not become text")
		return r
	}
	if err := json.Unmarshal(raw, &top); err != nil {
		r.unlike = fmt.Errorf("decoder: %s", strings.TrimPrefix(err.Error(), "json: "))
		return r
	}
	list := []decoderPart{top}
	if top.Type == "Sequence" {
		list = top.Decoders
	}
	fused := false
	for i, p := range list {
		whole := i == len(list)-1 // nothing follows, so it does not matter that tokens are apart
		switch {
		case p.Type == "ByteLevel" && len(list) == 1:
			r.byteLevel = true
		case p.Type == "Metaspace" && len(list) == 1 && p.Replacement != "":
			r.metaspace = p.Replacement
			r.dropFirst = p.PrependScheme != "never"
		case p.Type == "Replace" && p.Pattern.String != nil && *p.Pattern.String != "" && !fused && !r.byteFallback:
			r.replace = append(r.replace, [2]string{*p.Pattern.String, p.Content})
		case p.Type == "ByteFallback" && !fused && !r.byteFallback:
			r.byteFallback = true
		case p.Type == "Fuse":
			fused = true
		case p.Type == "Strip" && fused && whole && p.Content == " " && p.Stop == 0:
			r.strip = p.Start
		default:
			r.unlike = unknownDecoder(p.Type)
			return r
		}
	}
	return r
}

func unknownDecoder(name string) error {
	known := []string{"ByteLevel", "Metaspace", "Sequence of Replace, ByteFallback, Fuse, Strip"}
	slices.Sort(known)
	return fmt.Errorf("decoder %q, or where it stands, is not one that pecvt computes (%s): its text would be wrong", name, strings.Join(known, ", "))
}
