package tokens

import (
	"container/heap"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/pecvt/pecvt/posenc/hint"
)

// bpe merges the symbols of a word, the pair of the lowest rank first, the
// leftmost of those (arXiv 1508.07909).
type bpe struct {
	vocab        map[string]int64
	merges       map[[2]int64]merge
	unk          int64 // -1 for none
	fuse         bool
	bytes        [256]int64 // of byte_fallback, -1 for none
	fallback     bool
	ignoreMerges bool
	cache        map[string][]int64
}

type merge struct {
	rank int
	id   int64
}

// cacheWords and cacheBytes bound the words whose ids are kept.
const (
	cacheWords = 1 << 16
	cacheBytes = 64
)

func newBPE(f *file) (*bpe, error) {
	m := &f.Model
	if m.Type != "BPE" {
		return nil, unknownPart("model", m.Type, "BPE")
	}
	for _, v := range []struct {
		name string
		set  bool
	}{
		{"dropout", m.Dropout != nil && *m.Dropout != 0},
		{"continuing_subword_prefix", m.Prefix != nil && *m.Prefix != ""},
		{"end_of_word_suffix", m.Suffix != nil && *m.Suffix != ""},
	} {
		if v.set {
			return nil, hint.Errorf("model BPE has %s, which pecvt does not compute; give the ids with "+hint.Scored, v.name)
		}
	}
	b := &bpe{vocab: m.Vocab, unk: -1, fuse: m.FuseUnk, fallback: m.ByteFallback, ignoreMerges: m.IgnoreMerges, cache: map[string][]int64{}}
	if len(b.vocab) == 0 {
		return nil, fmt.Errorf("model.vocab is empty or missing")
	}
	if m.UnkToken != nil {
		id, ok := b.vocab[*m.UnkToken]
		if !ok {
			return nil, fmt.Errorf("model.unk_token %q is not in the vocabulary", *m.UnkToken)
		}
		b.unk = id
	}
	for i := range b.bytes {
		id, ok := b.vocab[fmt.Sprintf("<0x%02X>", i)]
		if !ok {
			id = -1
		}
		b.bytes[i] = id
	}
	pairs, err := readMerges(m.Merges)
	if err != nil {
		return nil, err
	}
	b.merges = make(map[[2]int64]merge, len(pairs))
	for rank, p := range pairs {
		left, ok1 := b.vocab[p[0]]
		right, ok2 := b.vocab[p[1]]
		id, ok3 := b.vocab[p[0]+p[1]]
		if !ok1 || !ok2 || !ok3 {
			return nil, fmt.Errorf("model.merges[%d] joins %q and %q: these and what they make must be in the vocabulary", rank, p[0], p[1])
		}
		b.merges[[2]int64{left, right}] = merge{rank, id}
	}
	return b, nil
}

// readMerges reads both spellings: "a b" and ["a", "b"].
func readMerges(raw json.RawMessage) ([][2]string, error) {
	var pairs [][2]string
	if err := json.Unmarshal(raw, &pairs); err == nil {
		return pairs, nil
	}
	var lines []string
	if err := json.Unmarshal(raw, &lines); err != nil {
		return nil, fmt.Errorf("model.merges: expected a list of pairs")
	}
	for i, l := range lines {
		a, b, ok := strings.Cut(l, " ")
		if !ok || strings.Contains(b, " ") {
			return nil, fmt.Errorf("model.merges[%d] is %q: expected two symbols with a space between", i, l)
		}
		pairs = append(pairs, [2]string{a, b})
	}
	return pairs, nil
}

// word appends the ids of one word.
func (b *bpe) word(w string, ids *[]int64) error {
	if b.ignoreMerges {
		if id, ok := b.vocab[w]; ok {
			*ids = append(*ids, id)
			return nil
		}
	}
	if kept, ok := b.cache[w]; ok {
		*ids = append(*ids, kept...)
		return nil
	}
	from := len(*ids)
	symbols, err := b.symbols(w)
	if err != nil {
		return err
	}
	b.mergeAll(symbols)
	for i := 0; i >= 0 && i < len(symbols); i = symbols[i].next {
		*ids = append(*ids, symbols[i].id)
	}
	if len(w) <= cacheBytes && len(b.cache) < cacheWords {
		b.cache[strings.Clone(w)] = append([]int64(nil), (*ids)[from:]...)
	}
	return nil
}

// symbol is one node of the list that a word is; next is -1 at its end.
type symbol struct {
	id         int64
	prev, next int
	gone       bool
}

// symbols gives the word's characters. One that is not in the vocabulary is its
// bytes, with byte_fallback, else the unknown token.
func (b *bpe) symbols(w string) ([]symbol, error) {
	var list []symbol
	add := func(id int64) {
		list = append(list, symbol{id: id, prev: len(list) - 1, next: len(list) + 1})
	}
	wasUnknown := false
	for i := 0; i < len(w); {
		_, n := utf8.DecodeRuneInString(w[i:])
		c := w[i : i+n]
		i += n
		id, ok := b.vocab[c]
		switch {
		case ok:
			add(id)
		case b.fallback && b.hasBytes(c):
			for k := range len(c) {
				add(b.bytes[c[k]])
			}
		case b.unk < 0:
			return nil, fmt.Errorf("the vocabulary has no symbol for %q, and the model no unk_token: the tokenizer is of another kind of text", c)
		case b.fuse && wasUnknown:
			continue
		default:
			add(b.unk)
			wasUnknown = true
			continue
		}
		wasUnknown = false
	}
	if len(list) > 0 {
		list[len(list)-1].next = -1
	}
	return list, nil
}

func (b *bpe) hasBytes(c string) bool {
	for i := range len(c) {
		if b.bytes[c[i]] < 0 {
			return false
		}
	}
	return true
}

// candidate is a pair that can be merged; a stale one no longer can.
type candidate struct {
	rank, at int
	id       int64
}

type queue []candidate

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].rank < q[j].rank || q[i].rank == q[j].rank && q[i].at < q[j].at
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(candidate)) }
func (q *queue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

func (b *bpe) mergeAll(s []symbol) {
	var q queue
	at := func(i int) (candidate, bool) {
		if i < 0 || s[i].next < 0 {
			return candidate{}, false
		}
		m, ok := b.merges[[2]int64{s[i].id, s[s[i].next].id}]
		return candidate{m.rank, i, m.id}, ok
	}
	for i := range s {
		if c, ok := at(i); ok {
			q = append(q, c)
		}
	}
	heap.Init(&q)
	for q.Len() > 0 {
		top := heap.Pop(&q).(candidate)
		if s[top.at].gone {
			continue
		}
		if now, ok := at(top.at); !ok || now.id != top.id {
			continue
		}
		left, right := &s[top.at], &s[s[top.at].next]
		left.id = top.id
		left.next = right.next
		right.gone = true
		if right.next >= 0 {
			s[right.next].prev = top.at
		}
		for _, i := range [2]int{left.prev, top.at} {
			if c, ok := at(i); ok {
				heap.Push(&q, c)
			}
		}
	}
}
