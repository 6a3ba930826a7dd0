// What kernels see of the device: threads, barriers, exchanges within a warp. Under
// nvcc it is the device's own; elsewhere threads are emulated (emulate.h), so that
// the kernels' text is tested on a machine without one.
#pragma once

#include <cstdint>

#if defined(__CUDACC__)

#define PECVT_DEVICE __device__ __forceinline__
#define PECVT_SHARED(type, name) __shared__ type name
#define PECVT_UNROLL _Pragma("unroll")

namespace pecvt {
namespace device {

PECVT_DEVICE int thread() { return int(threadIdx.x); }
PECVT_DEVICE int threads() { return int(blockDim.x); }
PECVT_DEVICE int64_t block() { return int64_t(blockIdx.x); }
PECVT_DEVICE int64_t blocks() { return int64_t(gridDim.x); }
PECVT_DEVICE int64_t slice() { return int64_t(blockIdx.y); }
PECVT_DEVICE void sync() { __syncthreads(); }
PECVT_DEVICE void syncWarp() { __syncwarp(); }

template <class T>
PECVT_DEVICE T from(T x, int lane) {
  return __shfl_sync(0xffffffffu, x, lane);
}

}  // namespace device
}  // namespace pecvt

#else

#include <cmath>

#include "emulate.h"

#define PECVT_DEVICE inline
#define PECVT_UNROLL
#define PECVT_SHARED(type, name) type& name = *static_cast<type*>(shared(sizeof(type)))

#endif

namespace pecvt {
namespace device {

PECVT_DEVICE int lane() { return thread() % 32; }
PECVT_DEVICE int warp() { return thread() / 32; }

// sumOfWarp is the sum of a warp's numbers, in every lane.
template <class T>
PECVT_DEVICE T sumOfWarp(T x) {
  for (int step = 16; step > 0; step /= 2) x += from(x, lane() ^ step);
  return x;
}

PECVT_DEVICE float mostOfWarp(float x) {
  for (int step = 16; step > 0; step /= 2) x = fmaxf(x, from(x, lane() ^ step));
  return x;
}

// sumsBefore is the sum of the lanes before a lane's own.
template <class T>
PECVT_DEVICE T sumsBefore(T x) {
  T sum = x;
  for (int step = 1; step < 32; step *= 2) {
    const T other = from(sum, (lane() - step) & 31);
    if (lane() >= step) sum += other;
  }
  const T before = from(sum, (lane() - 1) & 31);
  return lane() == 0 ? T(0) : before;
}

// sumsAfter is the sum of the lanes after a lane's own.
template <class T>
PECVT_DEVICE T sumsAfter(T x) {
  T sum = x;
  for (int step = 1; step < 32; step *= 2) {
    const T other = from(sum, (lane() + step) & 31);
    if (lane() + step < 32) sum += other;
  }
  const T after = from(sum, (lane() + 1) & 31);
  return lane() == 31 ? T(0) : after;
}

}  // namespace device
}  // namespace pecvt
