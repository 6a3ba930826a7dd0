package eval

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/pecvt/pecvt/posenc/hint"
)

// BOS is the bos_token_id of the config.json in dir, a model with vocab tokens.
func BOS(dir string, vocab int) (int64, error) {
	path := filepath.Join(dir, "config.json")
	raw, err := os.ReadFile(path)
	if err != nil {
		return 0, fmt.Errorf("bos: %w", err)
	}
	var c struct {
		ID json.RawMessage `json:"bos_token_id"`
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	var id int64
	if err := json.Unmarshal(c.ID, &id); err != nil || string(c.ID) == "null" || id < 0 || id >= int64(vocab) {
		return 0, hint.Errorf("%s: bos_token_id is %s: expected a token of the vocabulary of %d; leave "+hint.BOS+" out", path, orNone(c.ID), vocab)
	}
	return id, nil
}

func orNone(raw json.RawMessage) string {
	if len(raw) == 0 {
		return "missing"
	}
	return string(raw)
}
