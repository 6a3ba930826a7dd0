// Package ops holds the operators of ONNX domain ai.pecvt: one file and one row
// of the table for each. Every operator carries a function body of standard
// ONNX operators, so a model that uses it runs on any runtime; a runtime that
// has a kernel of its own for (domain, operator) runs that instead.
//
// A change in what an operator computes is a new version of the domain.
package ops
