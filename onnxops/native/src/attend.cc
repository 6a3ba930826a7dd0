// Attention in blocks with an online softmax. Scores of a block stand as (keys,
// queries): whatever is done along the keys is then done in whole vectors of
// queries, and keys and values are read where they lie. Blocks of keys are taken
// from the newest to the oldest, as a path integral grows.
#include "attend.h"

#include <cfloat>

#include "vector.h"

namespace pecvt {
namespace PECVT_TARGET {
namespace {

static_assert(kQueries == 64 && kQueries % (2 * kLanes) == 0, "the width of vector.h's products");

// turned puts rows of (n, size) as columns of (size, 64), times a factor.
void turned(const float* rows, int64_t n, int64_t size, float factor, float* to) {
  for (int64_t d = 0; d < size; d++)
    for (int64_t i = 0; i < kQueries; i++) to[d * kQueries + i] = i < n ? rows[i * size + d] * factor : 0;
}

// gates makes −β·softplus(−z) of products −z, and sums them from the last row up:
// each row gets the sum of those after it, and carry what comes before the first.
// seen(j, n) is the mask of keys that count.
template <class Seen>
inline void summed(float* z, int64_t keys, int64_t columns, float beta, float* carry, Seen seen) {
  for (int64_t n = 0; n < columns; n += kLanes) {
    V sum = load(carry + n);
    for (int64_t j = keys - 1; j >= 0; j--) {
      float* at = z + j * kQueries + n;
      const V gate = softplusOf(load(at)) * -beta;
      store(at, sum);
      sum += select(seen(j, n), gate, V{});
    }
    store(carry + n, sum);
  }
}

I lanes() {
  I i;
  for (int l = 0; l < kLanes; l++) i[l] = l;
  return i;
}

// products are the scores of a query, or what stands for them, with a run of keys.
void products(const float* query, const float* keys, int64_t size, int64_t n, float factor, float* to) {
  int64_t j = 0;
  for (; j + kLanes <= n; j += kLanes) store(to + j, dots(query, keys + j * size, size, size) * factor);
  for (; j < n; j++) to[j] = factor * dot(query, keys + j * size, size);
}

// part is a query's attention to keys [begin, end) alone, where blocks of queries would
// be empty. A path integral's scores lack what lies after end.
void part(const Head& h, int64_t i, int64_t begin, int64_t end, float* scratch, const Part& to) {
  const int64_t self = h.past + i, keys = end - begin, padded = (keys + kLanes - 1) / kLanes * kLanes;
  float *score = scratch, *gate = scratch + padded, carry = 0;
  products(h.query + i * h.size, h.key + begin * h.size, h.size, keys, h.scale, score);
  for (int64_t j = keys; j < padded; j++) score[j] = -FLT_MAX;
  switch (h.bias) {
    case Bias::Relative: {
      const float place = h.queryPlace[i], rate = h.queryRate[i * h.queryStep];
      const float *places = h.keyPlace + begin, *rates = h.keyRate + begin * h.keyStep;
      if (h.keyStep == 0)
        for (int64_t j = 0; j < keys; j++) score[j] += (places[j] - place) * (rate + rates[0]);
      else
        for (int64_t j = 0; j < keys; j++) score[j] += (places[j] - place) * (rate + rates[j * h.keyStep]);
      break;
    }
    case Bias::Path: {
      const float whole = h.queryWhole[i], fraction = h.queryPart[i];
      for (int64_t j = 0; j < keys; j++) score[j] += (whole - h.keyWhole[begin + j]) + (fraction - h.keyPart[begin + j]);
      break;
    }
    case Bias::Integral: {
      products(h.pathQuery + i * h.pathSize, h.pathKey + begin * h.pathSize, h.pathSize, keys, -1.0f / float(h.pathSize), gate);
      for (int64_t j = keys; j < padded; j++) gate[j] = 0;
      for (int64_t j = 0; j < padded; j += kLanes) store(gate + j, softplusOf(load(gate + j)) * -h.beta);
      for (int64_t j = keys - 1; j >= 0; j--) {
        score[j] += carry;
        if (h.real[begin + j] != 0) carry += gate[j];
      }
      break;
    }
  }
  const int64_t others = end > self ? keys - 1 : keys;  // a query sees itself
  for (int64_t j = 0; j < others; j++) score[j] = h.real[begin + j] != 0 ? score[j] : -FLT_MAX;
  V most = all(-FLT_MAX), total{};
  for (int64_t j = 0; j < padded; j += kLanes) most = larger(load(score + j), most);
  float top = most[0];
  for (int l = 1; l < kLanes; l++) top = most[l] > top || most[l] != most[l] ? most[l] : top;
  for (int64_t j = 0; j < padded; j += kLanes) {
    const V p = expOf(load(score + j) - top);
    store(score + j, p);
    total += p;
  }
  *to.most = top, *to.sum = sumOf(total), *to.carry = carry;
  const float* value = h.value + begin * h.vsize;
  int64_t d = 0;
  for (; d + 8 * kLanes <= h.vsize; d += 8 * kLanes) mixed<8>(score, value + d, h.vsize, keys, to.out + d);
  for (; d + 4 * kLanes <= h.vsize; d += 4 * kLanes) mixed<4>(score, value + d, h.vsize, keys, to.out + d);
  for (; d + kLanes <= h.vsize; d += kLanes) mixed<1>(score, value + d, h.vsize, keys, to.out + d);
  for (; d < h.vsize; d++) {
    float sum = 0;
    for (int64_t j = 0; j < keys; j++) sum += score[j] * value[j * h.vsize + d];
    to.out[d] = sum;
  }
}

// few is how many queries are computed one by one.
constexpr int64_t few = kLanes / 2;

void attend(const Head& h, int64_t from, int64_t to, float* scratch) {
  if (to - from < few) {
    float one[3];
    for (int64_t i = from; i < to; i++) {
      const Part whole{one, one + 1, one + 2, h.out + i * h.vsize};
      part(h, i, h.first(i), h.past + i + 1, scratch, whole);
      for (int64_t d = 0; d < h.vsize; d++) whole.out[d] /= *whole.sum;
    }
    return;
  }
  const int64_t queries = to - from, columns = (queries + 2 * kLanes - 1) / (2 * kLanes) * (2 * kLanes);
  float* query = scratch;
  float* out = query + kQueries * h.size;
  float* path = out + kQueries * h.vsize;
  float* scores = path + kQueries * h.pathSize;
  float* gate = scores + kQueries * kKeys;
  float* most = gate + kQueries * kKeys;
  float* sum = most + kQueries;
  float* carry = sum + kQueries;
  float* shrink = carry + kQueries;
  turned(h.query + from * h.size, queries, h.size, h.scale, query);
  if (h.bias == Bias::Integral) turned(h.pathQuery + from * h.pathSize, queries, h.pathSize, -1.0f / float(h.pathSize), path);
  std::memset(out, 0, size_t(kQueries * h.vsize) * sizeof(float));
  for (int64_t i = 0; i < kQueries; i++) most[i] = -FLT_MAX, sum[i] = 0, carry[i] = 0;
  float place[kQueries], rate[kQueries];  // what a bias reads of the queries
  for (int64_t i = 0; i < kQueries; i++) {
    const int64_t q = from + (i < queries ? i : 0);
    if (h.bias == Bias::Relative) place[i] = h.queryPlace[q], rate[i] = h.queryRate[q * h.queryStep];
    if (h.bias == Bias::Path) place[i] = h.queryWhole[q], rate[i] = h.queryPart[q];
  }
  const I lane = lanes();
  const int64_t first = h.past + from, last = h.past + to - 1;  // of the queries
  for (int64_t end = last + 1; end > 0;) {
    const int64_t begin = end > kKeys ? end - kKeys : 0, keys = end - begin;
    const bool integral = h.bias == Bias::Integral;
    const bool outside = h.window > 0 && end <= first - h.window + 1;  // no query of the block sees one
    if (outside) break;                                                // nor any that is older
    std::memset(scores, 0, size_t(keys * kQueries) * sizeof(float));
    product(h.key + begin * h.size, h.size, 1, keys, query, scores, h.size, columns);
    bool plain = end - 1 <= first && (h.window == 0 || last - begin < h.window);
    for (int64_t j = begin; j < end && plain; j++) plain = h.real[j] != 0;
    if (integral) {
      std::memset(gate, 0, size_t(keys * kQueries) * sizeof(float));
      product(h.pathKey + begin * h.pathSize, h.pathSize, 1, keys, path, gate, h.pathSize, columns);
      summed(gate, keys, columns, h.beta, carry, [&](int64_t j, int64_t n) {
        const int32_t ahead = int32_t(begin + j - first - n);  // query l sees the key where l >= ahead
        return (lane >= ahead) & (h.real[begin + j] != 0 ? -1 : 0);
      });
    }
    for (int64_t n = 0; n < columns; n += kLanes) {
      const V queryPlace = load(place + n), queryRate = load(rate + n);
      V top = load(most + n);
      for (int64_t j = 0; j < keys; j++) {
        float* at = scores + j * kQueries + n;
        V s = load(at);
        switch (h.bias) {
          case Bias::Relative:
            s += (h.keyPlace[begin + j] - queryPlace) * (queryRate + h.keyRate[(begin + j) * h.keyStep]);
            break;
          case Bias::Path:
            s += (queryPlace - h.keyWhole[begin + j]) + (queryRate - h.keyPart[begin + j]);
            break;
          case Bias::Integral:
            s += load(gate + j * kQueries + n);
            break;
        }
        if (!plain) {
          const int64_t distance = begin + j - first - n;  // lane l stands at the key where l == distance
          const int32_t ahead = int32_t(distance);
          I seen = (lane >= ahead) & (h.real[begin + j] != 0 ? -1 : 0);
          if (h.window > 0) {
            const int64_t edge = distance + h.window;  // lane l sees it where l < edge
            seen &= lane < int32_t(edge > INT32_MAX ? INT32_MAX : edge < INT32_MIN ? INT32_MIN : edge);
          }
          seen |= lane == ahead;
          s = select(seen, s, all(-FLT_MAX));
        }
        store(at, s);
        top = larger(s, top);
      }
      const V before = load(most + n), factor = expOf(before - top);
      V total = load(sum + n) * factor;
      for (int64_t j = 0; j < keys; j++) {
        float* at = scores + j * kQueries + n;
        const V p = expOf(load(at) - top);
        store(at, p);
        total += p;
      }
      store(most + n, top);
      store(sum + n, total);
      store(shrink + n, factor);
    }
    if (end <= last)  // not the first block
      for (int64_t d = 0; d < h.vsize; d++)
        for (int64_t n = 0; n < columns; n += kLanes) store(out + d * kQueries + n, load(out + d * kQueries + n) * load(shrink + n));
    product(h.value + begin * h.vsize, 1, h.vsize, h.vsize, scores, out, keys, columns);
    end = begin;
  }
  for (int64_t i = 0; i < queries; i++)
    for (int64_t d = 0; d < h.vsize; d++) h.out[(from + i) * h.vsize + d] = out[d * kQueries + i] / sum[i];
}

void integrate(const Paths& p, int64_t from, int64_t to, float* scratch) {
  const int64_t queries = to - from, columns = (queries + 2 * kLanes - 1) / (2 * kLanes) * (2 * kLanes);
  float* path = scratch;
  float* gate = path + kQueries * p.size;
  float* carry = gate + 2 * kQueries * kKeys;
  turned(p.query + from * p.size, queries, p.size, -1.0f / float(p.size), path);
  std::memset(carry, 0, kQueries * sizeof(float));
  for (int64_t end = p.total; end > 0;) {
    const int64_t begin = end > kKeys ? end - kKeys : 0, keys = end - begin;
    std::memset(gate, 0, size_t(keys * kQueries) * sizeof(float));
    product(p.key + begin * p.size, p.size, 1, keys, path, gate, p.size, columns);
    summed(gate, keys, columns, p.beta, carry, [&](int64_t j, int64_t n) {
      I seen{};
      for (int l = 0; l < kLanes && n + l < queries; l++) seen[l] = p.visible[(from + n + l) * p.total + begin + j] ? -1 : 0;
      return seen;
    });
    for (int64_t i = 0; i < queries; i++)
      for (int64_t j = 0; j < keys; j++) p.out[(from + i) * p.total + begin + j] = gate[j * kQueries + i];
    end = begin;
  }
}

}  // namespace

extern const Functions table = {attend, part, integrate, few};

}  // namespace PECVT_TARGET
}  // namespace pecvt
