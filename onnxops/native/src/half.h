// float16 and bfloat16 as ONNX Runtime holds them, and their way to float and back
// (to nearest, ties to even).
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__CUDACC__)
#define PECVT_BOTH __host__ __device__
#else
#define PECVT_BOTH
#endif

namespace pecvt {

struct Half {
  uint16_t bits;
};
struct BFloat {
  uint16_t bits;
};

PECVT_BOTH inline float fromBits(uint32_t u) {
  float f;
  std::memcpy(&f, &u, 4);
  return f;
}

PECVT_BOTH inline uint32_t bitsOf(float f) {
  uint32_t u;
  std::memcpy(&u, &f, 4);
  return u;
}

PECVT_BOTH inline float widen(float x) { return x; }

PECVT_BOTH inline float widen(BFloat x) { return fromBits(uint32_t{x.bits} << 16); }

PECVT_BOTH inline float widen(Half x) {
#if defined(__CUDA_ARCH__)
  float wide;
  asm("cvt.f32.f16 %0, %1;" : "=f"(wide) : "h"(x.bits));
  return wide;
#else
  uint32_t sign = uint32_t(x.bits & 0x8000) << 16, exponent = (x.bits >> 10) & 31, fraction = x.bits & 1023;
  if (exponent == 31) return fromBits(sign | 0x7f800000 | fraction << 13);
  if (exponent != 0) return fromBits(sign | (exponent + 112) << 23 | fraction << 13);
  float f = float(fraction) * 0x1p-24f;
  return sign ? -f : f;
#endif
}

PECVT_BOTH inline void narrow(float x, float& to) { to = x; }

PECVT_BOTH inline void narrow(float x, BFloat& to) {
  uint32_t u = bitsOf(x);
  if ((u & 0x7fffffff) > 0x7f800000) {
    to.bits = uint16_t(u >> 16 | 0x40);
    return;
  }
  to.bits = uint16_t((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

PECVT_BOTH inline void narrow(float x, Half& to) {
#if defined(__CUDA_ARCH__)
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(to.bits) : "f"(x));
#else
  uint32_t u = bitsOf(x), sign = u >> 16 & 0x8000, a = u & 0x7fffffff;
  if (a > 0x7f800000) {
    to.bits = uint16_t(sign | 0x7e00);
  } else if (a >= 0x47800000) {  // 65536 and more
    to.bits = uint16_t(sign | 0x7c00);
  } else if (a < 0x38800000) {  // below the smallest normal number: multiples of 2^-24
    uint32_t sum = bitsOf(fromBits(a) + 0.5f);  // rounds there
    to.bits = uint16_t(sign | (sum - 0x3f000000));
  } else {
    uint32_t r = a - 0x38000000 + 0xfff + (a >> 13 & 1);
    to.bits = uint16_t(sign | r >> 13);
  }
#endif
}

}  // namespace pecvt
