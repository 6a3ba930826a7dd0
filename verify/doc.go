// Package verify proves a checkpoint and its ONNX graph: three answers that
// share no code are computed for the same tokens and compared.
//
//   - ref: a Go forward pass in float64 straight from the safetensors and the
//     configuration (verify/ref); it shares no code with rewriting or emission.
//   - interp: a Go float64 interpreter of the emitted graph (verify/interp).
//   - ort-cpu, ort-cuda: ONNX Runtime running model.onnx itself (verify/ort).
//
// ref ≠ interp is a fault of the emission, interp ≠ ort one of the runtime;
// a check's detail says which. Numeric parity and the drift of a conversion
// from its source are kept apart: the drift is reported and can neither pass
// nor fail a verification.
//
// # Stability
//
// Verify, Options and the report's JSON (Report.Schema) are meant to stay. Checks
// come, and their texts may change; a limit changes with a measurement behind it.
package verify
