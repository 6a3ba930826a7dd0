// Package generate runs a decoder's graph in ONNX Runtime token by token over one
// row, and chooses tokens from its logits. It is the loop that evaluation, `run` and
// `bench` share.
//
// What goes from call to call (keys and values, latents, states of other mixers) lies
// in memory that is used again: two halves, one read and one written. Where a cache is
// read by com.microsoft GroupQueryAttention alone, which can write into what it reads,
// there is one, as long as the sequence will be, and nothing is copied. Elements are of
// the type that the graph declares. Outputs come back to the processor's memory on
// every provider.
package generate
