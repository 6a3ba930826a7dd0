package ort

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// event is an entry of a profile.
type event struct {
	Category string `json:"cat"`
	Name     string `json:"name"`
	Micros   int64  `json:"dur"`
	Args     struct {
		Op       string `json:"op_name"`
		Provider string `json:"provider"`
	} `json:"args"`
}

// readEvents reads a profile, a JSON array of events. The runtime writes one to a
// line, and a node's at every run: what is known of it already is not decoded
// again, as most of a profile of many runs is.
func readEvents(text []byte) ([]event, error) {
	body := bytes.TrimSpace(text)
	inner, opened := bytes.CutPrefix(body, []byte("[\n"))
	inner, closed := bytes.CutSuffix(inner, []byte("\n]"))
	var all []event
	if !opened || !closed {
		return all, json.Unmarshal(text, &all)
	}
	known := map[string]event{}
	var key []byte
	for line := range bytes.Lines(inner) {
		line = bytes.TrimSuffix(bytes.TrimSpace(line), []byte(","))
		key = key[:0]
		for _, name := range []string{"cat", "name", "op_name", "provider"} {
			key = append(append(key, value(line, name)...), 0)
		}
		e, seen := known[string(key)]
		micros, err := strconv.ParseInt(string(value(line, "dur")), 10, 64)
		if !seen || err != nil || line[len(line)-1] != '}' {
			e = event{}
			if json.Unmarshal(line, &e) != nil { // not an event to a line
				all = nil
				return all, json.Unmarshal(text, &all)
			}
			known[string(key)] = e
		} else {
			e.Micros = micros
		}
		all = append(all, e)
	}
	return all, nil
}

// value is the text of a string or number in an object, as it is written, nil
// where the object has no such name. A name in quotes before a colon is one: in a
// string the quotes would be escaped.
func value(object []byte, name string) []byte {
	_, rest, ok := bytes.Cut(object, []byte(`"`+name+`"`))
	if !ok {
		return nil
	}
	rest, ok = bytes.CutPrefix(bytes.TrimLeft(rest, " "), []byte(":"))
	if !ok {
		return nil
	}
	rest = bytes.TrimLeft(rest, " ")
	end := bytes.IndexAny(rest, ",}")
	if len(rest) > 0 && rest[0] == '"' {
		end = 1
		for end < len(rest) && rest[end] != '"' {
			if rest[end] == '\\' {
				end++
			}
			end++
		}
	}
	if end < 0 || end > len(rest) {
		return nil
	}
	return rest[:end]
}
