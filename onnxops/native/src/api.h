// What the kernels see of ONNX Runtime: the tensors of a call, and errors as statuses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "onnxruntime_c_api.h"

namespace pecvt {

// The oldest API that has all that is used here: ONNX Runtime 1.17.
constexpr uint32_t kApi = 17;

extern const OrtApi* api;

// Failure is an error of a call: it becomes a status of ONNX Runtime.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// check turns a status into a Failure.
void check(OrtStatus* status);

using Shape = std::vector<int64_t>;

std::string text(const Shape& shape);

// Tensor is an input as it is.
struct Tensor {
  const char* name;
  ONNXTensorElementDataType type;
  Shape shape;
  const void* data;

  // rank fails unless the tensor has n dimensions.
  const Tensor& rank(size_t n) const;
  // is fails unless the shape is the one wanted.
  const Tensor& is(const Shape& want) const;
  template <class T>
  const T* as() const {
    return static_cast<const T*>(data);
  }
};

// product is the number of elements, which fails past 2^62.
int64_t product(const Shape& shape);

// Call is one run of a kernel.
class Call {
 public:
  explicit Call(OrtKernelContext* context) : context_(context) {}
  Tensor in(size_t index, const char* name) const;
  void* out(size_t index, const Shape& shape) const;
  // stream is the one of the device that the call is to run on.
  void* stream() const;

  // parallel runs body(0) to body(total - 1) on the session's threads. body must
  // not throw.
  template <class F>
  void parallel(size_t total, F& body) const {
    check(api->KernelContext_ParallelFor(
        context_, [](void* f, size_t i) { (*static_cast<F*>(f))(i); }, total, 0, &body));
  }

 private:
  OrtKernelContext* context_;
};

// Attributes of a node; a name that is not there has the default.
class Attributes {
 public:
  explicit Attributes(const OrtKernelInfo* info) : info_(info) {}
  int64_t integer(const char* name, int64_t otherwise) const;
  float number(const char* name, float otherwise) const;

 private:
  const OrtKernelInfo* info_;
};

// Kernel computes one node.
struct Kernel {
  virtual ~Kernel() = default;
  virtual void compute(const Call& call) const = 0;
};

// Op is an operator as ONNX Runtime asks for it, for one set of types.
struct Op : OrtCustomOp {
  const char* name;
  std::vector<ONNXTensorElementDataType> inputs, outputs;
  std::unique_ptr<Kernel> (*make)(const Attributes&);
  const char* provider = nullptr;  // null: the processor's
  int64_t onProcessor = -1;        // the input that lies in the processor's memory whatever the provider

  Op(const char* name, std::vector<ONNXTensorElementDataType> inputs, std::vector<ONNXTensorElementDataType> outputs,
     std::unique_ptr<Kernel> (*make)(const Attributes&));
};

// The operators of each file.
void addRotation(std::vector<std::unique_ptr<Op>>& ops);
void addSums(std::vector<std::unique_ptr<Op>>& ops);
void addBiases(std::vector<std::unique_ptr<Op>>& ops);
void addAttention(std::vector<std::unique_ptr<Op>>& ops);
void addDevice(std::vector<std::unique_ptr<Op>>& ops);  // of ../cuda

}  // namespace pecvt
