// How operators start a kernel: on the CUDA device (driver.cc), or on the emulated one
// (emulate.cc).
#pragma once

#include "../src/api.h"
#include "names.h"

namespace pecvt {
namespace device {

// kProvider is the execution provider that the operators are of; null: the processor's.
extern const char* const kProvider;

// launch runs x · y blocks of a kernel on the call's stream. Both are 1 or more.
void launch(const Call& call, Name name, int64_t x, int64_t y, const void* args);

}  // namespace device
}  // namespace pecvt
