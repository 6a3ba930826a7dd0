package tokens

import (
	"strings"

	"github.com/pecvt/pecvt/posenc/hint"
)

// addedToken is a token that is found in the text before anything else.
type addedToken struct {
	ID         int64  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LStrip     bool   `json:"lstrip"`
	RStrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
	Special    bool   `json:"special"`
}

// added finds added tokens.
type added struct {
	first [256][]addedToken // by their first byte
}

func newAdded(list []addedToken) *added {
	a := &added{}
	for _, t := range list {
		if t.Content != "" {
			a.first[t.Content[0]] = append(a.first[t.Content[0]], t)
		}
	}
	return a
}

// cut appends the ids of added tokens, the longest at each place, and calls
// between for what lies between them.
func (a *added) cut(text string, ids *[]int64, between func(string) error) error {
	from := 0
	for i := 0; i < len(text); {
		best := -1
		candidates := a.first[text[i]]
		for k, t := range candidates {
			if strings.HasPrefix(text[i:], t.Content) && (best < 0 || len(t.Content) > len(candidates[best].Content)) {
				best = k
			}
		}
		if best < 0 {
			i++
			continue
		}
		t := candidates[best]
		if t.SingleWord || t.LStrip || t.RStrip {
			return hint.Errorf("the text holds the added token %q, which takes part of what is around it (single_word, lstrip or rstrip): pecvt does not compute that; give the ids with "+hint.Scored, t.Content)
		}
		if from < i {
			if err := between(text[from:i]); err != nil {
				return err
			}
		}
		*ids = append(*ids, t.ID)
		i += len(t.Content)
		from = i
	}
	if from < len(text) {
		return between(text[from:])
	}
	return nil
}
