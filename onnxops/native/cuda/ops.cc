// The operators of ai.pecvt on a device: the same inputs as the processor's kernels
// (shapes.h), and what is started for them.
#include "../src/half.h"
#include "../src/shapes.h"
#include "launch.h"

namespace pecvt {
namespace device {
namespace {

// elements starts a kernel that goes over n elements by itself.
template <class Args>
void elements(const Call& call, Name name, int64_t n, const Args& args) {
  constexpr int64_t most = 1 << 15;  // blocks: more than any device holds at a time
  const int64_t blocks = (n + kThreads - 1) / kThreads;
  if (n > 0) launch(call, name, blocks < most ? blocks : most, 1, &args);
}

// Type is a type of elements and its kernels.
template <class T>
struct Type;
#define PECVT_TYPE(T, element, suffix, bits)                                             \
  template <>                                                                            \
  struct Type<T> {                                                                       \
    static constexpr ONNXTensorElementDataType of = ONNX_TENSOR_ELEMENT_DATA_TYPE_##element; \
    static constexpr Name rotate = Name::rotate_##suffix, join = Name::join_##bits;      \
    static constexpr Name attend[] = {Name::attend32_##suffix, Name::attend64_##suffix, Name::attend128_##suffix, Name::attend256_##suffix}; \
    static constexpr Name decode[] = {Name::decode64_##suffix, Name::decode256_##suffix}; \
  };
PECVT_TYPE(float, FLOAT, f32, 32)
PECVT_TYPE(Half, FLOAT16, f16, 16)
PECVT_TYPE(BFloat, BFLOAT16, bf16, 16)
#undef PECVT_TYPE

template <class T>
struct Rotation : Kernel {
  bool interleaved;
  int64_t dim;

  explicit Rotation(const Attributes& a) : interleaved(a.integer("interleaved", 0) != 0), dim(a.integer("rotary_embedding_dim", 0)) {}

  void compute(const Call& call) const override {
    const RotationInputs in(call, dim);
    void* y = call.out(0, in.x.shape);
    if (y == nullptr) return;
    const RotateArgs args{in.x.data, in.cos.data, in.sin.data, y, in.batch * in.heads * in.length, in.heads, in.length, in.size, in.planes, interleaved};
    elements(call, Type<T>::rotate, args.rows * (in.size - in.planes), args);
  }
};

struct ContextPhase : Kernel {
  void compute(const Call& call) const override {
    const RunningInputs in(call, "logits");
    SumArgs args{in.terms.as<float>(), in.real.as<float>(), in.past.as<float>(), nullptr, nullptr, nullptr, nullptr, in.batch * in.rows, in.rows, in.length};
    args.phase = static_cast<double*>(call.out(0, in.terms.shape));
    args.present = static_cast<float*>(call.out(1, in.past.shape));
    if (args.rows > 0) launch(call, Name::phase_f32, args.rows, 1, &args);
  }
};

struct PathBias : Kernel {
  void compute(const Call& call) const override {
    const RunningInputs in(call, "gates");
    SumArgs args{in.terms.as<float>(), in.real.as<float>(), in.past.as<float>(), nullptr, nullptr, nullptr, nullptr, in.batch * in.rows, in.rows, in.length};
    Shape column = in.terms.shape;
    column.push_back(1);
    args.whole = static_cast<float*>(call.out(0, column));
    args.fraction = static_cast<float*>(call.out(1, column));
    args.present = static_cast<float*>(call.out(2, in.past.shape));
    if (args.rows > 0) launch(call, Name::path_f32, args.rows, 1, &args);
  }
};

// Biases of the distance, by their kernel.
struct DistanceBias : Kernel {
  Name name;
  const char *of, *by;

  DistanceBias(Name kernel, const char* first, const char* second) : name(kernel), of(first), by(second) {}

  void compute(const Call& call) const override {
    const RelativeInputs in(call, of, by);
    float* out = static_cast<float*>(call.out(0, {in.batch, in.heads, in.length, in.total}));
    if (out == nullptr) return;
    const Rates& s = in.steps;
    const RelativeArgs args{in.queryPlace.as<float>(), in.keyPlace.as<float>(), in.queryRate.as<float>(), in.keyRate.as<float>(), out, in.batch, in.heads, in.length, in.total, s.queryBatch, s.queryHead, s.query, s.keyBatch, s.keyHead, s.key};
    elements(call, name, in.batch * in.heads * in.length * in.total, args);
  }
};

int64_t tilesOf(int64_t length) { return (length + kTile - 1) / kTile; }

struct PathIntegralBias : Kernel {
  void compute(const Call& call) const override {
    const IntegralInputs in(call);
    float* out = static_cast<float*>(call.out(0, {in.batch, in.heads, in.length, in.total}));
    if (out == nullptr || in.batch * in.heads * in.length * in.total == 0) return;
    const IntegralArgs args{in.query.as<float>(), in.key.as<float>(), in.beta.as<float>(), in.visible.as<bool>(), out, in.heads, in.length, in.total, in.size, tilesOf(in.length)};
    launch(call, Name::integral_f32, in.batch * in.heads * args.tiles, 1, &args);
  }
};

template <class T>
void join(const Call& call, const Tensor& past, const Tensor& now, void* present) {
  if (present == nullptr) return;
  const JoinArgs args{past.data, now.data, present, now.shape[0] * now.shape[1], past.shape[2], now.shape[2], now.shape[3]};
  elements(call, Type<T>::join, args.heads * (args.before + args.length) * args.size, args);
}

template <class T>
struct Attention : Kernel {
  Bias bias;
  float scale;

  Attention(Bias b, const Attributes& attributes) : bias(b), scale(scaleOf(attributes)) {}

  void compute(const Call& call) const override {
    const AttentionInputs in(call, bias);
    void* out = call.out(0, {in.batch, in.heads, in.length, in.vsize});
    join<T>(call, in.pastKey, in.key, call.out(1, {in.batch, in.groups, in.total, in.size}));
    join<T>(call, in.pastValue, in.value, call.out(2, {in.batch, in.groups, in.total, in.vsize}));
    if (out == nullptr || in.batch * in.heads * in.length == 0) return;
    AttendArgs args{in.query.data, in.key.data, in.value.data, in.pastKey.data, in.pastValue.data, out, in.real.as<int64_t>(), in.a.as<float>(), in.b.as<float>(), in.c.as<float>(), in.d.as<float>(),
                    in.heads, in.groups, in.length, in.past, in.size, in.vsize, in.pathSize, in.window, tilesOf(in.length),
                    in.steps.queryBatch, in.steps.queryHead, in.steps.query, in.steps.keyBatch, in.steps.keyHead, in.steps.key, scale, bias};
    const int64_t rows = in.batch * in.heads;
    if (in.length < kDecodeLength) {
      const bool wide = in.vsize > 64;
      launch(call, Type<T>::decode[wide], rows * in.length, (in.vsize + 255) / 256, &args);
      return;
    }
    const int width = in.vsize <= 32 ? 0 : in.vsize <= 64 ? 1 : in.vsize <= 128 ? 2 : 3;
    launch(call, Type<T>::attend[width], rows * args.tiles, (in.vsize + 255) / 256, &args);
  }
};

using Ops = std::vector<std::unique_ptr<Op>>;
using List = std::vector<ONNXTensorElementDataType>;
using Maker = std::unique_ptr<Kernel> (*)(const Attributes&);

void add(Ops& ops, const char* name, List inputs, List outputs, Maker make, int64_t onProcessor = -1) {
  ops.push_back(std::make_unique<Op>(name, std::move(inputs), std::move(outputs), make));
  ops.back()->provider = kProvider, ops.back()->onProcessor = onProcessor;
}

template <class K>
std::unique_ptr<Kernel> make(const Attributes&) {
  return std::make_unique<K>();
}

template <class T, Bias B>
std::unique_ptr<Kernel> attention(const Attributes& a) {
  return std::make_unique<Attention<T>>(B, a);
}

constexpr auto f = ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, d = ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE;
constexpr auto n = ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64, b = ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL;

template <class T>
void addOf(Ops& ops) {
  constexpr auto t = Type<T>::of;
  constexpr int64_t window = 6;  // the index of the one input that is read before a kernel starts
  add(ops, "Rotation", {t, t, t}, {t}, [](const Attributes& a) -> std::unique_ptr<Kernel> { return std::make_unique<Rotation<T>>(a); });
  add(ops, "RelativeAttention", {t, t, t, t, t, n, n, f, f, f, f}, {t, t, t}, attention<T, Bias::Relative>, window);
  add(ops, "PathAttention", {t, t, t, t, t, n, n, f, f, f, f}, {t, t, t}, attention<T, Bias::Path>, window);
  add(ops, "PathIntegralAttention", {t, t, t, t, t, n, n, f, f, f}, {t, t, t}, attention<T, Bias::Integral>, window);
}

}  // namespace
}  // namespace device

void addDevice(std::vector<std::unique_ptr<Op>>& ops) {
  using namespace device;
  addOf<float>(ops), addOf<Half>(ops), addOf<BFloat>(ops);
  add(ops, "ContextPhase", {f, f, f}, {d, f}, make<ContextPhase>);
  add(ops, "PathBias", {f, f, f}, {f, f, f}, make<PathBias>);
  add(ops, "RelativeBias", {f, f, f, f}, {f}, [](const Attributes&) -> std::unique_ptr<Kernel> { return std::make_unique<DistanceBias>(Name::relative_f32, "query_rate", "key_rate"); });
  add(ops, "LogBias", {f, f, f, f}, {f}, [](const Attributes&) -> std::unique_ptr<Kernel> { return std::make_unique<DistanceBias>(Name::log_f32, "r1", "r2"); });
  add(ops, "PowerBias", {f, f, f, f}, {f}, [](const Attributes&) -> std::unique_ptr<Kernel> { return std::make_unique<DistanceBias>(Name::power_f32, "r1", "r2"); });
  add(ops, "PathIntegralBias", {f, f, f, b}, {f}, make<PathIntegralBias>);
}

}  // namespace pecvt
