// Package bench measures how fast graphs are in ONNX Runtime: loading, a prompt at
// once by its length, tokens one by one by what was before them, and memory.
//
// Every folder has a process of its own ([Serve]), so that its peak memory is its own,
// and is asked in turns: round after round each does the same piece of work, the order
// turned about every round, with a pause before each for the last one's threads to
// stop. The first round warms up and is not counted. Let t_r be a folder's time in
// round r and f_r the first folder's:
//
//	seconds = median of t_r          with the quartiles beside it
//	ratio   = median of t_r / f_r    of the same round, which a busy machine disturbs least
//
// Processor time (user and system, of all threads) is measured beside the time on the
// clock: on a machine with more work than cores its ratio is the one to read. Threads
// that wait for work by spinning count in it.
//
// A prompt of L tokens is one call without a past, all of whose logits come out.
// Decoding at N is Config.Steps calls of one token each in every round, and the text
// goes on: from N tokens to N + Steps·(Repeat+1). Tokens are random, the same for all.
package bench
