// The kernels that go over elements and rows: rotation, running sums, the biases of
// the distance, past and new rows joined.
#pragma once

#include "../src/half.h"
#include "args.h"
#include "device.h"

namespace pecvt {
namespace device {

// rotate turns a plane, or hands a coordinate beyond the planes through, at a time.
template <class T>
PECVT_DEVICE void rotate(const RotateArgs& a) {
  const T *cos = static_cast<const T*>(a.cos), *sin = static_cast<const T*>(a.sin);
  const int64_t works = a.planes + (a.size - 2 * a.planes);
  const int64_t first = a.interleaved ? 2 : 1, second = a.interleaved ? 1 : a.planes;
  for (int64_t e = block() * threads() + thread(); e < a.rows * works; e += blocks() * threads()) {
    const int64_t row = e / works, p = e % works;
    const T* x = static_cast<const T*>(a.x) + row * a.size;
    T* y = static_cast<T*>(a.y) + row * a.size;
    if (p >= a.planes) {
      y[p + a.planes] = x[p + a.planes];
      continue;
    }
    const int64_t table = (row / (a.heads * a.length) * a.length + row % a.length) * a.planes + p;
    const float c = widen(cos[table]), s = widen(sin[table]);
    const float u = widen(x[p * first]), v = widen(x[p * first + second]);
    narrow(u * c - v * s, y[p * first]);
    narrow(v * c + u * s, y[p * first + second]);
  }
}

// Totals of the warps of a block.
struct Totals {
  double of[kThreads / kWarp];
};

// sums adds a row's terms up in float64, a block a row: Phase the sigmoids of logits,
// before each token; otherwise gates, with each token's own, in two parts.
template <bool Phase>
PECVT_DEVICE void sums(const SumArgs& a) {
  PECVT_SHARED(Totals, totals);
  for (int64_t row = block(); row < a.rows; row += blocks()) {
    const float *terms = a.terms + row * a.length, *real = a.real + row / a.perBatch * a.length;
    double carry = double(a.past[2 * row]) + double(a.past[2 * row + 1]);
    for (int64_t from = 0; from < a.length; from += threads()) {
      const int64_t s = from + thread();
      double term = 0;
      if (s < a.length) term = Phase ? double(real[s]) / (1 + exp(-double(terms[s]))) : double(terms[s] * real[s]);
      double before = sumsBefore(term);
      if (lane() == kWarp - 1) totals.of[warp()] = before + term;
      sync();
      double whole = 0;
      for (int w = 0; w < kThreads / kWarp; w++) {
        if (w == warp()) before += whole;
        whole += totals.of[w];
      }
      sync();  // before totals are written again
      before += carry;
      carry += whole;
      if (s >= a.length) continue;
      if (Phase) {
        if (a.phase != nullptr) a.phase[row * a.length + s] = before;
        continue;
      }
      const double after = before + term, below = floor(after);
      if (a.whole != nullptr) a.whole[row * a.length + s] = float(below);
      if (a.fraction != nullptr) a.fraction[row * a.length + s] = float(after - below);
    }
    if (thread() == 0 && a.present != nullptr) {
      const float head = float(carry);
      a.present[2 * row] = head;
      a.present[2 * row + 1] = float(carry - double(head));
    }
  }
}

// What a place ahead of the query and the two numbers of a head make.
struct Relative {
  PECVT_DEVICE static float at(float ahead, float query, float key) { return ahead * (query + key); }
};
struct Log {
  PECVT_DEVICE static float at(float ahead, float r1, float r2) { return ahead < 0 ? -r1 * log1pf(-ahead * r2) : 0; }
};
struct Power {
  PECVT_DEVICE static float at(float ahead, float r1, float r2) { return ahead < 0 ? -r1 * powf(-ahead, r2) : 0; }
};

template <class Form>
PECVT_DEVICE void relative(const RelativeArgs& a) {
  const int64_t all = a.batch * a.heads * a.length * a.total;
  for (int64_t e = block() * threads() + thread(); e < all; e += blocks() * threads()) {
    const int64_t j = e % a.total, i = e / a.total % a.length, h = e / a.total / a.length % a.heads, n = e / a.total / a.length / a.heads;
    const float of = a.queryRate[n * a.queryBatch + h * a.queryHead + i * a.queryStep], by = a.keyRate[n * a.keyBatch + h * a.keyHead + j * a.keyStep];
    a.out[e] = Form::at(a.keyPlace[n * a.total + j] - a.queryPlace[n * a.length + i], of, by);
  }
}

template <class T>
PECVT_DEVICE void join(const JoinArgs& a) {
  const int64_t old = a.before * a.size, fresh = a.length * a.size, row = old + fresh;
  for (int64_t e = block() * threads() + thread(); e < a.heads * row; e += blocks() * threads()) {
    const int64_t h = e / row, i = e % row;
    static_cast<T*>(a.out)[e] = i < old ? static_cast<const T*>(a.past)[h * old + i] : static_cast<const T*>(a.now)[h * fresh + i - old];
  }
}

}  // namespace device
}  // namespace pecvt
