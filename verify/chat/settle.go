package chat

import (
	"fmt"
	"strings"
)

// settle writes a template without white space control: each piece of text is an
// expression with the characters that Jinja leaves of it, tags stand as they are,
// comments are gone.
func settle(source string) (string, error) {
	s := strings.ReplaceAll(strings.ReplaceAll(source, "\r\n", "\n"), "\r", "\n")
	s = strings.TrimSuffix(s, "\n")
	p := &settler{whole: s, rest: s, lineStart: true}
	for p.rest != "" {
		if err := p.step(); err != nil {
			return "", fmt.Errorf("line %d: %w", 1+strings.Count(s[:p.at], "\n"), err)
		}
	}
	return p.out.String(), nil
}

type settler struct {
	whole     string
	rest      string
	at        int // where the tag begins that is taken
	lines     int // ends of lines in out
	out       strings.Builder
	lineStart bool // what was taken before ends a line
}

// step takes the text before a tag, and the tag.
func (p *settler) step() error {
	at, kind := nextTag(p.rest)
	if at < 0 {
		p.text(p.rest)
		p.rest = ""
		return nil
	}
	text, tag := p.rest[:at], p.rest[at:]
	p.at = len(p.whole) - len(tag)
	sign := byte(0)
	if len(tag) > 2 && (tag[2] == '-' || tag[2] == '+') {
		sign = tag[2]
	}
	p.text(p.before(text, kind, sign))
	body := tag[2:]
	if sign != 0 {
		body = tag[3:]
	}
	end, closing := 0, 0
	if kind == '#' {
		if end = strings.Index(body, "#}"); end < 0 {
			return fmt.Errorf("a comment does not end")
		}
		closing = end + 2
		if end > 0 && (body[end-1] == '-' || body[end-1] == '+') {
			end--
		}
	} else {
		var err error
		if body, end, closing, err = tagEnd(body, kind); err != nil {
			return err
		}
	}
	mark := body[end:closing]
	inner := strings.TrimSpace(body[:end])
	if kind == '%' && inner == "raw" {
		p.rest = p.after(body[closing:], '{', mark[0]) // it does not take the line's end
		return p.raw()
	}
	p.rest = p.after(body[closing:], kind, mark[0])
	switch {
	case kind == '#':
	case kind == '%':
		p.tag("{% " + inner + " %}")
	default:
		p.tag("{{ " + inner + " }}")
	}
	return nil
}

// tag writes a tag in the line that it has in the source, for the library's errors.
func (p *settler) tag(s string) {
	if n := strings.Count(p.whole[:p.at], "\n") - p.lines; n > 0 {
		p.out.WriteString("{#" + strings.Repeat("\n", n) + "#}")
		p.lines += n
	}
	p.out.WriteString(s)
	p.lines += strings.Count(s, "\n")
}

// raw takes what lies before endraw as text.
func (p *settler) raw() error {
	from := p.rest
	for at := 0; ; at += 2 {
		i := strings.Index(from[at:], "{%")
		if i < 0 {
			return fmt.Errorf("raw does not end")
		}
		at += i
		tag := from[at+2:]
		sign := byte(0)
		if tag != "" && (tag[0] == '-' || tag[0] == '+') {
			sign, tag = tag[0], tag[1:]
		}
		name, rest, ok := strings.Cut(tag, "%}")
		word := strings.TrimSpace(strings.TrimRight(name, "-+"))
		if !ok || word != "endraw" {
			continue
		}
		p.text(p.before(from[:at], '%', sign))
		last := byte('%')
		if strings.HasSuffix(name, "-") || strings.HasSuffix(name, "+") {
			last = name[len(name)-1]
		}
		p.rest = p.after(rest, '%', last)
		return nil
	}
}

// before is what a tag leaves of the text in front of it.
func (p *settler) before(text string, kind, sign byte) string {
	switch {
	case sign == '-':
		return strings.TrimRightFunc(text, isSpace)
	case sign == '+' || kind == '{':
		return text
	}
	line := strings.LastIndexByte(text, '\n') + 1
	if (line > 0 || p.lineStart) && strings.TrimLeftFunc(text[line:], isSpace) == "" {
		return text[:line]
	}
	return text
}

// after is what a tag leaves of what follows it.
func (p *settler) after(rest string, kind, mark byte) string {
	left := rest
	switch {
	case mark == '-':
		left = strings.TrimLeftFunc(rest, isSpace)
	case kind != '{' && mark != '+':
		left = strings.TrimPrefix(rest, "\n")
	}
	taken := rest[:len(rest)-len(left)]
	p.lineStart = strings.HasSuffix(taken, "\n")
	return left
}

// text writes characters that nothing may take away.
func (p *settler) text(s string) {
	if s == "" {
		return
	}
	p.out.WriteString(`{{ "` + literal.Replace(s) + `" }}`)
}

var literal = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`)

// nextTag is where a tag begins, and its second character; -1 for none.
func nextTag(s string) (int, byte) {
	for i := 0; i+1 < len(s); i++ {
		if s[i] == '{' && (s[i+1] == '{' || s[i+1] == '%' || s[i+1] == '#') {
			return i, s[i+1]
		}
	}
	return -1, 0
}

// tagEnd finds the end of a tag: its text lies before end, the mark of white space and
// the end's two characters before closing. Strings and brackets are passed over; braces
// inside are set apart, lest they are taken for the end.
func tagEnd(body string, kind byte) (apart string, end, closing int, err error) {
	last := byte('}')
	if kind == '%' {
		last = '%'
	}
	var b strings.Builder
	depth := 0
	for i := 0; i < len(body); i++ {
		c := body[i]
		switch {
		case c == '\'' || c == '"':
			n := quoted(body[i:])
			if n < 0 {
				return "", 0, 0, fmt.Errorf("a string does not end")
			}
			b.WriteString(body[i : i+n])
			i += n - 1
			continue
		case depth == 0 && strings.HasPrefix(body[i:], string(last)+"}"):
			end = b.Len()
			return b.String() + body[i:], end, end + 2, nil
		case depth == 0 && (c == '-' || c == '+') && strings.HasPrefix(body[i+1:], string(last)+"}"):
			end = b.Len()
			return b.String() + body[i:], end, end + 3, nil
		case c == '(' || c == '[' || c == '{':
			depth++
		case c == ')' || c == ']' || c == '}':
			depth--
		}
		b.WriteByte(c)
		if c == '}' || c == '{' {
			b.WriteByte(' ')
		}
	}
	return "", 0, 0, fmt.Errorf("a tag does not end")
}

// quoted is the length of a string with its quotes, -1 where it does not end.
func quoted(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case s[0]:
			return i + 1
		}
	}
	return -1
}

// isSpace is Python's \s as far as templates have it.
func isSpace(r rune) bool { return strings.ContainsRune(" \t\n\v\f\r\u00a0\u2028\u2029\u0085", r) }
