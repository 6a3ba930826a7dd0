// The launcher of the CUDA device: the driver's own interface, which is loaded when a
// kernel first runs, so that the library needs nothing of CUDA to be there before.
#include <cuda.h>
#include <dlfcn.h>

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "launch.h"

extern "C" const unsigned char pecvt_fatbin[];  // the kernels of all architectures

namespace pecvt {
namespace device {
namespace {

struct Driver {
  decltype(&cuCtxGetCurrent) current;
  decltype(&cuModuleLoadData) load;
  decltype(&cuModuleGetFunction) find;
  decltype(&cuLaunchKernel) launch;
  decltype(&cuGetErrorName) errorName;

  Driver() {
    void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) throw Failure(std::string("no CUDA driver: ") + dlerror());
    const auto get = [&](auto& f, const char* name) {
      f = reinterpret_cast<std::decay_t<decltype(f)>>(dlsym(library, name));
      if (f == nullptr) throw Failure(std::string("the CUDA driver has no ") + name);
    };
    get(current, "cuCtxGetCurrent"), get(load, "cuModuleLoadData"), get(find, "cuModuleGetFunction");
    get(launch, "cuLaunchKernel"), get(errorName, "cuGetErrorName");
  }

  void check(CUresult result, const char* what) const {
    if (result == CUDA_SUCCESS) return;
    const char* name = nullptr;
    errorName(result, &name);
    throw Failure(std::string(what) + ": " + (name != nullptr ? name : "an error without a name") +
                  (result == CUDA_ERROR_NO_BINARY_FOR_GPU || result == CUDA_ERROR_UNSUPPORTED_PTX_VERSION ? ": the library was not built for this device and driver" : ""));
  }
};

const Driver& driver() {
  static const Driver d;
  return d;
}

// functions are the kernels in the device's context, which is loaded once.
const std::vector<CUfunction>& functions() {
  static std::mutex mutex;
  static std::map<CUcontext, std::vector<CUfunction>> loaded;
  const Driver& d = driver();
  CUcontext context = nullptr;
  d.check(d.current(&context), "the CUDA context");
  if (context == nullptr) throw Failure("no CUDA context: the kernel was not called by the CUDA provider");
  std::lock_guard<std::mutex> held(mutex);
  std::vector<CUfunction>& all = loaded[context];
  if (all.empty()) {
    CUmodule module = nullptr;
    d.check(d.load(&module, pecvt_fatbin), "loading the kernels");
    std::vector<CUfunction> found(size_t(Name::Count));
    for (size_t i = 0; i < found.size(); i++) d.check(d.find(&found[i], module, kAbout[i].name), kAbout[i].name);
    all = std::move(found);
  }
  return all;
}

}  // namespace

const char* const kProvider = "CUDAExecutionProvider";

void launch(const Call& call, Name name, int64_t x, int64_t y, const void* args) {
  const About& about = kAbout[int(name)];
  if (x > INT32_MAX || y > 65535) throw Failure(std::string(about.name) + ": a grid of " + std::to_string(x) + " by " + std::to_string(y) + " blocks: expected fewer rows in a call");
  void* parameters[] = {const_cast<void*>(args)};
  driver().check(driver().launch(functions()[size_t(name)], unsigned(x), unsigned(y), 1, unsigned(about.threads), 1, 1, 0, static_cast<CUstream>(call.stream()), parameters, nullptr), about.name);
}

}  // namespace device
}  // namespace pecvt
