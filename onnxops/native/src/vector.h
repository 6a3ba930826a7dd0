// Vectors of floats as the compiler has them, in a namespace of the target's own.
#pragma once

#include <cstdint>
#include <cstring>

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
