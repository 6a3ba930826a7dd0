// Package native holds a library of kernels for the operators of domain ai.pecvt:
// C++17 against ONNX Runtime's C API, in src, built by `make ops` (build.sh) and
// registered with a session by its entry point RegisterCustomOps. ONNX Runtime takes
// a registered kernel before the function of the model that has its domain and name,
// so that a graph runs with the library or without it. The functions' bodies
// (onnxops/ops) are what the kernels are held to: see the tests.
//
// Folder cuda has the same operators for CUDA. Kernels (kernels.h, attend.h) see the
// device through device.h, so that nvcc compiles them for one and a C++ compiler for
// emulated threads (emulate.cc), on which the tests run them; what is checked of inputs
// (src/shapes.h) and what is started for them (ops.cc) is the same in both.
package native
