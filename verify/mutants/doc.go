// Package mutants holds planted faults and proves that verification finds them.
//
// A mutant is one mistake that a rewriter, an emitter or whoever handles the
// files may make: a sign, a frequency, a head read in the wrong order, a cache
// joined the wrong way round, a zeroed weight. Every mutant is planted into a
// conversion of a bundled checkpoint and verified as a user's continuous
// integration does, with the source beside it (--against). Then the same mutant
// goes through the simplest check that exporters make: 8 tokens, one row, no
// past, numpy's allclose, a warning.
//
//   - rewriter mutants change the converted checkpoint before its graph is
//     emitted: checkpoint and graph agree, and only the source tells.
//   - emitter mutants change model.onnx.
//   - files mutants change the folder after the conversion.
//
// `make mutants` writes docs/mutants.md. The package supports tests alone and is
// no part of the pecvt binary.
package mutants

//go:generate go run ./gen ../../docs/mutants.md
