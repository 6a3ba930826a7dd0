// Attention with a bias inside: no tensor of queries × keys is made.
#include <algorithm>
#include <new>

#include "api.h"
#include "attend.h"
#include "half.h"

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

  Biased(Bias b, const Attributes& a) : bias(b), scale(a.number("scale", 0)) {
    if (!(scale > 0)) throw Failure("scale is " + std::to_string(scale) + ": expected a positive number");
  }

  void compute(const Call& call) const override {
    const Tensor query = call.in(0, "query").rank(4), key = call.in(1, "key").rank(4), value = call.in(2, "value").rank(4);
    const Tensor pastKey = call.in(3, "past_key").rank(4), pastValue = call.in(4, "past_value").rank(4), real = call.in(5, "attention_mask").rank(2);
    const Tensor window = call.in(6, "window").rank(0);
    const int64_t batch = query.shape[0], heads = query.shape[1], length = query.shape[2], size = query.shape[3];
    const int64_t groups = key.shape[1], past = pastKey.shape[2], vsize = value.shape[3], total = past + length;
    if (groups < 1 || heads % groups != 0) throw Failure("query has " + std::to_string(heads) + " heads and key " + std::to_string(groups) + ": expected a multiple");
    if (size < 1 || vsize < 1 || total > INT32_MAX / 2) throw Failure("query has shape " + text(query.shape) + " over " + std::to_string(past) + " past keys: expected heads of 1 or more, and fewer than 2^30 keys");
    key.is({batch, groups, length, size});
    value.is({batch, groups, length, vsize});
    pastKey.is({batch, groups, past, size});
    pastValue.is({batch, groups, past, vsize});
    real.is({batch, total});
    Head shared{};
    shared.past = past, shared.length = length, shared.total = total, shared.size = size, shared.vsize = vsize;
    shared.scale = scale, shared.window = *window.as<int64_t>(), shared.bias = bias;
    if (shared.window < 0) throw Failure("window is " + std::to_string(shared.window) + ": expected 0 or more");
    Tensor a = call.in(7, "bias"), b = call.in(8, "bias"), c = call.in(9, "bias"), d{};
    if (bias != Bias::Integral) d = call.in(10, "bias");
    int64_t cb = 0, ds = 0, db = 0, dh = 0;
    switch (bias) {
      case Bias::Relative:
        a.name = "query_position", b.name = "key_position", c.name = "query_rate", d.name = "key_rate";
        a.is({batch, length}), b.is({batch, total}), c.rank(4), d.rank(4);
        shared.queryStep = c.shape[2] == length && length != 1 ? 1 : 0, shared.keyStep = d.shape[3] == total && total != 1 ? 1 : 0;
        cb = c.shape[0] == batch ? 1 : 0, db = d.shape[0] == batch ? 1 : 0, dh = d.shape[1] == heads ? 1 : 0;
        ds = d.shape[3];
        c.is({cb ? batch : 1, heads, shared.queryStep ? length : 1, 1});
        d.is({db ? batch : 1, dh ? heads : 1, 1, shared.keyStep ? total : 1});
        break;
      case Bias::Path:
        a.name = "query_whole", b.name = "query_fraction", c.name = "key_whole", d.name = "key_fraction";
        a.is({batch, heads, length, 1}), b.is({batch, heads, length, 1}), c.is({batch, heads, total, 1}), d.is({batch, heads, total, 1});
        break;
      case Bias::Integral:
        a.name = "path_query", b.name = "path_key", c.name = "beta";
        a.rank(4);
        shared.pathSize = a.shape[3];
        if (shared.pathSize < 1) throw Failure("path_query has shape " + text(a.shape) + ": expected a width of 1 or more");
        a.is({batch, heads, length, shared.pathSize}), b.is({batch, heads, total, shared.pathSize}), c.is({1, heads, 1, 1});
        break;
    }
    T* out = static_cast<T*>(call.out(0, {batch, heads, length, vsize}));
    T* presentKey = static_cast<T*>(call.out(1, {batch, groups, total, size}));
    T* presentValue = static_cast<T*>(call.out(2, {batch, groups, total, vsize}));
    if (batch * groups * total == 0) return;
    std::vector<float> queries, keys, values, results;
    const float* k = joined<T>(call, pastKey, key, presentKey, keys);
    const float* v = joined<T>(call, pastValue, value, presentValue, values);
    if (out == nullptr || batch * heads * length == 0) return;
    const float* q = widened<T>(query, queries);
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
      head.real = real.as<int64_t>() + n * total;
      switch (bias) {
        case Bias::Relative:
          head.queryPlace = a.as<float>() + n * length, head.keyPlace = b.as<float>() + n * total;
          head.queryRate = c.as<float>() + (n * cb * heads + h) * c.shape[2];
          head.keyRate = d.as<float>() + (n * db * d.shape[1] + h * dh) * ds;
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
