// The kernels as nvcc compiles them: one entry for each name.
#include "attend.h"
#include "kernels.h"
#include "names.h"

namespace pecvt {
namespace device {

#define X(name, args, function, threads) \
  extern "C" __global__ void __launch_bounds__(threads) pecvt_##name(const __grid_constant__ args a) { function(a); }
PECVT_KERNELS(X)
#undef X

}  // namespace device
}  // namespace pecvt
