/* A stub of NVIDIA's driver, libcuda.so.1, for a machine that has none.

   It lists COUNT GPUs, a T4 and then A100s; cuInit returns INIT. It is enough to load MXNet's build
   for GPUs, which then computes on the processor: without cuDriverGetVersion, CUDA's runtime takes
   the stub for a driver that is too old. Every call that would use a GPU fails. */
#include <string.h>

#ifndef COUNT
#define COUNT 1
#endif
#ifndef INIT
#define INIT 0
#endif
#define NOT_SUPPORTED 801

enum { FIRST = 40, MAJOR = 75 }; /* the first device; CUdevice_attribute */

int cuInit(unsigned flags) { return INIT; }
int cuDeviceGetCount(int *count) { *count = COUNT; return 0; }
int cuDeviceGet(int *device, int number) { *device = FIRST + number; return 0; }
int cuDeviceGetName(char *name, int size, int device) {
    strncpy(name, device == FIRST ? "Tesla T4" : "NVIDIA A100", size);
    return 0;
}
int cuDeviceGetAttribute(int *value, int attribute, int device) {
    if (device == FIRST) *value = attribute == MAJOR ? 7 : 5;
    else *value = attribute == MAJOR ? 8 : 0;
    return 0;
}

/* The other symbols that libmxnet.so needs. */
#define FAILS(function) int function(void) { return NOT_SUPPORTED; }
FAILS(cuDevicePrimaryCtxRetain)
FAILS(cuGetErrorString)
FAILS(cuGraphKernelNodeGetParams)
FAILS(cuGraphNodeGetType)
FAILS(cuLaunchKernel)
FAILS(cuModuleGetFunction)
FAILS(cuModuleLoadData)
FAILS(cuModuleLoadDataEx)
FAILS(cuModuleUnload)
