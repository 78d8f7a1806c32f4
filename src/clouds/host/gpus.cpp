#include "clouds/host/gpus.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

namespace virga {

namespace {

// The few entries of NVML's stable C interface that we use (nvml.h; 0 is success, a device is an opaque pointer).
using Device = void*;
using Plain = int (*)();
using GetCount = int (*)(unsigned*);
using GetHandle = int (*)(unsigned, Device*);
using GetName = int (*)(Device, char*, unsigned);

template <class F>
F look_up(void* library, const char* name) {
  return reinterpret_cast<F>(dlsym(library, name));
}

}  // namespace

RealGpus find_real_gpus() {
  RealGpus found;
  void* library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    found.why_none = "no NVIDIA driver (libnvidia-ml.so.1)";
    return found;
  }
  auto init = look_up<Plain>(library, "nvmlInit_v2");
  auto shutdown = look_up<Plain>(library, "nvmlShutdown");
  auto get_count = look_up<GetCount>(library, "nvmlDeviceGetCount_v2");
  auto get_handle = look_up<GetHandle>(library, "nvmlDeviceGetHandleByIndex_v2");
  auto get_name = look_up<GetName>(library, "nvmlDeviceGetName");
  if (!init || !shutdown || !get_count || !get_handle || !get_name) {
    found.why_none = "libnvidia-ml.so.1 is too old";
  } else if (int code = init(); code != 0) {
    found.why_none = fmt::format("NVML does not start (code {})", code);
  } else {
    unsigned count = 0;
    get_count(&count);
    for (unsigned i = 0; i < count; ++i) {
      Device device = nullptr;
      char name[96] = "unknown GPU";
      if (get_handle(i, &device) == 0) get_name(device, name, sizeof name);
      found.names.emplace_back(name);
    }
    if (count == 0) found.why_none = "NVML knows of no GPU";
    shutdown();
  }
  dlclose(library);
  return found;
}

}  // namespace virga
