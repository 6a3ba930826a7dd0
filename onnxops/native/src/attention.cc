// Attention with a bias inside: no tensor of queries × keys is made.
#include <algorithm>
#include <new>

#include "attend.h"
#include "half.h"
#include "shapes.h"

namespace pecvt {
namespace {

// joined is past and now of (batch, heads, ·, size) as present, and as floats where
// they are something else.
template <class T>
const float* joined(const Call& call, const Tensor& past, const Tensor& now, T* present, std::vector<float>& wide) {
  const int64_t heads = now.shape[0] * now.shape[1], before = past.shape[2], length = now.shape[2], size = now.shape[3], total = before + length;
  const bool widened = sizeof(T) != sizeof(float);
  if (widened) wide.resize(size_t(heads * total * size));
  std::vector<T> kept;
  if (present == nullptr) {
    kept.resize(size_t(heads * total * size));
    present = kept.data();
  }
  auto body = [&](size_t h) {
    T* to = present + int64_t(h) * total * size;
    std::copy_n(past.as<T>() + int64_t(h) * before * size, before * size, to);
    std::copy_n(now.as<T>() + int64_t(h) * length * size, length * size, to + before * size);
    if (widened)
      for (int64_t i = 0; i < total * size; i++) wide[size_t(int64_t(h) * total * size + i)] = widen(to[i]);
  };
  call.parallel(size_t(heads), body);
  if (widened) return wide.data();
  if (!kept.empty()) {
    wide.resize(kept.size());
    for (size_t i = 0; i < kept.size(); i++) wide[i] = widen(kept[i]);
    return wide.data();
  }
  return reinterpret_cast<const float*>(present);
}

template <class T>
const float* widened(const Tensor& t, std::vector<float>& wide) {
  if (sizeof(T) == sizeof(float)) return t.as<float>();
  const size_t n = size_t(product(t.shape));
  wide.resize(n);
  for (size_t i = 0; i < n; i++) wide[i] = widen(t.as<T>()[i]);
  return wide.data();
}

// Biased is the attention of one kind of bias; the inputs after window are
// the kind's.
template <class T>
struct Biased : Kernel {
  Bias bias;
  float scale;

  Biased(Bias b, const Attributes& attributes) : bias(b), scale(scaleOf(attributes)) {}

  void compute(const Call& call) const override {
    const AttentionInputs in(call, bias);
    const int64_t batch = in.batch, heads = in.heads, groups = in.groups, length = in.length, size = in.size, vsize = in.vsize, total = in.total;
    const Tensor &a = in.a, &b = in.b, &c = in.c, &d = in.d;
    Head shared{};
    shared.past = in.past, shared.length = length, shared.total = total, shared.size = size, shared.vsize = vsize;
    shared.scale = scale, shared.window = in.window, shared.bias = bias, shared.pathSize = in.pathSize;
    shared.queryStep = in.steps.query, shared.keyStep = in.steps.key;
    T* out = static_cast<T*>(call.out(0, {batch, heads, length, vsize}));
    T* presentKey = static_cast<T*>(call.out(1, {batch, groups, total, size}));
    T* presentValue = static_cast<T*>(call.out(2, {batch, groups, total, vsize}));
    if (batch * groups * total == 0) return;
    std::vector<float> queries, keys, values, results;
    const float* k = joined<T>(call, in.pastKey, in.key, presentKey, keys);
    const float* v = joined<T>(call, in.pastValue, in.value, presentValue, values);
    if (out == nullptr || batch * heads * length == 0) return;
    const float* q = widened<T>(in.query, queries);
    float* y = reinterpret_cast<float*>(out);
    if (sizeof(T) != sizeof(float)) {
      results.resize(size_t(batch * heads * length * vsize));
      y = results.data();
    }
    const int64_t parts = (length + kQueries - 1) / kQueries;
    bool failed = false;
    auto body = [&](size_t task) {
      // the longest first: the last blocks see the most keys
      const int64_t row = int64_t(task) % (batch * heads), from = (parts - 1 - int64_t(task) / (batch * heads)) * kQueries;
      const int64_t to = from + kQueries < length ? from + kQueries : length, n = row / heads, h = row % heads;
      const int64_t group = n * groups + h / (heads / groups);
      Head head = shared;
      head.query = q + row * length * size;
      head.key = k + group * total * size;
      head.value = v + group * total * vsize;
      head.real = in.real.as<int64_t>() + n * total;
      switch (bias) {
        case Bias::Relative:
          head.queryPlace = a.as<float>() + n * length, head.keyPlace = b.as<float>() + n * total;
          head.queryRate = c.as<float>() + n * in.steps.queryBatch + h * in.steps.queryHead;
          head.keyRate = d.as<float>() + n * in.steps.keyBatch + h * in.steps.keyHead;
          break;
        case Bias::Path:
          head.queryWhole = a.as<float>() + row * length, head.queryPart = b.as<float>() + row * length;
          head.keyWhole = c.as<float>() + row * total, head.keyPart = d.as<float>() + row * total;
          break;
        case Bias::Integral:
          head.pathQuery = a.as<float>() + row * length * head.pathSize, head.pathKey = b.as<float>() + row * total * head.pathSize;
          head.beta = c.as<float>()[h];
          break;
      }
      head.out = y + row * length * vsize;
      std::unique_ptr<float[]> scratch(new (std::nothrow) float[size_t(scratchSize(head))]);
      if (!scratch) {
        __atomic_store_n(&failed, true, __ATOMIC_RELAXED);
        return;
      }
      functions().attend(head, from, to, scratch.get());
    };
    call.parallel(size_t(batch * heads * parts), body);
    if (failed) throw std::bad_alloc();
    for (size_t i = 0; i < results.size(); i++) narrow(results[i], out[i]);
  }
};

template <class T, Bias B>
std::unique_ptr<Kernel> make(const Attributes& a) {
  return std::make_unique<Biased<T>>(B, a);
}

template <class T>
void add(std::vector<std::unique_ptr<Op>>& ops, ONNXTensorElementDataType t) {
  constexpr auto f = ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, n = ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64;
  using List = std::vector<ONNXTensorElementDataType>;
  ops.push_back(std::make_unique<Op>("RelativeAttention", List{t, t, t, t, t, n, n, f, f, f, f}, List{t, t, t}, make<T, Bias::Relative>));
  ops.push_back(std::make_unique<Op>("PathAttention", List{t, t, t, t, t, n, n, f, f, f, f}, List{t, t, t}, make<T, Bias::Path>));
  ops.push_back(std::make_unique<Op>("PathIntegralAttention", List{t, t, t, t, t, n, n, f, f, f}, List{t, t, t}, make<T, Bias::Integral>));
}

}  // namespace

void addAttention(std::vector<std::unique_ptr<Op>>& ops) {
  add<float>(ops, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT);
  add<Half>(ops, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16);
}

}  // namespace pecvt
