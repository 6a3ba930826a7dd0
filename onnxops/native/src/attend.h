// The blocks of attention that are compiled once for each set of vector instructions.
#pragma once

#include <cstdint>

#include "bias.h"

namespace pecvt {

// Head is one head of one row of the batch. Times of keys are their places in the
// cache: query i stands at past + i.
struct Head {
  int64_t past, length, total;  // keys before, queries, keys
  int64_t size, vsize;          // of queries and keys, of values
  const float *query, *key, *value;
  const int64_t* real;  // (total): 0 for padding
  float scale;
  int64_t window;  // 0: none
  Bias bias;
  // Relative: positions and rates; a step of 0 reads one number for all.
  const float *queryPlace, *keyPlace, *queryRate, *keyRate;
  int64_t queryStep, keyStep;
  // Path: sums in two parts.
  const float *queryWhole, *queryPart, *keyWhole, *keyPart;
  // Integral: path vectors and β.
  const float *pathQuery, *pathKey;
  int64_t pathSize;
  float beta;
  float* out;  // (length, vsize)

  // first is the oldest key that query i sees.
  int64_t first(int64_t i) const { return window > 0 && past + i >= window ? past + i - window + 1 : 0; }
};

// Part is what a query's attention to a run of its keys comes to: the softmax's largest
// score, its sum beside that one and the values' sum, which only all parts together
// make numbers of, and the sum of a path integral's gates, which older parts lack.
struct Part {
  float *most, *sum, *carry;
  float* out;  // (vsize)
};

constexpr int64_t kQueries = 64;  // of a block: a multiple of two vectors of any set
constexpr int64_t kKeys = 96;     // a multiple of the six rows of a product

// scratchSize is how many floats attend needs.
inline int64_t scratchSize(const Head& h) { return kQueries * (h.size + h.vsize + h.pathSize + 2 * kKeys + 4) + 2 * h.total + 256; }

// partSize is how many floats a part of so many keys needs.
inline int64_t partSize(int64_t keys) { return 2 * keys + 64; }

// Paths is GRAPE-AP's bias for queries of one block, (length, total) rows of out.
struct Paths {
  int64_t length, total, size;
  const float *query, *key;
  const bool* visible;  // (length, total)
  float beta;
  float* out;
};

inline int64_t scratchSize(const Paths& p) { return kQueries * (p.size + 2 * kKeys + 4) + 64; }

// Targets of the compiler: each has the same functions.
struct Functions {
  // attend computes queries [from, to) of a head, at most kQueries.
  void (*attend)(const Head& head, int64_t from, int64_t to, float* scratch);
  // part computes keys [begin, end) of query i, of those that it sees.
  void (*part)(const Head& head, int64_t i, int64_t begin, int64_t end, float* scratch, const Part& to);
  // integrate computes rows [from, to), at most kQueries.
  void (*integrate)(const Paths& paths, int64_t from, int64_t to, float* scratch);
  int64_t few;  // queries of a call are computed one by one: key by key
};

// functions are those of the best set that this processor has.
const Functions& functions();

}  // namespace pecvt
