// Package onnxops writes a model as an ONNX graph.
//
// [Export] builds model.onnx from a [family.Model] and its checkpoint. The
// weights stay where they are: external data that points into the checkpoint's
// own safetensors file, BF16 and F16 followed by a Cast that ONNX Runtime folds
// when it loads the model. Rotations are nodes of domain ai.pecvt (package ops)
// over tables of cosines and sines computed in float64 and rounded once.
//
// Inputs of the graph:
//
//	input_ids                  int64    [batch, sequence]
//	attention_mask             int64    [batch, total], total = past + sequence
//	position_ids               int64    [batch, sequence] (not with AttentionORT)
//	past_key_values.N.key      float32  [batch, key/value heads, past, head size]
//	past_key_values.N.value    float32  likewise
//
// with CacheLatent in the place of both
//
//	past_key_values.N.latent   float32  [batch, 1, past, turned + rank]  see family.Attention.Absorbed
//
// In the graph these lengths are called batch_size, sequence_length,
// past_sequence_length and total_sequence_length, by which transformers.js and
// others make an empty cache.
//
// Outputs: logits float32 [batch, sequence, vocabulary]; present.N.key and
// present.N.value with total positions. Keys are cached after their rotation.
//
// With Options.DType float16 or bfloat16 keys, values, latents, and what a convolution
// or a shift carries are of that type; all else, logits among it, stays as it is here.
//
// An encoding may carry more, as its stamped shapes say. Extra coordinates of a
// lowered bias stand before each key's own: its cache is wider than head size.
// Features of keys that a bias in the mask's form reads are caches of their own:
//
//	past_key_values.N.gate     [batch, heads, past, 1]  rate of a key gate
//	past_key_values.N.forget_whole, .forget_fraction    FoX's running sum, likewise
//	past_key_values.N.path     [batch, heads, past, d]  turned path vectors
//
// and what a layer carries from token to token are states, zeros at the start:
//
//	past_state.N.forget        [batch, heads, 2]   FoX's sum as two float32
//	past_state.N.phase         [batch, phases, 2]  a contextual phase, likewise
//	past_state.N.last_key      [batch, key/value heads, head size]
//	past_state.N.last_value    likewise, of KV-shift
//	past_state.N.window        [batch, taps − 1, hidden]  what a short convolution
//	                           saw of the last tokens, in the place of keys and values
//	past_state.N.recurrent     [batch, heads, key size, value size]  the state of a
//	                           gated delta net; its window has the channels of its
//	                           queries, keys and values
//	past_state.N.recurrent     [batch, heads, head size, state size]  that of a Mamba 2
//	                           layer; its window has those of x, B and C
//
// with outputs present.N.name and present_state.N.name, in the inputs' order.
// What is in a cache is never written again. Sums and shifts step over padding,
// which must lie at the ends of a call's tokens where keys or values are shifted. A
// short convolution sees zeros in the place of padding, as in stock loaders, and
// steps over what follows a row's last token.
//
// A lowered bias adds its large terms before the head's own products and in an
// order in which they cancel exactly, so that kernels that sum in the order of the
// coordinates, as ONNX Runtime's on the CPU do, keep float32's accuracy of the
// distance's share at 131072 positions; others keep that of the whole term. In the
// mask's form the distance of two tokens is counted in the attention mask:
// position_ids must rise by one from token to token.
//
// Steep biases leave probabilities that are denormal numbers, which slow down the
// products with the values; ONNX Runtime's session.set_denormal_as_zero = 1 saves
// that time.
//
// attention_mask is 1 for real tokens and 0 for padding. With
// AttentionStandard, padding at the left is right: give position_ids =
// max(cumsum(attention_mask) − 1, 0). A padding token attends to itself alone,
// so its row is finite and means nothing. AttentionORT places the tokens of
// each row by the sum of its mask and cannot express padding at the left.
//
// Where a position is at or past Options.MaxLength, or negative, every logit of its
// row of the batch is NaN, on every runtime, in that call and in each later one that
// has the token in its past; positions of padding count too. Other rows stay. With
// AttentionORT some providers stop with an error instead. See guard.go.
//
// # Stability
//
// Emit, Finish, Write, Export and Options are meant to stay, and so are the graph's
// inputs and outputs above and the operators of domain ai.pecvt, by version. The
// nodes inside, their names among them, may change from version to version.
package onnxops
