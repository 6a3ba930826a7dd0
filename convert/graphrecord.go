package convert

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/pecvt/pecvt/convert/place"
)

// GraphRecord is what a graph's own metadata say of its numbers and its logits, which pecvt.json
// repeats: the names are those of the metadata without "pecvt.".
type GraphRecord struct {
	// DType is what the graph computes in, "" for float32.
	DType string `json:"dtype,omitempty"`
	// Coding says how weights were rounded, Head what embedding and head became,
	// Accuracy what enters products with codes.
	Coding   string `json:"coding,omitempty"`
	Head     string `json:"head,omitempty"`
	Accuracy string `json:"accuracy,omitempty"`
	// Rounding is "given" where codes are not the nearest, Texts by which texts they were
	// made, each with its SHA-256.
	Rounding string          `json:"rounding,omitempty"`
	Texts    json.RawMessage `json:"rounding_texts,omitempty"`
	// Logits is "last" where it gives those of each row's last token, "" for all.
	Logits string `json:"logits,omitempty"`
}

// Empty tells whether a graph is as it is by default.
func (g *GraphRecord) Empty() bool { return g == nil || reflect.ValueOf(*g).IsZero() }

// String says it in words.
func (g *GraphRecord) String() string {
	var parts []string
	add := func(format, value string) {
		if value != "" {
			parts = append(parts, fmt.Sprintf(format, value))
		}
	}
	add("computes in %s", g.DType)
	add("codes: %s", g.Coding)
	add("embedding and head %s", g.Head)
	add("accuracy %s", g.Accuracy)
	rounding := g.Rounding
	var texts []struct {
		Name string `json:"name"`
	}
	if json.Unmarshal(g.Texts, &texts) == nil && len(texts) > 0 {
		rounding = "by"
		for i, t := range texts {
			rounding += strings.Repeat(",", min(i, 1)) + " " + t.Name
		}
	}
	add("rounded %s", rounding)
	add("logits: %s", g.Logits)
	return strings.Join(parts, "; ")
}

// RecordGraph writes what a graph says of itself into the pecvt.json of its folder, in the
// place of what an older graph said. Without such a file, or with one of another layout,
// nothing is written.
func RecordGraph(dir string, g *GraphRecord) error {
	path := filepath.Join(dir, manifestName)
	man, err := readManifest(place.Local(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || man.Schema != ManifestSchema {
		return nil // not ours to change; what reads it says what is wrong
	}
	if g.Empty() {
		g = nil
	}
	text, err := withGraph(path, g)
	if err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	// A file of its own: the old one may be a link.
	if err := os.WriteFile(path+".new", text, 0o666); err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		os.Remove(path + ".new")
		return fmt.Errorf("manifest: %w", err)
	}
	return nil
}

// withGraph is a manifest's text with another graph; the rest of it stays.
func withGraph(path string, g *GraphRecord) ([]byte, error) {
	old, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(old))
	if _, err := d.Token(); err != nil { // its brace
		return nil, err
	}
	var b bytes.Buffer
	member := func(key, value any) error {
		for i, v := range []any{key, value} {
			b.WriteByte([]byte{',', ':'}[i])
			enc := json.NewEncoder(&b)
			enc.SetEscapeHTML(false)
			if err := enc.Encode(v); err != nil {
				return err
			}
		}
		return nil
	}
	for d.More() {
		key, err := d.Token()
		var value json.RawMessage
		if err == nil {
			err = d.Decode(&value)
		}
		if err == nil && key != "graph" {
			err = member(key, value)
		}
		if err != nil {
			return nil, err
		}
	}
	if g != nil {
		if err := member("graph", g); err != nil {
			return nil, err
		}
	}
	var out bytes.Buffer
	b.Bytes()[0] = '{' // a manifest has members
	if err := json.Indent(&out, append(b.Bytes(), '}'), "", "  "); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// graphRecord is that of a folder, nil where there is none.
func graphRecord(folder *place.Folder) *GraphRecord {
	if folder == nil {
		return nil
	}
	man, err := readManifest(folder)
	if err != nil {
		return nil
	}
	return man.Graph
}

// text is pecvt.json's.
func (m *Manifest) text() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(m); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	return b.Bytes(), nil
}
