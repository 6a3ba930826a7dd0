package vocab

import (
	"errors"
	"fmt"
	"io/fs"
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/pecvt/pecvt/convert/gguf"
	"github.com/pecvt/pecvt/posenc"
)

// sentencePiece writes SentencePiece's BPE: the pair whose token has the highest
// score is merged first. The scores are those of tokenizer.model; without it they
// are the ranks of the merges, negated, which order all pairs alike.
func (t *tokenizer) sentencePiece(files fs.FS, size int) ([]gguf.KV, error) {
	if !t.Model.ByteFallback {
		return nil, fmt.Errorf("model: BPE that is neither byte-level nor falls back to bytes: %w by llama.cpp", posenc.ErrUnsupported)
	}
	prefix, err := t.spacePrefix()
	if err != nil {
		return nil, err
	}
	l, err := t.newList(size, func(token string) tokenType {
		switch {
		case token == t.Model.UnkToken && token != "":
			return unknown
		case isByte(token):
			return byteToken
		}
		return normal
	})
	if err != nil {
		return nil, err
	}
	if err := l.score(t); err != nil {
		return nil, err
	}
	if err := l.scoresOf(files, t); err != nil {
		return nil, err
	}
	for i, c := range l.types { // as llama.cpp's converter, that none of them is merged
		switch c {
		case control, userDefined:
			l.scores[i] = -1000
		case unused:
			l.scores[i] = -10000
		}
	}
	return append(l.kvs("llama", "default"), gguf.NewBool("tokenizer.ggml.add_space_prefix", prefix)), nil
}

// isByte reports a token of the form <0xE2>.
func isByte(token string) bool {
	var b byte
	n, err := fmt.Sscanf(token, "<0x%02X>", &b)
	return n == 1 && err == nil && len(token) == 6
}

// spacePrefix reports whether a space comes before a text. Other work of the
// normalizer and the pre-tokenizer than turning spaces into "▁" is an error.
func (t *tokenizer) spacePrefix() (bool, error) {
	prefix, spaces := false, false
	for _, c := range append(t.Normalizer.steps(), t.PreTokenizer.steps()...) {
		switch {
		case c.Type == "Prepend" && c.Prepend == "▁":
			prefix = true
		case c.Type == "Replace" && c.Content == "▁" && c.Pattern != nil && c.Pattern.String != nil && *c.Pattern.String == " ":
			spaces = true
		case c.Type == "Metaspace" && c.Replacement == "▁":
			spaces = true
			prefix = prefix || c.PrependScheme == "first" || c.PrependScheme == "always" || c.PrependScheme == "" && yes(c.AddPrefixSpace, true)
		default:
			return false, fmt.Errorf("normalizer or pre_tokenizer: %s: %w by llama.cpp for SentencePiece's BPE", step(c), posenc.ErrUnsupported)
		}
	}
	if !spaces {
		return false, fmt.Errorf("normalizer: none turns spaces into ▁: %w by llama.cpp for SentencePiece's BPE", posenc.ErrUnsupported)
	}
	return prefix, nil
}

// score gives every token the rank of the first merge that makes it, negated;
// tokens that none makes come after all others.
func (l *list) score(t *tokenizer) error {
	pairs, err := t.Model.merges()
	if err != nil {
		return err
	}
	rank := make(map[string]int, len(pairs))
	for i, p := range pairs {
		if _, made := rank[p[0]+p[1]]; !made {
			rank[p[0]+p[1]] = i
		}
	}
	l.scores = make([]float32, len(l.tokens))
	for i, token := range l.tokens {
		r, made := rank[token]
		if !made {
			r = len(pairs)
		}
		l.scores[i] = -float32(r)
	}
	return nil
}

// piece is a token of tokenizer.model.
type piece struct {
	text  string
	score float32
}

// scoresOf takes the scores of tokenizer.model, where the folder has one: it must
// be the same vocabulary.
func (l *list) scoresOf(files fs.FS, t *tokenizer) error {
	data, ok, err := read(files, "tokenizer.model")
	if err != nil || !ok {
		return err
	}
	pieces, err := readPieces(data)
	if err != nil {
		return fmt.Errorf("tokenizer.model: %w", err)
	}
	ids, err := t.Model.vocab()
	if err != nil {
		return err
	}
	for i, p := range pieces {
		if i >= len(l.tokens) {
			return fmt.Errorf("tokenizer.model has %d tokens, the model %d", len(pieces), len(l.tokens))
		}
		if id, known := ids[p.text]; !known || id != i {
			return fmt.Errorf("token %d is %q in tokenizer.model and %q here: the two files disagree; keep the one that is meant", i, p.text, l.tokens[i])
		}
		l.scores[i] = p.score
	}
	return nil
}

// readPieces reads the pieces of a SentencePiece model: field 1 of ModelProto, in
// each the text (1) and the score (2). Source: sentencepiece_model.proto.
func readPieces(data []byte) ([]piece, error) {
	var pieces []piece
	err := fields(data, func(n protowire.Number, raw []byte, _ uint32) error {
		if n != 1 {
			return nil
		}
		var p piece
		pieces = append(pieces, p)
		at := &pieces[len(pieces)-1]
		return fields(raw, func(n protowire.Number, raw []byte, bits uint32) error {
			switch n {
			case 1:
				at.text = string(raw)
			case 2:
				at.score = math.Float32frombits(bits)
			}
			return nil
		})
	})
	if err == nil && pieces == nil {
		err = errors.New("it holds no tokens")
	}
	return pieces, err
}

// fields walks the fields of a message: bytes of those that have some, the bits of
// 32-bit numbers.
func fields(data []byte, visit func(n protowire.Number, raw []byte, bits uint32) error) error {
	for len(data) > 0 {
		n, kind, size := protowire.ConsumeTag(data)
		if size < 0 {
			return protowire.ParseError(size)
		}
		data = data[size:]
		var raw []byte
		var bits uint32
		switch kind {
		case protowire.BytesType:
			raw, size = protowire.ConsumeBytes(data)
		case protowire.Fixed32Type:
			bits, size = protowire.ConsumeFixed32(data)
		default:
			size = protowire.ConsumeFieldValue(n, kind, data)
		}
		if size < 0 {
			return protowire.ParseError(size)
		}
		data = data[size:]
		if kind != protowire.BytesType && kind != protowire.Fixed32Type {
			continue
		}
		if err := visit(n, raw, bits); err != nil {
			return err
		}
	}
	return nil
}
