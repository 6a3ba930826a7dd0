package tokens

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/dlclark/regexp2"
	"golang.org/x/text/unicode/norm"

	"github.com/pecvt/pecvt/posenc/hint"
)

// splitter cuts a piece into words, in order.
type splitter func(piece string) ([]string, error)

// gpt2 is ByteLevel's own pattern.
const gpt2 = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

func (t *Tokenizer) addNormaliser(p part) error {
	switch p.Type {
	case "Sequence":
		for _, q := range p.Normalizers {
			if err := t.addNormaliser(q); err != nil {
				return err
			}
		}
	case "NFC":
		t.normalise = append(t.normalise, norm.NFC.String)
	case "NFD":
		t.normalise = append(t.normalise, norm.NFD.String)
	case "NFKC":
		t.normalise = append(t.normalise, norm.NFKC.String)
	case "NFKD":
		t.normalise = append(t.normalise, norm.NFKD.String)
	case "Prepend":
		t.normalise = append(t.normalise, func(s string) string {
			if s == "" {
				return s
			}
			return p.Prepend + s
		})
	case "Replace":
		if p.Pattern.String == nil || *p.Pattern.String == "" {
			return hint.Errorf("normalizer Replace has no pattern of a plain string: pecvt computes no other; give the ids with " + hint.Scored)
		}
		t.normalise = append(t.normalise, func(s string) string { return strings.ReplaceAll(s, *p.Pattern.String, p.Content) })
	default:
		return unknownPart("normalizer", p.Type, "NFC", "NFD", "NFKC", "NFKD", "Prepend", "Replace", "Sequence")
	}
	return nil
}

func (t *Tokenizer) addSplitter(p part) error {
	switch p.Type {
	case "Sequence":
		for _, q := range p.Pretokenizers {
			if err := t.addSplitter(q); err != nil {
				return err
			}
		}
	case "ByteLevel":
		if p.AddPrefixSpace == nil || *p.AddPrefixSpace { // its default is true
			t.split = append(t.split, func(s string) ([]string, error) {
				if r, _ := utf8.DecodeRuneInString(s); !unicode.IsSpace(r) {
					s = " " + s
				}
				return []string{s}, nil
			})
		}
		if p.UseRegex == nil || *p.UseRegex {
			s, err := byPattern(gpt2)
			if err != nil {
				return err
			}
			t.split = append(t.split, s)
		}
		t.split = append(t.split, func(s string) ([]string, error) { return []string{byteLevel(s)}, nil })
	case "Digits":
		t.split = append(t.split, func(s string) ([]string, error) { return digits(s, p.Individual), nil })
	case "Split":
		if p.Behavior != "Isolated" || p.Invert || p.Pattern.Regex == nil {
			return hint.Errorf("pre_tokenizer Split has behavior %q, invert %v: pecvt computes a Regex with \"Isolated\", not inverted; give the ids with "+hint.Scored, p.Behavior, p.Invert)
		}
		s, err := byPattern(*p.Pattern.Regex)
		if err != nil {
			return err
		}
		t.split = append(t.split, s)
	default:
		return unknownPart("pre_tokenizer", p.Type, "ByteLevel", "Digits", "Split", "Sequence")
	}
	return nil
}

// byPattern isolates the matches of a regular expression (Oniguruma's, as far
// as tokenizers use it, which .NET's reads alike); what lies between matches is
// a word too.
func byPattern(pattern string) (splitter, error) {
	re, err := regexp2.Compile(pattern, regexp2.None)
	if err != nil {
		return nil, fmt.Errorf("pre_tokenizer's pattern %q: %w", pattern, err)
	}
	return func(s string) ([]string, error) {
		var words []string
		runes := []rune(s)
		from := 0
		m, err := re.FindRunesMatch(runes)
		for ; m != nil && err == nil; m, err = re.FindNextMatch(m) {
			if m.Length == 0 {
				continue
			}
			if from < m.Index {
				words = append(words, string(runes[from:m.Index]))
			}
			from = m.Index + m.Length
			words = append(words, string(runes[m.Index:from]))
		}
		if err != nil {
			return nil, fmt.Errorf("pre_tokenizer's pattern: %w", err)
		}
		if from < len(runes) {
			words = append(words, string(runes[from:]))
		}
		return words, nil
	}, nil
}

// digits isolates numerals, one by one or in runs.
func digits(s string, individual bool) []string {
	var words []string
	from := 0
	before := false
	for i, r := range s {
		is := unicode.IsNumber(r)
		if i > from && (is != before || is && individual) {
			words = append(words, s[from:i])
			from = i
		}
		before = is
	}
	return append(words, s[from:])
}

// byteLevel writes each byte as a printable character.
func byteLevel(s string) string {
	var b strings.Builder
	b.Grow(2 * len(s))
	for i := range len(s) {
		b.WriteRune(bytesRune[s[i]])
	}
	return b.String()
}

// bytesRune is GPT-2's map of bytes to characters: printable ones are
// themselves, the others follow U+0100.
var bytesRune = func() (m [256]rune) {
	next := rune(256)
	for b := range 256 {
		if b >= '!' && b <= '~' || b >= 0xA1 && b <= 0xAC || b >= 0xAE {
			m[b] = rune(b)
			continue
		}
		m[b] = next
		next++
	}
	return m
}()
