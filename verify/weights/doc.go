// Package weights compares a graph's weights with a checkpoint's, tensor by
// tensor: where they lie, their types and shapes, the bytes of copies, and that
// every tensor is read.
package weights
