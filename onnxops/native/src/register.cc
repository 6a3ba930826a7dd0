// The entry point: registers the operators of domain ai.pecvt with a session.
#include <mutex>

#include "api.h"

#if defined(_WIN32)
#define PECVT_EXPORT __declspec(dllexport)
#else
#define PECVT_EXPORT __attribute__((visibility("default")))
#endif

namespace {

std::once_flag once;
OrtCustomOpDomain* domain = nullptr;
OrtStatus* failed = nullptr;

// fill makes the domain that every session shares: it lives as long as the process.
void fill() {
  using namespace pecvt;
  static std::vector<std::unique_ptr<Op>> ops;
#if !defined(PECVT_EMULATED)
  addRotation(ops);
  addSums(ops);
  addBiases(ops);
  addAttention(ops);
#endif
#if defined(PECVT_DEVICE_OPS)
  addDevice(ops);
#endif
  OrtCustomOpDomain* made = nullptr;
  failed = api->CreateCustomOpDomain("ai.pecvt", &made);
  for (size_t i = 0; i < ops.size() && failed == nullptr; i++) failed = api->CustomOpDomain_Add(made, ops[i].get());
  if (failed == nullptr) domain = made;
}

}  // namespace

extern "C" PECVT_EXPORT OrtStatus* ORT_API_CALL RegisterCustomOps(OrtSessionOptions* options, const OrtApiBase* base) {
  const OrtApi* found = base->GetApi(pecvt::kApi);
  if (found == nullptr) return base->GetApi(1)->CreateStatus(ORT_NOT_IMPLEMENTED, "ai.pecvt: needs ONNX Runtime 1.17 or later");
  try {
    std::call_once(once, [&] {
      pecvt::api = found;
      fill();
    });
  } catch (const std::exception& e) {
    return found->CreateStatus(ORT_FAIL, e.what());
  }
  if (domain == nullptr) return found->CreateStatus(ORT_FAIL, "ai.pecvt: the operators could not be made");
  return found->AddCustomOpDomain(options, domain);
}
