// Attention with a bias inside, in blocks of keys with a running softmax, newest keys
// first (as a path integral grows). A lane stands for a key of a tile while scores
// are made, and for coordinates of the values while they are added up.
#pragma once

#include <cfloat>

#include "../src/half.h"
#include "args.h"
#include "device.h"

namespace pecvt {
namespace device {

// softplus is log(1 + e^x).
PECVT_DEVICE float softplus(float x) { return fmaxf(x, 0.0f) + log1pf(expf(-fabsf(x))); }

// Product has a block's piece of queries and keys: coordinates × queries, keys ×
// coordinates, padded so that lanes meet different banks.
constexpr int kPiece = 32, kQueryRow = kTile + 4, kKeyRow = kPiece + 1;
struct alignas(16) Product {
  float query[kPiece * kQueryRow], key[kWarp * kKeyRow];
};

// Joined is where row j of past and new rows lies.
template <class T>
struct Joined {
  const T *past, *now;
  int64_t before, size;
  PECVT_DEVICE const T* row(int64_t j) const { return j < before ? past + j * size : now + (j - before) * size; }
};

// products puts q·k of the warp's queries (first, …) and the lane's key of the tile
// at begin into s: 0 beyond the last query or key.
template <class T>
PECVT_DEVICE void products(Product& m, const T* query, int64_t first, int64_t queries, const Joined<T>& keys, int64_t begin, int64_t end, int64_t size, float* s) {
  PECVT_UNROLL
  for (int r = 0; r < kRows; r++) s[r] = 0;
  for (int64_t at = 0; at < size; at += kPiece) {
    sync();  // the piece before is used up
    for (int e = thread(); e < kTile * kPiece; e += threads()) {
      const int64_t i = e / kPiece, d = e % kPiece;
      m.query[d * kQueryRow + i] = at + d < size && first + i < queries ? widen(query[(first + i) * size + at + d]) : 0.0f;
    }
    for (int e = thread(); e < kWarp * kPiece; e += threads()) {
      const int64_t j = e / kPiece, d = e % kPiece;
      m.key[j * kKeyRow + d] = at + d < size && begin + j < end ? widen(keys.row(begin + j)[at + d]) : 0.0f;
    }
    sync();
    for (int d = 0; d < kPiece; d++) {
      const float k = m.key[lane() * kKeyRow + d];
      const float* q = m.query + d * kQueryRow + warp() * kRows;
      PECVT_UNROLL
      for (int r = 0; r < kRows; r++) s[r] += q[r] * k;
    }
  }
}

// Scored is what of a head's bias a score needs.
struct Scored {
  const AttendArgs& a;
  int64_t row, n, h;
  const int64_t* real;

  PECVT_DEVICE Scored(const AttendArgs& args, int64_t head)
      : a(args), row(head), n(head / args.heads), h(head % args.heads), real(args.real + n * (args.past + args.length)) {}

