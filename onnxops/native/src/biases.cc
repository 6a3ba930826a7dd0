// RelativeBias, LogBias, PowerBias and PathIntegralBias: terms of the scores, (batch,
// heads, queries, keys).
#include <cmath>
#include <new>

#include "attend.h"
#include "shapes.h"

namespace pecvt {
namespace {

// What a place ahead of the query, and the two numbers of a row's head, make.
struct Relative {
  static constexpr const char *of = "query_rate", *by = "key_rate";
  static float at(float ahead, float query, float key) { return ahead * (query + key); }
};
struct Log {
  static constexpr const char *of = "r1", *by = "r2";
  static float at(float ahead, float r1, float r2) { return ahead < 0 ? -r1 * std::log1p(-ahead * r2) : 0; }
};
struct Power {
  static constexpr const char *of = "r1", *by = "r2";
  static float at(float ahead, float r1, float r2) { return ahead < 0 ? -r1 * std::pow(-ahead, r2) : 0; }
};

template <class Form>
struct DistanceBias : Kernel {
  void compute(const Call& call) const override {
    const RelativeInputs in(call, Form::of, Form::by);
    const int64_t batch = in.batch, heads = in.heads, length = in.length, total = in.total;
    const Rates& steps = in.steps;
    float* out = static_cast<float*>(call.out(0, {batch, heads, length, total}));
    if (out == nullptr || batch * heads * length * total == 0) return;
    auto body = [&](size_t row) {
      const int64_t i = int64_t(row) % length, h = int64_t(row) / length % heads, b = int64_t(row) / length / heads;
      const float place = in.queryPlace.as<float>()[b * length + i];
      const float rate = in.queryRate.as<float>()[b * steps.queryBatch + h * steps.queryHead + i * steps.query];
      const float *places = in.keyPlace.as<float>() + b * total, *rates = in.keyRate.as<float>() + b * steps.keyBatch + h * steps.keyHead;
      float* to = out + int64_t(row) * total;
      for (int64_t j = 0; j < total; j++) to[j] = Form::at(places[j] - place, rate, rates[j * steps.key]);
    };
    call.parallel(size_t(batch * heads * length), body);
  }
};

struct PathIntegralBias : Kernel {
  void compute(const Call& call) const override {
    const IntegralInputs in(call);
    const int64_t batch = in.batch, heads = in.heads, length = in.length, total = in.total, size = in.size;
    float* out = static_cast<float*>(call.out(0, {batch, heads, length, total}));
    if (out == nullptr || batch * heads * length * total == 0) return;
    const int64_t parts = (length + kQueries - 1) / kQueries;
    bool failed = false;
    auto body = [&](size_t task) {
      const int64_t from = int64_t(task) % parts * kQueries, row = int64_t(task) / parts, to = from + kQueries < length ? from + kQueries : length;
      Paths p{length, total, size, in.query.as<float>() + row * length * size, in.key.as<float>() + row * total * size,
              in.visible.as<bool>() + row / heads * length * total, in.beta.as<float>()[row % heads], out + row * length * total};
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
  ops.push_back(std::make_unique<Op>("RelativeBias", List{f, f, f, f}, List{f}, make<DistanceBias<Relative>>));
  ops.push_back(std::make_unique<Op>("LogBias", List{f, f, f, f}, List{f}, make<DistanceBias<Log>>));
  ops.push_back(std::make_unique<Op>("PowerBias", List{f, f, f, f}, List{f}, make<DistanceBias<Power>>));
  ops.push_back(std::make_unique<Op>("PathIntegralBias", List{f, f, f, b}, List{f}, make<PathIntegralBias>));
}

}  // namespace pecvt
