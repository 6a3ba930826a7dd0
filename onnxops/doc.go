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
// Outputs: logits float32 [batch, sequence, vocabulary]; present.N.key and
// present.N.value with total positions. Keys are cached after their rotation.
//
// attention_mask is 1 for real tokens and 0 for padding. With
// AttentionStandard, padding at the left is right: give position_ids =
// max(cumsum(attention_mask) − 1, 0). A padding token attends to itself alone,
// so its row is finite and means nothing. AttentionORT places the tokens of
// each row by the sum of its mask and cannot express padding at the left.
//
// A position at or past Options.MaxLength is an error on every execution
// provider: see guard.go.
package onnxops
