// Rotation: heads turned by given cosines and sines.
#include "half.h"
#include "shapes.h"

namespace pecvt {
namespace {

template <class T>
void turn(const T* x, const T* cos, const T* sin, T* y, int64_t planes, int64_t size, bool interleaved) {
  const int64_t first = interleaved ? 2 : 1, second = interleaved ? 1 : planes;
  for (int64_t p = 0; p < planes; p++) {
    const float c = widen(cos[p]), s = widen(sin[p]);
    const float a = widen(x[p * first]), b = widen(x[p * first + second]);
    narrow(a * c - b * s, y[p * first]);
    narrow(b * c + a * s, y[p * first + second]);
  }
  for (int64_t d = 2 * planes; d < size; d++) y[d] = x[d];
}

template <class T>
struct Rotation : Kernel {
  bool interleaved;
  int64_t dim;

  explicit Rotation(const Attributes& a) : interleaved(a.integer("interleaved", 0) != 0), dim(a.integer("rotary_embedding_dim", 0)) {}

  void compute(const Call& call) const override {
    const RotationInputs in(call, dim);
    const Tensor &x = in.x, &cos = in.cos, &sin = in.sin;
    const int64_t batch = in.batch, heads = in.heads, length = in.length, size = in.size, planes = in.planes;
    T* y = static_cast<T*>(call.out(0, x.shape));
    if (y == nullptr || product(x.shape) == 0) return;
    constexpr int64_t kRows = 64;  // positions of one task
    const int64_t parts = (length + kRows - 1) / kRows;
    auto body = [&](size_t task) {
      const int64_t part = int64_t(task) % parts, head = int64_t(task) / parts, b = head / heads;
      for (int64_t s = part * kRows; s < length && s < (part + 1) * kRows; s++) {
        const int64_t row = (head * length + s) * size, table = (b * length + s) * planes;
        turn(x.as<T>() + row, cos.as<T>() + table, sin.as<T>() + table, y + row, planes, size, interleaved);
      }
    };
    call.parallel(size_t(batch * heads * parts), body);
  }
};

template <class T>
void add(std::vector<std::unique_ptr<Op>>& ops, ONNXTensorElementDataType t) {
  ops.push_back(std::make_unique<Op>("Rotation", std::vector<ONNXTensorElementDataType>{t, t, t}, std::vector<ONNXTensorElementDataType>{t},
                                     [](const Attributes& a) -> std::unique_ptr<Kernel> { return std::make_unique<Rotation<T>>(a); }));
}

}  // namespace

void addRotation(std::vector<std::unique_ptr<Op>>& ops) {
  add<float>(ops, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT);
  add<Half>(ops, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16);
  add<BFloat>(ops, ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16);
}

}  // namespace pecvt
