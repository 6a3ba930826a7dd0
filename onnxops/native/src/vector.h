// Vectors of floats as the compiler has them, in a namespace of the target's own.
#pragma once

#include <cstdint>
#include <cstring>
#include <utility>

#ifndef PECVT_TARGET
#error "PECVT_TARGET names the set of vector instructions"
#endif

#if defined(__AVX512F__)
#define PECVT_BYTES 64
#elif defined(__AVX__)
#define PECVT_BYTES 32
#else
#define PECVT_BYTES 16
#endif

namespace pecvt {
namespace PECVT_TARGET {

constexpr int kLanes = PECVT_BYTES / 4;
typedef float V __attribute__((vector_size(PECVT_BYTES)));
typedef int32_t I __attribute__((vector_size(PECVT_BYTES)));

static inline V load(const float* p) {
  V v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
static inline void store(float* p, V v) { std::memcpy(p, &v, sizeof v); }
static inline V all(float x) { return x - V{}; }
static inline V bits(I i) { return (V)i; }
// select is b where the mask is 0.
static inline V select(I mask, V a, V b) { return (V)((mask & (I)a) | (~mask & (I)b)); }
static inline V larger(V a, V b) { return select(a > b, a, b); }

// expOf is e^x for x <= 0, within two units of the last place: 0 below −87, where
// float32 has no normal number left. NaN stays.
static inline V expOf(V x) {
  const V shifted = x * 1.44269504088896341f + 12582912.0f;  // rounds to an integer
  const V n = shifted - 12582912.0f;
  const V r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  V p = all(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  typedef uint32_t U __attribute__((vector_size(PECVT_BYTES)));
  const U power = (U)shifted << 23;  // n in the exponent; the rest is shifted out
  const V y = (V)((U)p + power);
  return select(x < -87.0f, V{}, y);
}

// softplusOf is log(1 + e^x).
static inline V softplusOf(V x) {
  const V y = expOf(select(x > 0.0f, -x, x));
  const V s = y / (y + 2.0f), q = s * s;  // log(1 + y) = 2 artanh(s), s up to 1/3
  V p = all(2.0f / 15);
  p = p * q + 2.0f / 13;
  p = p * q + 2.0f / 11;
  p = p * q + 2.0f / 9;
  p = p * q + 2.0f / 7;
  p = p * q + 2.0f / 5;
  p = p * q + 2.0f / 3;
  p = p * q + 2.0f;
  return p * s + select(x > 0.0f, x, select(x == x, V{}, x));
}

static inline float sumOf(V v) {
  float s = 0;
  for (int l = 0; l < kLanes; l++) s += v[l];
  return s;
}

// dot is the inner product of n numbers.
static inline float dot(const float* a, const float* b, int64_t n) {
  V x{}, y{};
  int64_t i = 0;
  for (; i + 2 * kLanes <= n; i += 2 * kLanes) {
    x += load(a + i) * load(b + i);
    y += load(a + i + kLanes) * load(b + i + kLanes);
  }
  float s = sumOf(x + y);
  for (; i < n; i++) s += a[i] * b[i];
  return s;
}

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define PECVT_SHUFFLES
#endif
#endif

#ifdef PECVT_SHUFFLES
// picked is which number of a and b, one behind the other, lane i gets where groups of
// width numbers are halved: the halves from begin on, a's and b's in turn.
constexpr int picked(int i, int width, int begin) {
  const int group = i / (width / 2);
  return group % 2 * kLanes + group / 2 * width + begin + i % (width / 2);
}

template <int W, int... L>
static inline V halved(V a, V b, std::integer_sequence<int, L...>) {
  return __builtin_shufflevector(a, b, picked(L, W, 0)...) + __builtin_shufflevector(a, b, picked(L, W, W / 2)...);
}

// folded adds the halves of groups of W numbers, of which all vectors but N are whole.
template <int W, int N>
static inline void folded(V* x) {
  for (int r = 0; r < N / 2; r++) x[r] = halved<W>(x[r], x[r + N / 2], std::make_integer_sequence<int, kLanes>());
  if constexpr (N > 2) folded<W / 2, N / 2>(x);
}
#endif

// dots are the inner products of a with as many rows of b as a vector has lanes.
static inline V dots(const float* a, const float* b, int64_t row, int64_t n) {
  V x[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const V v = load(a + i);
    for (int r = 0; r < kLanes; r++) x[r] += v * load(b + r * row + i);
  }
#ifdef PECVT_SHUFFLES
  folded<kLanes, kLanes>(x);
  V s = x[0];
#else
  V s;
  for (int r = 0; r < kLanes; r++) s[r] = sumOf(x[r]);
#endif
  for (; i < n; i++)
    for (int r = 0; r < kLanes; r++) s[r] += a[i] * b[r * row + i];
  return s;
}

// mixed writes the sum of rows of b, each times its number of p, N vectors wide.
template <int N>
static inline void mixed(const float* p, const float* b, int64_t row, int64_t rows, float* to) {
  constexpr int kRows = 8 / N;  // so many sums that none waits for the one before it
  V x[kRows * N] = {};
  int64_t j = 0;
  for (; j + kRows <= rows; j += kRows)
    for (int r = 0; r < kRows; r++)
      for (int k = 0; k < N; k++) x[r * N + k] += p[j + r] * load(b + (j + r) * row + k * kLanes);
  for (; j < rows; j++)
    for (int k = 0; k < N; k++) x[k] += p[j] * load(b + j * row + k * kLanes);
  for (int r = 1; r < kRows; r++)
    for (int k = 0; k < N; k++) x[k] += x[r * N + k];
  for (int k = 0; k < N; k++) store(to + k * kLanes, x[k]);
}

// tile adds R rows of a product: c[r][n] += Σ_k a(r, k)·b[k][n] over two vectors of
// n, where a(r, k) = a[r·row + k·step].
template <int R>
static inline void tile(const float* a, int64_t row, int64_t step, const float* b, float* c, int64_t depth) {
  V x[R], y[R];
  for (int r = 0; r < R; r++) x[r] = load(c + r * 64), y[r] = load(c + r * 64 + kLanes);
  for (int64_t k = 0; k < depth; k++) {
    const V b0 = load(b + k * 64), b1 = load(b + k * 64 + kLanes);
    for (int r = 0; r < R; r++) {
      const float s = a[r * row + k * step];
      x[r] += s * b0;
      y[r] += s * b1;
    }
  }
  for (int r = 0; r < R; r++) store(c + r * 64, x[r]), store(c + r * 64 + kLanes, y[r]);
}

// product adds a·b to c, (rows, 64), of which the first columns are wanted.
static inline void product(const float* a, int64_t row, int64_t step, int64_t rows, const float* b, float* c, int64_t depth, int64_t columns) {
  for (int64_t n = 0; n < columns; n += 2 * kLanes) {
    int64_t r = 0;
    for (; r + 6 <= rows; r += 6) tile<6>(a + r * row, row, step, b + n, c + r * 64 + n, depth);
    const float* rest = a + r * row;
    float* to = c + r * 64 + n;
    switch (rows - r) {
      case 5: tile<5>(rest, row, step, b + n, to, depth); break;
      case 4: tile<4>(rest, row, step, b + n, to, depth); break;
      case 3: tile<3>(rest, row, step, b + n, to, depth); break;
      case 2: tile<2>(rest, row, step, b + n, to, depth); break;
      case 1: tile<1>(rest, row, step, b + n, to, depth); break;
    }
  }
}

}  // namespace PECVT_TARGET
}  // namespace pecvt
