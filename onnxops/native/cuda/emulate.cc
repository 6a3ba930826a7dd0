// The launcher of the emulated device, and its threads.
#include "emulate.h"

#include <ucontext.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "attend.h"
#include "kernels.h"
#include "launch.h"

namespace pecvt {
namespace device {
namespace {

constexpr size_t kStack = 256 << 10;  // of a thread: sanitizers' frames are large

// Place is where a coroutine stands: the stack's top, with the kept registers on it.
using Place = void*;

#if defined(__x86_64__)
// switchTo keeps the running coroutine in from and goes on with the other; swapcontext
// would ask the system twice each time.
extern "C" void pecvt_switch(Place* from, Place to);
asm(R"(
	.text
	.local pecvt_switch
	.type pecvt_switch, @function
pecvt_switch:
	push %rbp; push %rbx; push %r12; push %r13; push %r14; push %r15
	mov %rsp, (%rdi)
	mov %rsi, %rsp
	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbx; pop %rbp
	ret
	.size pecvt_switch, .-pecvt_switch
)");
void switchTo(Place* from, Place to) { pecvt_switch(from, to); }
Place placed(char* stack, ucontext_t*, void (*enter)()) {
  auto* top = reinterpret_cast<void**>(stack + kStack) - 2;  // as after a call
  *top = reinterpret_cast<void*>(enter);
  return top - 6;
}
#else
void switchTo(Place* from, Place to) {
  ucontext_t here;
  *from = &here;
  swapcontext(&here, static_cast<ucontext_t*>(to));
}
Place placed(char* stack, ucontext_t* context, void (*enter)()) {
  getcontext(context);
  context->uc_stack.ss_sp = stack, context->uc_stack.ss_size = kStack, context->uc_link = nullptr;
  makecontext(context, enter, 0);
  return context;
}
#endif

enum class Wait { None, Warp, Block };

struct Thread {
  Place place;
  ucontext_t context;
  std::unique_ptr<char[]> stack{new char[kStack]};
  int index;
  Wait wait;
  uint64_t since;  // how many barriers the warp or the block had when it came
  int pieces, exchanges;
  bool done;
};

struct Warp {
  int arrived = 0;
  uint64_t barriers = 0;
  uint64_t slots[2][32];
};

// Block is the one that runs; its threads are kept for the next.
struct Block {
  std::vector<std::unique_ptr<Thread>> threads;
  std::vector<Warp> warps;
  std::vector<std::unique_ptr<char[]>> pieces;
  std::vector<size_t> sizes;
  int count = 0, arrived = 0;
  uint64_t barriers = 0, order = 0;
  int64_t x = 0, y = 0, grid = 0;
  void (*kernel)(const void*) = nullptr;
  const void* args = nullptr;
  Thread* self = nullptr;
  Place scheduler = nullptr;
};

thread_local Block running;

void enter() {
  running.kernel(running.args);
  running.self->done = true;
  switchTo(&running.self->place, running.scheduler);
}

void yield() { switchTo(&running.self->place, running.scheduler); }

// drawn is the next number of the block's order.
uint64_t drawn() {
  running.order = running.order * 6364136223846793005u + 1442695040888963407u;
  return running.order >> 33;
}

// run runs the block at (x, y): false where its threads wait for one another.
bool run() {
  Block& b = running;
  b.warps.assign(size_t(b.count + 31) / 32, Warp());
  b.pieces.clear(), b.sizes.clear();
  b.arrived = 0;
  while (int(b.threads.size()) < b.count) b.threads.push_back(std::make_unique<Thread>());
  std::vector<Thread*> order;
  for (int i = 0; i < b.count; i++) {
    Thread* t = b.threads[size_t(i)].get();
    t->place = placed(t->stack.get(), &t->context, enter);
    t->index = i, t->wait = Wait::None, t->pieces = 0, t->exchanges = 0, t->done = false;
    order.push_back(t);
  }
  for (size_t i = order.size(); i > 1; i--) std::swap(order[i - 1], order[drawn() % i]);
  for (size_t left = order.size(); left > 0;) {
    bool moved = false;
    for (Thread*& t : order) {
      if (t == nullptr || (t->wait == Wait::Block && t->since == b.barriers) || (t->wait == Wait::Warp && t->since == b.warps[size_t(t->index / 32)].barriers)) continue;
      t->wait = Wait::None;
      b.self = t;
      switchTo(&b.scheduler, t->place);
      moved = true;
      if (t->done) t = nullptr, left--;
    }
    if (!moved) return false;
  }
  return true;
}

}  // namespace

int thread() { return running.self->index; }
int threads() { return running.count; }
int64_t block() { return running.x; }
int64_t blocks() { return running.grid; }
int64_t slice() { return running.y; }

void sync() {
  Block& b = running;
  if (++b.arrived == b.count) {
    b.arrived = 0, b.barriers++;
    return;
  }
  b.self->wait = Wait::Block, b.self->since = b.barriers;
  yield();
}

void syncWarp() {
  Warp& w = running.warps[size_t(running.self->index / 32)];
  if (++w.arrived == 32) {
    w.arrived = 0, w.barriers++;
    return;
  }
  running.self->wait = Wait::Warp, running.self->since = w.barriers;
  yield();
}

uint64_t exchange(uint64_t mine, int lane) {
  Thread* t = running.self;
  uint64_t* slots = running.warps[size_t(t->index / 32)].slots[t->exchanges++ % 2];  // those of the next are others
  slots[t->index % 32] = mine;
  syncWarp();
  return slots[lane & 31];
}

void* shared(size_t size) {
  Block& b = running;
  const size_t piece = size_t(b.self->pieces++);
  if (piece == b.pieces.size()) {
    b.pieces.emplace_back(new char[size]);
    b.sizes.push_back(size);
    std::memset(b.pieces.back().get(), 0xff, size);
  }
  if (b.sizes[piece] != size) std::abort();  // threads ask in different orders: no kernel may
  return b.pieces[piece].get();
}

const char* const kProvider = nullptr;  // the processor's

void launch(const Call&, Name name, int64_t x, int64_t y, const void* args) {
  static void (*const kernels[])(const void*) = {
#define X(name, args, function, threads) [](const void* p) { function(*static_cast<const args*>(p)); },
      PECVT_KERNELS(X)
#undef X
  };
  const char* seed = std::getenv("PECVT_EMULATE_SEED");
  Block& b = running;
  b.kernel = kernels[int(name)], b.args = args, b.count = kAbout[int(name)].threads, b.grid = x;
  b.order = seed != nullptr ? std::strtoull(seed, nullptr, 10) : 1;
  for (b.y = 0; b.y < y; b.y++)
    for (b.x = 0; b.x < x; b.x++)
      if (!run()) throw Failure(std::string(kAbout[int(name)].name) + ": a barrier that not all threads reach");
}

}  // namespace device
}  // namespace pecvt
