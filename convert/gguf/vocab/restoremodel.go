package vocab

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pecvt/pecvt/convert/gguf"
	"github.com/pecvt/pecvt/posenc"
)

// sameAs are names that llama.cpp's regular expressions make the same as one of
// preTokenizers (llama-vocab.cpp, by LLAMA_VOCAB_PRE_TYPE).
var sameAs = map[string]string{
	"phi-2": "gpt-2", "jina-es": "gpt-2", "jina-de": "gpt-2", "gigachat": "gpt-2", "a.x-4.0": "gpt-2", "mellum": "gpt-2", "modern-bert": "gpt-2",
	"olmo": "gpt-2", "mpt": "gpt-2", "jais": "gpt-2", "trillion": "gpt-2", "exaone4": "gpt-2",
	"starcoder": "smollm", "refact": "smollm", "command-r": "smollm", "codeshell": "smollm", "exaone": "smollm", "minerva-7b": "smollm",
	"llama3": "llama-bpe", "llama-v3": "llama-bpe", "falcon3": "llama-bpe", "falcon-h1": "llama-bpe", "pixtral": "llama-bpe", "midm-2.0": "llama-bpe", "lfm2": "llama-bpe",
	"dbrx": "smaug-bpe", "chatglm-bpe": "smaug-bpe",
	"stablelm2": "qwen2", "deepseek-r1-qwen": "qwen2", "kormo": "qwen2", "f2llmv2": "qwen2", "hunyuan": "qwen2",
}

// beginsText are those after which llama.cpp puts the first token before a text
// where the file does not say.
var beginsText = []string{"llama-bpe", "tekken"}

// bytePairs is byte-level BPE.
func (r *restored) bytePairs() (map[string]any, error) {
	given, _ := r.text("pre")
	name := given
	if same, ok := sameAs[name]; ok {
		name = same
	}
	i := slices.IndexFunc(preTokenizers, func(p preTokenizer) bool { return p.name == name })
	if i < 0 {
		var known []string
		for _, p := range preTokenizers {
			known = append(known, p.name)
		}
		for alias := range sameAs {
			known = append(known, alias)
		}
		return nil, fmt.Errorf("tokenizer.ggml.pre %q%s: %w", given, posenc.Suggest(given, known), posenc.ErrUnsupported)
	}
	r.addBOS = r.truth("add_bos_token", slices.Contains(beginsText, name))
	r.addEOS = r.truth("add_eos_token", false)
	kv, ok := r.h.Find("tokenizer.ggml.merges")
	if !ok {
		return nil, fmt.Errorf("tokenizer.ggml.merges is missing: %w", gguf.ErrFormat)
	}
	list, err := kv.Texts()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", kv.Key, err, gguf.ErrFormat)
	}
	merges := make([][2]string, len(list))
	for i, m := range list {
		a, b, ok := strings.Cut(m, " ")
		if _, known := r.ids[a+b]; !ok || a == "" || b == "" || !known {
			return nil, fmt.Errorf("%s: element %d is %q: expected two parts of a token with a space between them: %w", kv.Key, i, m, gguf.ErrFormat)
		}
		merges[i] = [2]string{a, b}
	}
	var steps []any
	for _, s := range preTokenizers[i].steps {
		steps = append(steps, restoreStep(s))
	}
	byteLevel := map[string]any{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true}
	return r.file(r.model(merges, preTokenizers[i].ignoreMerges, false, nil), nil,
		map[string]any{"type": "Sequence", "pretokenizers": steps}, byteLevel), nil
}

// model is the section "model" of tokenizer.json.
func (r *restored) model(merges [][2]string, ignoreMerges, byteFallback bool, unk any) map[string]any {
	return map[string]any{"type": "BPE", "dropout": nil, "unk_token": unk, "continuing_subword_prefix": nil, "end_of_word_suffix": nil,
		"fuse_unk": byteFallback, "byte_fallback": byteFallback, "ignore_merges": ignoreMerges, "vocab": r.ids, "merges": merges}
}

// restoreStep is a step of preTokenizers as tokenizer.json spells it.
func restoreStep(s string) map[string]any {
	switch s {
	case "single digits":
		return map[string]any{"type": "Digits", "individual_digits": true}
	case "byte-level, words", "byte-level":
		return map[string]any{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": s == "byte-level, words"}
	}
	pattern := strings.TrimPrefix(s, split(""))
	return map[string]any{"type": "Split", "pattern": map[string]any{"Regex": pattern}, "behavior": "Isolated", "invert": false}
}

// pieces is SentencePiece's BPE. Scores become merges as transformers' converter
// makes them: every pair of tokens that is a token together, the best score first.
func (r *restored) pieces() (map[string]any, error) {
	r.addBOS = r.truth("add_bos_token", true)
	r.addEOS = r.truth("add_eos_token", false)
	kv, ok := r.h.Find("tokenizer.ggml.scores")
	if !ok {
		return nil, fmt.Errorf("tokenizer.ggml.scores is missing: %w", gguf.ErrFormat)
	}
	scores, err := kv.Floats()
	if err != nil || len(scores) != len(r.tokens) {
		return nil, fmt.Errorf("%s: %d scores of %d tokens (%v): %w", kv.Key, len(scores), len(r.tokens), err, gguf.ErrFormat)
	}
	var unk any
	for id, c := range r.types {
		if c == unknown {
			unk = r.tokens[id]
		}
	}
	if _, text, ok := r.token("tokenizer.ggml.unknown_token_id"); ok && unk == nil {
		unk = text
	}
	replace := func(from, to string) map[string]any {
		return map[string]any{"type": "Replace", "pattern": map[string]any{"String": from}, "content": to}
	}
	normalizers := []any{replace(" ", "▁")}
	decoders := []any{replace("▁", " "), map[string]any{"type": "ByteFallback"}, map[string]any{"type": "Fuse"}}
	if r.truth("add_space_prefix", true) {
		normalizers = append([]any{map[string]any{"type": "Prepend", "prepend": "▁"}}, normalizers...)
		decoders = append(decoders, map[string]any{"type": "Strip", "content": " ", "start": 1, "stop": 0})
	}
	return r.file(r.model(r.merges(scores), false, true, unk), map[string]any{"type": "Sequence", "normalizers": normalizers}, nil,
		map[string]any{"type": "Sequence", "decoders": decoders}), nil
}

// merges are all pairs of normal tokens whose sum is a token, by its score.
func (r *restored) merges(scores []float32) [][2]string {
	type merge struct {
		pair  [2]string
		score float32
	}
	var all []merge
	for id, token := range r.tokens {
		if r.types[id] != normal {
			continue
		}
		var own []merge
		for at := range token {
			a, okA := r.ids[token[:at]]
			b, okB := r.ids[token[at:]]
			if at > 0 && okA && okB && r.types[a] == normal && r.types[b] == normal {
				own = append(own, merge{[2]string{token[:at], token[at:]}, scores[id]})
			}
		}
		slices.SortStableFunc(own, func(x, y merge) int {
			if d := r.ids[x.pair[0]] - r.ids[y.pair[0]]; d != 0 {
				return d
			}
			return r.ids[x.pair[1]] - r.ids[y.pair[1]]
		})
		all = append(all, own...)
	}
	slices.SortStableFunc(all, func(x, y merge) int {
		switch {
		case x.score > y.score:
			return -1
		case x.score < y.score:
			return 1
		}
		return 0
	})
	list := make([][2]string, len(all))
	for i, m := range all {
		list[i] = m.pair
	}
	return list
}
