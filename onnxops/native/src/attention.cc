// Attention with a bias inside: no tensor of queries × keys is made.
#include <algorithm>
#include <cfloat>
#include <cmath>
#include <new>

#include "attend.h"
#include "half.h"
#include "shapes.h"

namespace pecvt {
namespace {

constexpr int64_t kRun = 512;   // keys are worth a task of their own
constexpr int64_t kTasks = 32;  // are enough for any number of threads

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

// Rooms are for the tasks of a call: each takes one of its own.
struct Rooms {
  explicit Rooms(int64_t floats) : floats_(size_t(floats)) {}
  // with calls f with room, unless there is none.
  template <class F>
  void with(F f) {
    std::unique_ptr<float[]> room(new (std::nothrow) float[floats_]);
    if (room)
      f(room.get());
    else
      __atomic_store_n(&failed_, true, __ATOMIC_RELAXED);
  }
  // check fails where a task had none.
  void check() const {
    if (failed_) throw std::bad_alloc();
  }

 private:
  size_t floats_;
  bool failed_ = false;
};

// blocks computes blocks of queries, a task each.
template <class HeadOf>
void blocks(const Call& call, int64_t rows, const Head& shared, HeadOf headOf) {
  const int64_t length = shared.length, parts = (length + kQueries - 1) / kQueries;
  Rooms rooms(scratchSize(shared));
  auto body = [&](size_t task) {
    // the longest first: the last blocks see the most keys
    const int64_t from = (parts - 1 - int64_t(task) / rows) * kQueries, to = std::min(from + kQueries, length);
    rooms.with([&](float* room) { functions().attend(headOf(int64_t(task) % rows), from, to, room); });
  };
  call.parallel(size_t(rows * parts), body);
  rooms.check();
}

// divided computes few queries, whose keys are divided into runs where there are fewer
// heads than a processor may have threads: a task is a run of one query's keys.
template <class HeadOf>
void divided(const Call& call, int64_t rows, const Head& shared, HeadOf headOf) {
  const int64_t length = shared.length, queries = rows * length, vsize = shared.vsize, wide = vsize + 3;
  const int64_t runs = std::max<int64_t>(1, std::min(shared.total / kRun, kTasks / queries));
  std::vector<float> parts(size_t(queries * runs * wide));
  // runOf is a run of the keys that a query sees, the oldest first.
  auto runOf = [&](const Head& head, int64_t i, int64_t run) {
    const int64_t first = head.first(i), keys = head.past + i + 1 - first;
    return first + (keys * run + runs - 1) / runs;
  };
  auto partOf = [&](int64_t task) {
    float* at = parts.data() + task * wide;
    return Part{at, at + 1, at + 2, at + 3};
  };
  Rooms rooms(partSize(shared.total / runs + 1));
  auto body = [&](size_t task) {
    const int64_t query = int64_t(task) / runs, run = int64_t(task) % runs, i = query % length;
    const Head head = headOf(query / length);
    rooms.with([&](float* room) { functions().part(head, i, runOf(head, i, run), runOf(head, i, run + 1), room, partOf(int64_t(task))); });
  };
  call.parallel(size_t(queries * runs), body);
  rooms.check();
  for (int64_t query = 0; query < queries; query++) {
    float top = -FLT_MAX, carry = 0, sum = 0;
    for (int64_t run = runs - 1; run >= 0; run--) {
      const Part p = partOf(query * runs + run);
      *p.most += carry, carry += *p.carry;
      top = *p.most > top || *p.most != *p.most ? *p.most : top;
    }
    float* out = headOf(query / length).out + query % length * vsize;
    std::fill_n(out, vsize, 0.0f);
    for (int64_t run = 0; run < runs; run++) {
      const Part p = partOf(query * runs + run);
      const float factor = std::exp(*p.most - top);
      sum += *p.sum * factor;
      for (int64_t d = 0; d < vsize; d++) out[d] += p.out[d] * factor;
    }
    for (int64_t d = 0; d < vsize; d++) out[d] /= sum;
  }
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
    // headOf is one head of one row of the batch.
    auto headOf = [&](int64_t row) {
      const int64_t n = row / heads, h = row % heads, group = n * groups + h / (heads / groups);
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
      return head;
    };
    if (length < functions().few)
      divided(call, batch * heads, shared, headOf);
    else
      blocks(call, batch * heads, shared, headOf);
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
