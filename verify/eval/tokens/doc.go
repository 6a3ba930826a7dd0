// Package tokens turns text into token ids by a tokenizer.json: byte-pair
// encoding as the Python library tokenizers computes it, id for id.
//
// A tokenizer.json is a list of parts (normaliser, pre-tokeniser, model). Those
// that are known here are computed exactly; any other part, and any setting of a
// known part that would change the ids, is an error that names it. No text is
// ever tokenised nearly right. What is known:
//
//	normalizer      none, NFC, NFKC, NFD, NFKD, Prepend, Replace (of a string), Sequence
//	pre_tokenizer   none, ByteLevel, Digits, Split (Isolated), Sequence
//	model           BPE, with byte_fallback, ignore_merges, unk_token and fuse_unk
//	added_tokens    those found in the text become their id, first and longest
//
// The post-processor is not applied: no token is put before or behind the text.
package tokens
