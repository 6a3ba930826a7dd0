// What each operator's inputs must look like, for the kernels of every provider.
// Nothing is read of a tensor's data but window's, which lies in the processor's
// memory everywhere.
#pragma once

#include "api.h"
#include "bias.h"

namespace pecvt {

// RotationInputs: X (batch, heads, length, size), cos and sin (batch, length, planes).
struct RotationInputs {
  Tensor x, cos, sin;
  int64_t batch, heads, length, size, planes;
  RotationInputs(const Call& call, int64_t dim);
};

// RunningInputs: terms (batch, rows, length), real (batch, 1, length), past (batch, rows, 2).
struct RunningInputs {
  Tensor terms, real, past;
  int64_t batch, rows, length;
  RunningInputs(const Call& call, const char* name);
};

// Rates: a rate of a query and one of a key for each head; steps of 0 read one number
// for all.
struct Rates {
  int64_t queryBatch, queryHead, query, keyBatch, keyHead, key;
};

// RelativeInputs: positions (batch, length), (batch, total) and rates.
struct RelativeInputs {
  Tensor queryPlace, keyPlace, queryRate, keyRate;
  int64_t batch, heads, length, total;
  Rates steps;
  RelativeInputs(const Call& call, const char* of, const char* by);  // the rates' names
};

// IntegralInputs: path vectors of queries and keys, β (1, heads, 1, 1), and what is visible.
struct IntegralInputs {
  Tensor query, key, beta, visible;
  int64_t batch, heads, length, total, size;
  explicit IntegralInputs(const Call& call);
};

// AttentionInputs: attention with a past, and the four (three) inputs of its bias:
// positions and rates, or sums in two parts, or path vectors and β.
struct AttentionInputs {
  Tensor query, key, value, pastKey, pastValue, real;
  Tensor a, b, c, d;
  int64_t batch, heads, groups, length, past, total, size, vsize, pathSize = 0, window;
  Rates steps{};
  AttentionInputs(const Call& call, Bias bias);
};

// scaleOf is the attribute scale, which must be positive.
float scaleOf(const Attributes& a);

}  // namespace pecvt
