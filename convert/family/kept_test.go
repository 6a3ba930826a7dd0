package family

import (
	"testing"
	"testing/fstest"
)

// TestKeptLength: a conversion that gave a model more positions says in pecvt.json where
// it was trained; one of other positions, one that changed no length, and what cannot be
// read say nothing, nor does one count where the configuration says it or the rotation
// follows the length.
func TestKeptLength(t *testing.T) {
	const extended = `{"flags":{"extend":4},"encoding":{"train_length":32,"max_positions":128}}`
	for _, c := range []struct {
		text          string
		trained, most int
		rope          string
		want          int
	}{
		{extended, 128, 128, "llama3", 32},
		{extended, 128, 128, "", 32},
		{`{"flags":{"scale":"pi:4"},"encoding":{"train_length":32,"max_positions":128}}`, 128, 128, "proportional", 32},
		{`{"flags":{"train_length":32},"encoding":{"train_length":32,"max_positions":128}}`, 128, 128, "default", 128},
		// of a conversion from one that was extended, and of one from a source as it was
		{`{"flags":{},"encoding":{"train_length":32,"train_length_from":"pecvt.json","max_positions":128}}`, 128, 128, "llama3", 32},
		{`{"flags":{},"encoding":{"train_length":32,"train_length_from":"--train-length","max_positions":128}}`, 128, 128, "llama3", 128},
		{extended, 256, 256, "llama3", 256},
		{extended, 64, 128, "yarn", 64},
		{extended, 128, 128, "dynamic", 128},
		{`{"flags":{"extend":4},"encoding":{"train_length":-1,"max_positions":128}}`, 128, 128, "llama3", 128},
		{"not json", 128, 128, "llama3", 128},
		{"", 128, 128, "llama3", 128},
	} {
		m := &Model{TrainedLength: c.trained, MaxPositions: c.most, TrainedLengthFrom: "max_position_embeddings"}
		m.Rope.Type = c.rope
		folder := fstest.MapFS{}
		if c.text != "" {
			folder["pecvt.json"] = &fstest.MapFile{Data: []byte(c.text)}
		}
		m.keptLength(folder)
		from := "max_position_embeddings"
		if c.want != c.trained {
			from = "pecvt.json"
		}
		if m.TrainedLength != c.want || m.TrainedLengthFrom != from {
			t.Errorf("%+v: %d from %s", c, m.TrainedLength, m.TrainedLengthFrom)
		}
	}
}
