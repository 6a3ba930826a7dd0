// Package graph builds ONNX graphs whose shapes are known while they are built.
//
// A [Graph] hands out [Value]s: a name, an element type and a shape whose
// dimensions are integers or names ("batch", "sequence"). Every node goes
// through the shape rule of its operator, so a wrong shape is an error at build
// time that names the node, the operator, what was found and what was expected.
// Integer tensors that hold shapes are followed too (Shape, Concat, Gather), so
// the target of a Reshape is known by name.
//
// The first error sticks: later calls do nothing and return a placeholder, and
// [Graph.Model] returns that error. Code that emits a network therefore reads
// as a list of operators.
//
// The same calls give the same bytes: nothing iterates over a map.
package graph
