// What the kernels of a device are given: plain numbers and addresses, copied whole.
#pragma once

#include <cstdint>

#include "../src/bias.h"

namespace pecvt {
namespace device {

// Rotation: X and Y (batch, heads, length, size), tables (batch, length, planes).
struct RotateArgs {
  const void *x, *cos, *sin;
  void* y;
  int64_t rows, heads, length, size, planes;  // rows: batch · heads · length
  bool interleaved;
};

// ContextPhase and PathBias: terms (rows, length), real (rows / perBatch, length),
// past and present (rows, 2); outputs that nobody reads are null.
struct SumArgs {
  const float *terms, *real, *past;
  float* present;
  double* phase;
  float *whole, *fraction;
  int64_t rows, perBatch, length;
};

// RelativeBias, and LogBias and PowerBias, whose rates are r1 and r2: out (batch, heads, length, total).
struct RelativeArgs {
  const float *queryPlace, *keyPlace, *queryRate, *keyRate;
  float* out;
  int64_t batch, heads, length, total;
  int64_t queryBatch, queryHead, queryStep, keyBatch, keyHead, keyStep;
};

// PathIntegralBias: out (batch, heads, length, total).
struct IntegralArgs {
  const float *query, *key, *beta;
  const bool* visible;  // (batch, 1, length, total)
  float* out;
  int64_t heads, length, total, size, tiles;  // tiles: of queries in a row
};

// Past and new rows behind one another: (heads, past + length, size).
struct JoinArgs {
  const void *past, *now;
  void* out;
  int64_t heads, before, length, size;
};

// Attention. a to d are the bias's inputs as the operators name them.
struct AttendArgs {
  const void *query, *key, *value, *pastKey, *pastValue;
  void* out;
  const int64_t* real;
  const float *a, *b, *c, *d;
  int64_t heads, groups, length, past, size, vsize, pathSize, window, tiles;
  int64_t queryBatch, queryHead, queryStep, keyBatch, keyHead, keyStep;
  float scale;
  Bias bias;
};

constexpr int kWarp = 32;
constexpr int kRows = 8;           // queries of a warp
constexpr int kWarps = 4;          // of a block of attention
constexpr int kTile = kRows * kWarps;  // queries of a block
constexpr int kDecodeWarps = 8;    // of a block of one query
constexpr int kThreads = 256;      // of the kernels that go over elements
constexpr int64_t kDecodeLength = 8;  // from so many queries on, blocks of queries pay

}  // namespace device
}  // namespace pecvt
