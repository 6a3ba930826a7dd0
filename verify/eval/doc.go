// Package eval measures what a model is worth on given tokens: perplexity, the
// distance from a source model, and copying, by context length and by position.
// Nothing is judged here; verify judges whether a graph computes its checkpoint.
//
// Let x_0 … x_{T−1} be one of N sequences of T tokens and p_i the model's
// distribution of the token that follows x_0 … x_i, all the runner's logits
// being float32 and everything after them float64. With q the source's distribution,
// position i runs from 0 to T−2 in every figure:
//
//	nll_i  = −ln p_i(x_{i+1})                      nats
//	ppl    = exp(mean of nll_i over i and sequences)
//	last-k = the same over the last k positions T−1−k … T−2
//	kl_i   = Σ_v q_i(v) ln(q_i(v)/p_i(v))          nats, source ‖ model
//	top1   = share of positions with argmax p_i = argmax q_i
//	ratio  = ppl / ppl of the source on the same sequences
//
// That is what stock transformers' loss of model(ids, labels=ids) is, per
// sequence of equal length. Buckets hold positions 0–15, 16–31, 32–63, 64–127, …
//
// An interval is Student's t at 95% over the N sequences: with m_s the mean of
// sequence s, mean(m) ± t(0.975, N−1)·std(m)/√N, exponentiated for a perplexity.
// A ratio's is that of the paired differences of nll. One sequence has none. It
// speaks for the spread within the text, which is one work: sequences of it are
// not independent draws of language.
//
// Sequences are cut from the front of each text without overlap, the same for
// every model; nothing is random but the copy probe.
//
// The copy probe of distance d draws a string of n tokens uniformly from the
// distinct tokens of the evaluation's text, and makes the sequence
//
//	string, d − n tokens of the text, string
//
// so that each token's second occurrence is d positions after its first. Figures
// are over tokens 1 … n−1 of the second occurrence, each predicted from what is
// before it: accuracy (argmax is the token) and mean nll. Token 0 of it cannot be
// foreseen and does not count.
//
// Models run in ONNX Runtime where it can be loaded, in pieces of Options.Chunk
// tokens, so that the logits of one piece are held and never those of a sequence;
// a source and the models measured from it run in lock-step. Without the runtime
// the reference (package ref) runs instead, which is far slower.
//
// # Stability
//
// Run, Config and the report's JSON (Report.Schema) are meant to stay; the
// definitions above do not change.
package eval
