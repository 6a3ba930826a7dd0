// ContextPhase and PathBias: running sums in float64, with their state.
#include <cmath>

#include "shapes.h"

namespace pecvt {
namespace {

// Running is the sum of terms up to each token: exclusive without its own.
struct Running : RunningInputs {
  using RunningInputs::RunningInputs;

  // each calls visit(index, sum before the token, sum after it) and writes present.
  template <class Term, class Visit>
  void each(const Call& call, float* present, Term term, Visit visit) const {
    auto body = [&](size_t row) {
      const float *x = terms.as<float>() + int64_t(row) * length, *r = real.as<float>() + int64_t(row) / rows * length;
      const float* start = past.as<float>() + 2 * row;
      double sum = double(start[0]) + double(start[1]);
      for (int64_t s = 0; s < length; s++) {
        const double before = sum;
        sum += term(x[s], r[s]);
        visit(int64_t(row) * length + s, before, sum);
      }
      if (present != nullptr) {
        present[2 * row] = float(sum);
        present[2 * row + 1] = float(sum - double(present[2 * row]));
      }
    };
    call.parallel(size_t(batch * rows), body);
  }
};

struct ContextPhase : Kernel {
  void compute(const Call& call) const override {
    const Running sum(call, "logits");
    double* phase = static_cast<double*>(call.out(0, sum.terms.shape));
    float* present = static_cast<float*>(call.out(1, sum.past.shape));
    auto gate = [](float x, float r) { return double(r) / (1 + std::exp(-double(x))); };
    sum.each(call, present, gate, [&](int64_t i, double before, double) {
      if (phase != nullptr) phase[i] = before;
    });
  }
};

struct PathBias : Kernel {
  void compute(const Call& call) const override {
    const Running sum(call, "gates");
    Shape column = sum.terms.shape;
    column.push_back(1);
    float* whole = static_cast<float*>(call.out(0, column));
    float* fraction = static_cast<float*>(call.out(1, column));
    float* present = static_cast<float*>(call.out(2, sum.past.shape));
    sum.each(call, present, [](float x, float r) { return double(x * r); }, [&](int64_t i, double, double after) {
      const double floor = std::floor(after);
      if (whole != nullptr) whole[i] = float(floor);
      if (fraction != nullptr) fraction[i] = float(after - floor);
    });
  }
};

template <class K>
std::unique_ptr<Kernel> make(const Attributes&) {
  return std::make_unique<K>();
}

}  // namespace

void addSums(std::vector<std::unique_ptr<Op>>& ops) {
  constexpr auto f = ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, d = ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE;
  using List = std::vector<ONNXTensorElementDataType>;
  ops.push_back(std::make_unique<Op>("ContextPhase", List{f, f, f}, List{d, f}, make<ContextPhase>));
  ops.push_back(std::make_unique<Op>("PathBias", List{f, f, f}, List{f, f, f}, make<PathBias>));
}

}  // namespace pecvt
