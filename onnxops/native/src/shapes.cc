#include "shapes.h"

namespace pecvt {
namespace {

// stepOf is size for an axis of n, 0 for one of 1 that stands for all.
int64_t stepOf(const Tensor& t, size_t axis, int64_t n, int64_t size) {
  if (t.shape[axis] == n) return n == 1 ? 0 : size;
  if (t.shape[axis] == 1) return 0;
  throw Failure(std::string(t.name) + " has shape " + text(t.shape) + ": expected " + (n == 1 ? "" : "1 or ") + std::to_string(n) + " at axis " + std::to_string(axis));
}

// ratesOf are the steps of query_rate (1 or batch, heads, 1 or length, 1) and
// key_rate (1 or batch, 1 or heads, 1, 1 or total).
Rates ratesOf(const Tensor& query, const Tensor& key, int64_t batch, int64_t heads, int64_t length, int64_t total) {
  if (query.shape[1] != heads) throw Failure(std::string(query.name) + " has shape " + text(query.shape) + ": expected " + std::to_string(heads) + " heads");
  stepOf(query, 3, 1, 0), stepOf(key, 2, 1, 0);
  Rates r;
  r.queryBatch = stepOf(query, 0, batch, heads * query.shape[2]), r.queryHead = query.shape[2], r.query = stepOf(query, 2, length, 1);
  r.keyBatch = stepOf(key, 0, batch, key.shape[1] * key.shape[3]), r.keyHead = stepOf(key, 1, heads, key.shape[3]), r.key = stepOf(key, 3, total, 1);
  return r;
}

}  // namespace

RotationInputs::RotationInputs(const Call& call, int64_t dim) : x(call.in(0, "X").rank(4)), cos(call.in(1, "cos").rank(3)), sin(call.in(2, "sin").rank(3)) {
  batch = x.shape[0], heads = x.shape[1], length = x.shape[2], size = x.shape[3];
  const int64_t turned = dim == 0 ? size : dim;
  if (turned < 2 || turned % 2 != 0 || turned > size)
    throw Failure("rotary_embedding_dim is " + std::to_string(turned) + " and heads have " + std::to_string(size) + " coordinates: expected an even number, from 2 to the latter");
  planes = turned / 2;
  cos.is({batch, length, planes});
  sin.is({batch, length, planes});
}

RunningInputs::RunningInputs(const Call& call, const char* name) : terms(call.in(0, name).rank(3)), real(call.in(1, "real")), past(call.in(2, "past")) {
  batch = terms.shape[0], rows = terms.shape[1], length = terms.shape[2];
  real.is({batch, 1, length});
  past.is({batch, rows, 2});
}

RelativeInputs::RelativeInputs(const Call& call, const char* of, const char* by)
    : queryPlace(call.in(0, "query_position").rank(2)), keyPlace(call.in(1, "key_position").rank(2)), queryRate(call.in(2, of).rank(4)), keyRate(call.in(3, by).rank(4)) {
  batch = queryPlace.shape[0], length = queryPlace.shape[1], total = keyPlace.shape[1], heads = queryRate.shape[1];
  keyPlace.is({batch, total});
  steps = ratesOf(queryRate, keyRate, batch, heads, length, total);
}

IntegralInputs::IntegralInputs(const Call& call)
    : query(call.in(0, "query").rank(4)), key(call.in(1, "key").rank(4)), beta(call.in(2, "beta").rank(4)), visible(call.in(3, "visible").rank(4)) {
  batch = query.shape[0], heads = query.shape[1], length = query.shape[2], size = query.shape[3], total = key.shape[2];
  key.is({batch, heads, total, size});
  beta.is({1, heads, 1, 1});
  visible.is({batch, 1, length, total});
  if (size == 0) throw Failure("query has shape " + text(query.shape) + ": expected a width of 1 or more");
}

AttentionInputs::AttentionInputs(const Call& call, Bias bias)
    : query(call.in(0, "query").rank(4)), key(call.in(1, "key").rank(4)), value(call.in(2, "value").rank(4)), pastKey(call.in(3, "past_key").rank(4)), pastValue(call.in(4, "past_value").rank(4)), real(call.in(5, "attention_mask").rank(2)), a(call.in(7, "bias")), b(call.in(8, "bias")), c(call.in(9, "bias")) {
  const Tensor limit = call.in(6, "window").rank(0);
  batch = query.shape[0], heads = query.shape[1], length = query.shape[2], size = query.shape[3];
  groups = key.shape[1], past = pastKey.shape[2], vsize = value.shape[3], total = past + length;
  if (groups < 1 || heads % groups != 0) throw Failure("query has " + std::to_string(heads) + " heads and key " + std::to_string(groups) + ": expected a multiple");
  if (size < 1 || vsize < 1 || total > INT32_MAX / 2) throw Failure("query has shape " + text(query.shape) + " over " + std::to_string(past) + " past keys: expected heads of 1 or more, and fewer than 2^30 keys");
  key.is({batch, groups, length, size});
  value.is({batch, groups, length, vsize});
  pastKey.is({batch, groups, past, size});
  pastValue.is({batch, groups, past, vsize});
  real.is({batch, total});
  window = *limit.as<int64_t>();
  if (window < 0) throw Failure("window is " + std::to_string(window) + ": expected 0 or more");
  if (bias != Bias::Integral) d = call.in(10, "bias");
  switch (bias) {
    case Bias::Relative:
      a.name = "query_position", b.name = "key_position", c.name = "query_rate", d.name = "key_rate";
      a.is({batch, length}), b.is({batch, total}), c.rank(4), d.rank(4);
      steps = ratesOf(c, d, batch, heads, length, total);
      break;
    case Bias::Path:
      a.name = "query_whole", b.name = "query_fraction", c.name = "key_whole", d.name = "key_fraction";
      a.is({batch, heads, length, 1}), b.is({batch, heads, length, 1}), c.is({batch, heads, total, 1}), d.is({batch, heads, total, 1});
      break;
    case Bias::Integral:
      a.name = "path_query", b.name = "path_key", c.name = "beta";
      a.rank(4);
      pathSize = a.shape[3];
      if (pathSize < 1) throw Failure("path_query has shape " + text(a.shape) + ": expected a width of 1 or more");
      a.is({batch, heads, length, pathSize}), b.is({batch, heads, total, pathSize}), c.is({1, heads, 1, 1});
      break;
  }
}

float scaleOf(const Attributes& a) {
  const float scale = a.number("scale", 0);
  if (!(scale > 0)) throw Failure("scale is " + std::to_string(scale) + ": expected a positive number");
  return scale;
}

}  // namespace pecvt
