// RelativeBias and PathIntegralBias: terms of the scores, (batch, heads, queries, keys).
#include <new>

#include "api.h"
#include "attend.h"

namespace pecvt {
namespace {

// stepOf is 1 for an axis of n, 0 for one of 1 that stands for all.
int64_t stepOf(const Tensor& t, size_t axis, int64_t n) {
  if (t.shape[axis] == n) return 1;
  if (t.shape[axis] == 1) return 0;
  throw Failure(std::string(t.name) + " has shape " + text(t.shape) + ": expected 1 or " + std::to_string(n) + " at axis " + std::to_string(axis));
}

struct RelativeBias : Kernel {
  void compute(const Call& call) const override {
    const Tensor queryPlace = call.in(0, "query_position").rank(2), keyPlace = call.in(1, "key_position").rank(2);
    const Tensor queryRate = call.in(2, "query_rate").rank(4), keyRate = call.in(3, "key_rate").rank(4);
    const int64_t batch = queryPlace.shape[0], length = queryPlace.shape[1], total = keyPlace.shape[1], heads = queryRate.shape[1];
    keyPlace.is({batch, total});
    const int64_t qb = stepOf(queryRate, 0, batch), qs = stepOf(queryRate, 2, length);
    const int64_t kb = stepOf(keyRate, 0, batch), kh = stepOf(keyRate, 1, heads), ks = stepOf(keyRate, 3, total);
    stepOf(queryRate, 3, 1), stepOf(keyRate, 2, 1);
    float* out = static_cast<float*>(call.out(0, {batch, heads, length, total}));
    if (out == nullptr || batch * heads * length * total == 0) return;
    auto body = [&](size_t row) {
      const int64_t i = int64_t(row) % length, h = int64_t(row) / length % heads, b = int64_t(row) / length / heads;
      const float place = queryPlace.as<float>()[b * length + i];
      const float rate = queryRate.as<float>()[(b * qb * heads + h) * queryRate.shape[2] + i * qs];
      const float *places = keyPlace.as<float>() + b * total, *rates = keyRate.as<float>() + (b * kb * keyRate.shape[1] + h * kh) * keyRate.shape[3];
      float* to = out + int64_t(row) * total;
      for (int64_t j = 0; j < total; j++) to[j] = (places[j] - place) * (rate + rates[j * ks]);
    };
    call.parallel(size_t(batch * heads * length), body);
  }
};

struct PathIntegralBias : Kernel {
  void compute(const Call& call) const override {
    const Tensor query = call.in(0, "query").rank(4), key = call.in(1, "key").rank(4), beta = call.in(2, "beta").rank(4), visible = call.in(3, "visible").rank(4);
    const int64_t batch = query.shape[0], heads = query.shape[1], length = query.shape[2], size = query.shape[3], total = key.shape[2];
    key.is({batch, heads, total, size});
    beta.is({1, heads, 1, 1});
    visible.is({batch, 1, length, total});
    if (size == 0) throw Failure("query has shape " + text(query.shape) + ": expected a width of 1 or more");
    float* out = static_cast<float*>(call.out(0, {batch, heads, length, total}));
    if (out == nullptr || batch * heads * length * total == 0) return;
    const int64_t parts = (length + kQueries - 1) / kQueries;
    bool failed = false;
    auto body = [&](size_t task) {
      const int64_t from = int64_t(task) % parts * kQueries, row = int64_t(task) / parts, to = from + kQueries < length ? from + kQueries : length;
      Paths p{length, total, size, query.as<float>() + row * length * size, key.as<float>() + row * total * size,
              visible.as<bool>() + row / heads * length * total, beta.as<float>()[row % heads], out + row * length * total};
      std::unique_ptr<float[]> scratch(new (std::nothrow) float[size_t(scratchSize(p))]);
      if (!scratch) {
        __atomic_store_n(&failed, true, __ATOMIC_RELAXED);
        return;
      }
      functions().integrate(p, from, to, scratch.get());
    };
    call.parallel(size_t(batch * heads * parts), body);
    if (failed) throw std::bad_alloc();
  }
};

template <class K>
std::unique_ptr<Kernel> make(const Attributes&) {
  return std::make_unique<K>();
}

}  // namespace

void addBiases(std::vector<std::unique_ptr<Op>>& ops) {
  constexpr auto f = ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, b = ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL;
  using List = std::vector<ONNXTensorElementDataType>;
  ops.push_back(std::make_unique<Op>("RelativeBias", List{f, f, f, f}, List{f}, make<RelativeBias>));
  ops.push_back(std::make_unique<Op>("PathIntegralBias", List{f, f, f, b}, List{f}, make<PathIntegralBias>));
}

}  // namespace pecvt
