// Chooses the set of vector instructions when the library is first used.
#include <cstdlib>
#include <cstring>

#include "attend.h"

namespace pecvt {

namespace base {
extern const Functions table;
}
#if defined(__x86_64__)
namespace avx2 {
extern const Functions table;
}
namespace avx512 {
extern const Functions table;
}
#endif

namespace {

const Functions& choose() {
  const char* most = std::getenv("PECVT_OPS_TARGET");  // base, avx2: for tests
  const auto allowed = [&](const char* name) { return most == nullptr || std::strcmp(most, name) == 0; };
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (avx2 && __builtin_cpu_supports("avx512f") && allowed("avx512")) return avx512::table;
  if (avx2 && allowed("avx2")) return avx2::table;
#endif
  (void)allowed;
  return base::table;
}

}  // namespace

const Functions& functions() {
  static const Functions& chosen = choose();
  return chosen;
}

}  // namespace pecvt
