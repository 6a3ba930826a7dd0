package tune

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"

	"github.com/pecvt/pecvt/convert"
)

// Source gives the text of a job.
type Source interface {
	// Tokens returns the text for the model in dir, which has vocab token ids.
	Tokens(ctx context.Context, dir string, vocab int) (*Text, error)
}

// Text is the token ids of all files, one after the other: a sequence may begin
// in one file and end in the next.
type Text struct {
	IDs   []int64
	Files []File
	// BOS is the token put before every sequence, nil for none. It counts as one
	// of it: the last of the text's gives way.
	BOS *int64
}

// File is the part of a text that one file gave, for the manifest.
type File struct {
	Name, SHA256  string
	First, Tokens int
}

// Tokens returns the text itself: ids that are there already are a Source.
func (t *Text) Tokens(context.Context, string, int) (*Text, error) { return t, nil }

// Add appends the ids of the file at path, whose bytes are raw.
func (t *Text) Add(path string, raw []byte, ids []int64) {
	sum := sha256.Sum256(raw)
	t.Files = append(t.Files, File{filepath.Base(path), hex.EncodeToString(sum[:]), len(t.IDs), len(ids)})
	t.IDs = append(t.IDs, ids...)
}

// uses records for the manifest what tokens [first, first+n) served for, file
// by file.
func (t *Text) uses(first, n int, use string) []convert.Text {
	var list []convert.Text
	for _, f := range t.Files {
		from, to := max(first, f.First), min(first+n, f.First+f.Tokens)
		if from < to {
			list = append(list, convert.Text{Name: f.Name, SHA256: f.SHA256, First: from - f.First, Tokens: to - from, Use: use})
		}
	}
	return list
}

// begun puts the first token of all before every sequence, whose last gives way.
func (t *Text) begun(sequences [][]int64) [][]int64 {
	if t.BOS == nil {
		return sequences
	}
	list := make([][]int64, len(sequences))
	for i, ids := range sequences {
		list[i] = append([]int64{*t.BOS}, ids[:len(ids)-1]...)
	}
	return list
}
