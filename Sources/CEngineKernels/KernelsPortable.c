// A vector is four registers of 128 bits here, of 32 on 64-bit Arm and of 16 on other machines.
#if defined(__aarch64__)
#define TILE_ROWS 6
#else
#define TILE_ROWS 2
#endif
#define TILE_PANELS 1
#define KERNEL_TABLE kernels_portable
#define ROTARY_KERNEL_TABLE rotary_kernels_portable
#include "KernelBody.h"
#include "RotaryKernelBody.h"
