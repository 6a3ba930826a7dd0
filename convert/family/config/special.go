package config

import (
	"bytes"
	"slices"
)

// specials are the numbers that Python's json writes and JSON does not have. An object
// holds each as a string that no file has, and writes it as it was.
var specials = []string{"-Infinity", "Infinity", "NaN"}

func special(name string) string { return `"\u0001` + name + `"` }

// hasSpecials tells whether a text has such strings.
func hasSpecials(data []byte) bool {
	return slices.ContainsFunc(specials, func(name string) bool { return bytes.Contains(data, []byte(special(name))) })
}

// withSpecials writes the special numbers of a text as strings; a text that has such
// strings already is left alone.
func withSpecials(data []byte) []byte {
	if hasSpecials(data) {
		return data
	}
	var out []byte
	text, escaped := false, false // inside of a string, behind a backslash
next:
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case text:
			text, escaped = escaped || c != '"', !escaped && c == '\\'
		case c == '"':
			text = true
		default:
			for _, name := range specials {
				if bytes.HasPrefix(data[i:], []byte(name)) {
					out = append(out, special(name)...)
					i += len(name) - 1
					continue next
				}
			}
		}
		out = append(out, data[i])
	}
	return out
}

// withoutSpecials writes them as they were.
func withoutSpecials(data []byte) []byte {
	for _, name := range specials {
		data = bytes.ReplaceAll(data, []byte(special(name)), []byte(name))
	}
	return data
}
