// The kernels by name: X(name, arguments, function, threads of a block).
#pragma once

#include "args.h"

#define PECVT_ATTEND(X, type, T)                                          \
  X(attend32_##type, AttendArgs, (attend<T, 1>), kWarps * kWarp)          \
  X(attend64_##type, AttendArgs, (attend<T, 2>), kWarps * kWarp)          \
  X(attend128_##type, AttendArgs, (attend<T, 4>), kWarps * kWarp)         \
  X(attend256_##type, AttendArgs, (attend<T, 8>), kWarps * kWarp)         \
  X(decode64_##type, AttendArgs, (decode<T, 2>), kDecodeWarps * kWarp)    \
  X(decode256_##type, AttendArgs, (decode<T, 8>), kDecodeWarps * kWarp)

#define PECVT_KERNELS(X)                                                  \
  X(rotate_f32, RotateArgs, (rotate<float>), kThreads)                    \
  X(rotate_f16, RotateArgs, (rotate<Half>), kThreads)                     \
  X(rotate_bf16, RotateArgs, (rotate<BFloat>), kThreads)                  \
  X(phase_f32, SumArgs, (sums<true>), kThreads)                           \
  X(path_f32, SumArgs, (sums<false>), kThreads)                           \
  X(relative_f32, RelativeArgs, (relative<Relative>), kThreads)           \
  X(log_f32, RelativeArgs, (relative<Log>), kThreads)                     \
  X(power_f32, RelativeArgs, (relative<Power>), kThreads)                 \
  X(integral_f32, IntegralArgs, (integral), kWarps * kWarp)               \
  X(join_16, JoinArgs, (join<uint16_t>), kThreads)                        \
  X(join_32, JoinArgs, (join<uint32_t>), kThreads)                        \
  PECVT_ATTEND(X, f32, float)                                             \
  PECVT_ATTEND(X, f16, Half)                                              \
  PECVT_ATTEND(X, bf16, BFloat)

namespace pecvt {
namespace device {

enum class Name {
#define X(name, args, function, threads) name,
  PECVT_KERNELS(X)
#undef X
      Count
};

// of is what the launcher has to know of a kernel.
struct About {
  const char* name;
  int threads;
};

constexpr About kAbout[] = {
#define X(name, args, function, threads) {"pecvt_" #name, threads},
    PECVT_KERNELS(X)
#undef X
};

}  // namespace device
}  // namespace pecvt
