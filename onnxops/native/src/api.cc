#include "api.h"

#include <cstring>
#include <new>

namespace pecvt {

const OrtApi* api = nullptr;

void check(OrtStatus* status) {
  if (status == nullptr) return;
  std::string message = api->GetErrorMessage(status);
  api->ReleaseStatus(status);
  throw Failure(message);
}

std::string text(const Shape& shape) {
  std::string s = "(";
  for (size_t i = 0; i < shape.size(); i++) s += (i ? ", " : "") + std::to_string(shape[i]);
  return s + ")";
}

const Tensor& Tensor::rank(size_t n) const {
  if (shape.size() != n) throw Failure(std::string(name) + " has shape " + text(shape) + ": expected " + std::to_string(n) + " dimensions");
  return *this;
}

const Tensor& Tensor::is(const Shape& want) const {
  if (shape != want) throw Failure(std::string(name) + " has shape " + text(shape) + ": expected " + text(want));
  return *this;
}

int64_t product(const Shape& shape) {
  int64_t n = 1;
  for (int64_t d : shape) {
    if (d < 0 || (d > 0 && n > (int64_t{1} << 62) / d)) throw Failure("shape " + text(shape) + " is too large");
    n *= d;
  }
  return n;
}

Tensor Call::in(size_t index, const char* name) const {
  const OrtValue* value = nullptr;
  check(api->KernelContext_GetInput(context_, index, &value));
  if (value == nullptr) throw Failure(std::string(name) + " is not given");
  OrtTensorTypeAndShapeInfo* info = nullptr;
  check(api->GetTensorTypeAndShape(value, &info));
  std::unique_ptr<OrtTensorTypeAndShapeInfo, void (*)(OrtTensorTypeAndShapeInfo*)> held(
      info, [](OrtTensorTypeAndShapeInfo* i) { api->ReleaseTensorTypeAndShapeInfo(i); });
  Tensor t{name, ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED, {}, nullptr};
  size_t rank = 0;
  check(api->GetTensorElementType(info, &t.type));
  check(api->GetDimensionsCount(info, &rank));
  t.shape.resize(rank);
  check(api->GetDimensions(info, t.shape.data(), rank));
  product(t.shape);
  void* data = nullptr;
  check(api->GetTensorMutableData(const_cast<OrtValue*>(value), &data));
  t.data = data;
  return t;
}

void* Call::out(size_t index, const Shape& shape) const {
  OrtValue* value = nullptr;
  product(shape);
  check(api->KernelContext_GetOutput(context_, index, shape.data(), shape.size(), &value));
  if (value == nullptr) return nullptr;  // nobody reads it
  void* data = nullptr;
  check(api->GetTensorMutableData(value, &data));
  return data;
}

void* Call::stream() const {
  void* stream = nullptr;
  check(api->KernelContext_GetGPUComputeStream(context_, &stream));
  return stream;
}

int64_t Attributes::integer(const char* name, int64_t otherwise) const {
  int64_t v = 0;
  OrtStatus* status = api->KernelInfoGetAttribute_int64(info_, name, &v);
  if (status == nullptr) return v;
  api->ReleaseStatus(status);
  return otherwise;
}

float Attributes::number(const char* name, float otherwise) const {
  float v = 0;
  OrtStatus* status = api->KernelInfoGetAttribute_float(info_, name, &v);
  if (status == nullptr) return v;
  api->ReleaseStatus(status);
  return otherwise;
}

namespace {

// guarded runs what may fail and gives its error as a status, with the operator's name.
template <class F>
OrtStatus* guarded(const char* op, F f) noexcept {
  try {
    f();
    return nullptr;
  } catch (const std::bad_alloc&) {
    return api->CreateStatus(ORT_FAIL, "ai.pecvt: out of memory");
  } catch (const std::exception& e) {
    try {
      return api->CreateStatus(ORT_INVALID_ARGUMENT, (std::string("ai.pecvt.") + op + ": " + e.what()).c_str());
    } catch (...) {
      return api->CreateStatus(ORT_FAIL, "ai.pecvt: out of memory");
    }
  }
}

struct Held {
  const char* op;
  std::unique_ptr<Kernel> kernel;
};

const Op* of(const OrtCustomOp* op) { return static_cast<const Op*>(op); }

}  // namespace

Op::Op(const char* n, std::vector<ONNXTensorElementDataType> ins, std::vector<ONNXTensorElementDataType> outs,
       std::unique_ptr<Kernel> (*maker)(const Attributes&))
    : OrtCustomOp(), name(n), inputs(std::move(ins)), outputs(std::move(outs)), make(maker) {
  version = kApi;
  GetName = [](const OrtCustomOp* op) { return of(op)->name; };
  GetExecutionProviderType = [](const OrtCustomOp* op) { return of(op)->provider; };
  GetInputTypeCount = [](const OrtCustomOp* op) { return of(op)->inputs.size(); };
  GetInputType = [](const OrtCustomOp* op, size_t i) { return of(op)->inputs[i]; };
  GetOutputTypeCount = [](const OrtCustomOp* op) { return of(op)->outputs.size(); };
  GetOutputType = [](const OrtCustomOp* op, size_t i) { return of(op)->outputs[i]; };
  GetInputCharacteristic = [](const OrtCustomOp*, size_t) { return INPUT_OUTPUT_REQUIRED; };
  GetOutputCharacteristic = [](const OrtCustomOp*, size_t) { return INPUT_OUTPUT_REQUIRED; };
  GetInputMemoryType = [](const OrtCustomOp* op, size_t i) { return int64_t(i) == of(op)->onProcessor ? OrtMemTypeCPUInput : OrtMemTypeDefault; };
  GetVariadicInputMinArity = [](const OrtCustomOp*) { return 1; };
  GetVariadicInputHomogeneity = [](const OrtCustomOp*) { return 1; };
  GetVariadicOutputMinArity = [](const OrtCustomOp*) { return 1; };
  GetVariadicOutputHomogeneity = [](const OrtCustomOp*) { return 1; };
  GetStartVersion = [](const OrtCustomOp*) { return 1; };
  GetEndVersion = [](const OrtCustomOp*) { return INT32_MAX; };
  GetMayInplace = [](int**, int**) -> size_t { return 0; };
  ReleaseMayInplace = [](int*, int*) {};
  GetAliasMap = [](int**, int**) -> size_t { return 0; };
  ReleaseAliasMap = [](int*, int*) {};
  CreateKernelV2 = [](const OrtCustomOp* op, const OrtApi*, const OrtKernelInfo* info, void** kernel) {
    return guarded(of(op)->name, [&] { *kernel = new Held{of(op)->name, of(op)->make(Attributes(info))}; });
  };
  KernelComputeV2 = [](void* kernel, OrtKernelContext* context) {
    const Held* held = static_cast<const Held*>(kernel);
    return guarded(held->op, [&] { held->kernel->compute(Call(context)); });
  };
  KernelDestroy = [](void* kernel) { delete static_cast<Held*>(kernel); };
}

}  // namespace pecvt
