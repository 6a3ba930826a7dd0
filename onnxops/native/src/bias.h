// The biases that attention makes itself. No standard header: files that are compiled
// once for each set of vector instructions read this.
#pragma once

namespace pecvt {

enum class Bias { Relative, Path, Integral };

}  // namespace pecvt
