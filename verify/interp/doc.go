// Package interp runs an ONNX graph in float64: an independent second opinion
// of a graph's emission. It shares no code with the packages that build
// graphs, and reads nothing but the model and its external data.
//
// # The way a model takes
//
// github.com/owulveryck/onnx-go decodes the graph, and the program is built
// only from what it hands over. That decoder knows no functions, no external
// data, no half-precision tensors, no domains and no node names. So Load first
// writes a twin of the model that it does know:
//
//   - model-local functions are inlined: values renamed, attributes by
//     reference resolved, defaults filled in;
//   - initializers, Constant nodes and tensor-valued attributes move to a side
//     table; a graph input (for an attribute: a string) refers to them;
//   - the node's name, domain and operator set version travel as attributes;
//   - value_info and model-local functions are left out, an output left out is
//     given a name, and an output that is an input or an initializer gets an
//     Identity of its own.
//
// Topology, attributes and the order of inputs are then those that onnx-go
// read from the twin's bytes.
//
// # Arithmetic
//
// All float types are computed in float64 and all integer types in int64. A
// Cast among float types is ideal: it changes nothing, so the result is what
// the graph means rather than what a format rounds it to. With
// Options.RoundTypes every value is instead rounded to its own element type,
// float16, bfloat16, float32 or another, once, to nearest even, from what
// float64 gives of the node's inputs; sums and what else lies inside of a node
// are not rounded on their way. Types of floats are known and held either way:
// a node that mixes them is an error. A Cast from float to an integer truncates
// toward zero and refuses what the target type cannot hold; one among integers
// keeps the low bits, as ONNX says. Integer sums and products wrap at 64 bits,
// whatever the declared width.
//
// Weights are decoded where they are used, in blocks of rows, and dropped
// again; an intermediate value is dropped after its last use. Matrix products
// run in convert/gemm on all cores.
//
// Where a runtime would read garbage or silently do nothing, a run ends in an
// error that names the node: an index or a position outside its table, a mask
// that does not fit, an attribute that the operator does not have, an output
// whose shape is not the declared one.
//
// Operator semantics are those of the public specification at operator sets
// 17 to 23, and of com.microsoft where a table row says so.
//
// # Stability
//
// The interpreter knows what pecvt emits, and grows with it; its operators' meaning is
// ONNX's.
package interp
