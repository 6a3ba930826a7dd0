// Package run is who answers for a model, and what is asked: a [Runner], its input
// and what it keeps between calls; the reference ([Ref]), the interpreter
// ([Interp]) and ONNX Runtime ([ORT]) as runners; an emitted graph's interface
// and nodes; prompts, given answers, and pasts that no runner computed.
//
// What a runner can do beside answering is said by small interfaces, each asked
// through one function ([AsTapper], [LevelOf], [AsPlacer], …): nobody needs to
// know which runner it has. What it may be off by follows from its arithmetic.
package run