  // bias is that of query i and key j, but for the path integral's.
  PECVT_DEVICE float bias(int64_t i, int64_t j) const {
    const int64_t total = a.past + a.length;
    if (a.bias == Bias::Relative) {
      const float rate = a.c[n * a.queryBatch + h * a.queryHead + i * a.queryStep] + a.d[n * a.keyBatch + h * a.keyHead + j * a.keyStep];
      return (a.b[n * total + j] - a.a[n * a.length + i]) * rate;
    }
    return (a.a[row * a.length + i] - a.c[row * total + j]) + (a.b[row * a.length + i] - a.d[row * total + j]);
  }
  // gate is −β·softplus of the product z of path vectors, 0 where the key does not count.
  PECVT_DEVICE float gate(int64_t i, int64_t j, float z) const {
    if (j > a.past + i || real[j] == 0) return 0;
    return -a.c[h] * softplus(-z / float(a.pathSize));
  }
  PECVT_DEVICE bool seen(int64_t i, int64_t j) const {
    const int64_t self = a.past + i;
    return j == self || (j < self && real[j] != 0 && (a.window == 0 || self - j < a.window));
  }
};

// Shares of a tile's keys in each query of a warp.
struct alignas(16) Shares {
  float of[kWarps][kWarp * kRows];
};

// attend is attention of a tile of queries of one head, C·32 coordinates of the values
// from the block's slice on.
template <class T, int C>
PECVT_DEVICE void attend(const AttendArgs& a) {
  PECVT_SHARED(Product, m);
  PECVT_SHARED(Shares, shares);
  const int64_t head = block() / a.tiles, tile = a.tiles - 1 - block() % a.tiles;  // the longest first
  const Scored score(a, head);
  const int64_t group = score.n * a.groups + score.h / (a.heads / a.groups), total = a.past + a.length;
  const Joined<T> keys{static_cast<const T*>(a.pastKey) + group * a.past * a.size, static_cast<const T*>(a.key) + group * a.length * a.size, a.past, a.size};
  const Joined<T> values{static_cast<const T*>(a.pastValue) + group * a.past * a.vsize, static_cast<const T*>(a.value) + group * a.length * a.vsize, a.past, a.vsize};
  const T* query = static_cast<const T*>(a.query) + head * a.length * a.size;
  const int64_t from0 = tile * kTile, to = from0 + kTile < a.length ? from0 + kTile : a.length, mine = from0 + warp() * kRows;
  const int64_t column = slice() * C * kWarp + lane();
  float* share = shares.of[warp()];
  float out[C][kRows], most[kRows], sum[kRows], carry[kRows];
  PECVT_UNROLL
  for (int r = 0; r < kRows; r++) {
    most[r] = -FLT_MAX, sum[r] = 0, carry[r] = 0;
    PECVT_UNROLL
    for (int c = 0; c < C; c++) out[c][r] = 0;
  }
  for (int64_t end = a.past + to; end > 0;) {
    const int64_t begin = end > kWarp ? end - kWarp : 0, j = begin + lane();
    if (a.window > 0 && end <= a.past + from0 - a.window + 1) break;  // no query sees it, nor an older one
    float s[kRows], z[kRows];
    products(m, query, from0, a.length, keys, begin, end, a.size, s);
    if (a.bias == Bias::Integral) {
      const float *path = a.a + head * a.length * a.pathSize, *past = a.b + head * total * a.pathSize;
      products(m, path, from0, a.length, Joined<float>{past, past, total, a.pathSize}, begin, end, a.pathSize, z);
    }
    PECVT_UNROLL
    for (int r = 0; r < kRows; r++) {
      const int64_t i = mine + r < a.length ? mine + r : a.length - 1;
      float x = -FLT_MAX, bias = 0;
      if (a.bias == Bias::Integral) {
        const float gate = j < end ? score.gate(i, j, z[r]) : 0.0f;
        bias = carry[r] + sumsAfter(gate);
        carry[r] += sumOfWarp(gate);
      } else if (j < end) {
        bias = score.bias(i, j);
      }
      if (j < end && score.seen(i, j)) x = s[r] * a.scale + bias;
      const float top = fmaxf(most[r], mostOfWarp(x)), shrink = expf(most[r] - top), p = j < end ? expf(x - top) : 0.0f;
      most[r] = top;
      sum[r] = sum[r] * shrink + sumOfWarp(p);
      PECVT_UNROLL
      for (int c = 0; c < C; c++) out[c][r] *= shrink;
      share[lane() * kRows + r] = p;
    }
    syncWarp();
    for (int64_t k = begin; k < end; k++) {
      const T* value = values.row(k);
      const float* p = share + (k - begin) * kRows;
      PECVT_UNROLL
      for (int c = 0; c < C; c++) {
        if (column + c * kWarp >= a.vsize) continue;
        const float v = widen(value[column + c * kWarp]);
        PECVT_UNROLL
        for (int r = 0; r < kRows; r++) out[c][r] += p[r] * v;
      }
    }
    syncWarp();  // before the shares are written again
    end = begin;
  }
  PECVT_UNROLL
  for (int r = 0; r < kRows; r++) {
    if (mine + r >= a.length) continue;
    T* to0 = static_cast<T*>(a.out) + (head * a.length + mine + r) * a.vsize;
    PECVT_UNROLL
    for (int c = 0; c < C; c++)
      if (column + c * kWarp < a.vsize) narrow(out[c][r] / sum[r], to0[column + c * kWarp]);
  }
}

// dotOfWarp is the inner product of size numbers, in every lane.
template <class T>
PECVT_DEVICE float dotOfWarp(const T* a, const T* b, int64_t size) {
  float s = 0;
  for (int64_t d = lane(); d < size; d += kWarp) s += widen(a[d]) * widen(b[d]);
  return sumOfWarp(s);
}

// Parts is what the warps of one query have, to be put together.
template <int C>
struct Parts {
  float gates[kDecodeWarps], most[kDecodeWarps], sum[kDecodeWarps], out[kDecodeWarps][C * kWarp];
};

// decode is attention of one query, a block a query: each warp takes every eighth tile
// of keys and has a softmax of its own.
template <class T, int C>
PECVT_DEVICE void decode(const AttendArgs& a) {
  PECVT_SHARED(Parts<C>, parts);
  const int64_t head = block() / a.length, i = block() % a.length, self = a.past + i, total = a.past + a.length;
  const Scored score(a, head);
  const int64_t group = score.n * a.groups + score.h / (a.heads / a.groups);
  const Joined<T> keys{static_cast<const T*>(a.pastKey) + group * a.past * a.size, static_cast<const T*>(a.key) + group * a.length * a.size, a.past, a.size};
  const Joined<T> values{static_cast<const T*>(a.pastValue) + group * a.past * a.vsize, static_cast<const T*>(a.value) + group * a.length * a.vsize, a.past, a.vsize};
  const T* query = static_cast<const T*>(a.query) + (head * a.length + i) * a.size;
  const int64_t oldest = a.window > 0 && self >= a.window ? self - a.window + 1 : 0, column = slice() * C * kWarp + lane();
  float out[C], most = -FLT_MAX, sum = 0, carry = 0;
  PECVT_UNROLL
  for (int c = 0; c < C; c++) out[c] = 0;
  for (int64_t newest = self + 1; newest > oldest; newest -= kDecodeWarps * kWarp) {
    const int64_t end = newest - warp() * kWarp, begin = end - kWarp > oldest ? end - kWarp : oldest, j = begin + lane();
    float x = 0, bias = 0, gate = 0;  // of the lane's key
    for (int64_t k = begin; k < end; k++) {
      const float s = dotOfWarp(query, keys.row(k), a.size);
      if (k == j) x = s * a.scale;
    }
    if (a.bias == Bias::Integral) {
      const float *path = a.a + (head * a.length + i) * a.pathSize, *past = a.b + head * total * a.pathSize;
      for (int64_t k = begin; k < end; k++) {
        const float z = dotOfWarp(path, past + k * a.pathSize, a.pathSize);
        if (k == j) gate = score.gate(i, j, z);
      }
      const float whole = sumOfWarp(gate), after = sumsAfter(gate);
      if (lane() == 0) parts.gates[warp()] = whole;
      sync();
      bias = carry + after;
      for (int w = 0; w < kDecodeWarps; w++) {
        if (w < warp()) bias += parts.gates[w];  // newer keys
        carry += parts.gates[w];
      }
      sync();  // before the gates are written again
    } else if (j < end) {
      bias = score.bias(i, j);
    }
    x = j < end && score.seen(i, j) ? x + bias : -FLT_MAX;
    const float top = fmaxf(most, mostOfWarp(x)), shrink = expf(most - top), p = j < end ? expf(x - top) : 0.0f;
    most = top;
    sum = sum * shrink + sumOfWarp(p);
    PECVT_UNROLL
    for (int c = 0; c < C; c++) out[c] *= shrink;
    for (int64_t k = begin; k < end; k++) {
      const T* value = values.row(k);
      const float share = from(p, int(k - begin));
      PECVT_UNROLL
      for (int c = 0; c < C; c++)
        if (column + c * kWarp < a.vsize) out[c] += share * widen(value[column + c * kWarp]);
    }
  }
  PECVT_UNROLL
  for (int c = 0; c < C; c++) parts.out[warp()][c * kWarp + lane()] = out[c];
  if (lane() == 0) parts.most[warp()] = most, parts.sum[warp()] = sum;
  sync();
  float top = -FLT_MAX, whole = 0;
  for (int w = 0; w < kDecodeWarps; w++) top = fmaxf(top, parts.most[w]);
  for (int w = 0; w < kDecodeWarps; w++) whole += parts.sum[w] * expf(parts.most[w] - top);
  T* to = static_cast<T*>(a.out) + (head * a.length + i) * a.vsize + slice() * C * kWarp;
  for (int d = thread(); d < C * kWarp && slice() * C * kWarp + d < a.vsize; d += threads()) {
    float y = 0;
    for (int w = 0; w < kDecodeWarps; w++) y += parts.out[w][d] * expf(parts.most[w] - top);
    narrow(y / whole, to[d]);
  }
}

// integral is PathIntegralBias: the sums of gates of the keys after each key.
PECVT_DEVICE void integral(const IntegralArgs& a) {
  PECVT_SHARED(Product, m);
  const int64_t head = block() / a.tiles, first = block() % a.tiles * kTile, mine = first + warp() * kRows;
  const float *query = a.query + head * a.length * a.size, *key = a.key + head * a.total * a.size;
  const bool* visible = a.visible + head / a.heads * a.length * a.total;
  const float beta = a.beta[head % a.heads];
  float carry[kRows], z[kRows];
  PECVT_UNROLL
  for (int r = 0; r < kRows; r++) carry[r] = 0;
  for (int64_t end = a.total; end > 0;) {
    const int64_t begin = end > kWarp ? end - kWarp : 0, j = begin + lane();
    products(m, query, first, a.length, Joined<float>{key, key, a.total, a.size}, begin, end, a.size, z);
    PECVT_UNROLL
    for (int r = 0; r < kRows; r++) {
      const int64_t i = mine + r;
      const bool counts = i < a.length && j < end && visible[i * a.total + j];
      const float gate = counts ? -beta * softplus(-z[r] / float(a.size)) : 0.0f;
      const float bias = carry[r] + sumsAfter(gate);
      if (i < a.length && j < end) a.out[(head * a.length + i) * a.total + j] = bias;
      carry[r] += sumOfWarp(gate);
    }
    end = begin;
  }
}

}  // namespace device
}  // namespace pecvt
