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
//	post_processor  none, TemplateProcessing, ByteLevel, Sequence (EncodeWhole alone)
//	decoder         ByteLevel, Metaspace, Sequence of Replace, ByteFallback, Fuse, Strip
//
// Encode puts no token before or behind the text; EncodeWhole does what the
// post-processor says.
package tokens
