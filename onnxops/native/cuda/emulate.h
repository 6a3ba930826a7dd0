// A block of threads on the processor: each thread is a coroutine, which runs until a
// barrier or an exchange and goes on when all threads have come there. The order in
// which they run is drawn (PECVT_EMULATE_SEED), and shared memory begins as NaN, so
// that a barrier left out or a number not written shows in the results.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace pecvt {
namespace device {

int thread();
int threads();
int64_t block();
int64_t blocks();
int64_t slice();
// sync waits for the block's threads, syncWarp for the warp's.
void sync();
void syncWarp();
// shared is the block's memory of a size: the same for every thread that asks for its
// first, second, … piece.
void* shared(size_t size);
// exchange hands 8 bytes in and takes those of another lane of the warp.
uint64_t exchange(uint64_t mine, int lane);

template <class T>
T from(T x, int lane) {
  uint64_t bits = 0;
  std::memcpy(&bits, &x, sizeof x);
  bits = exchange(bits, lane);
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

}  // namespace device
}  // namespace pecvt
