#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
// A vector is two registers here: 6 × 2 accumulators, two of weights, one of activations, of 16.
#define TILE_ROWS 6
#define TILE_PANELS 1
#define KERNEL_TABLE kernels_avx2
#define ROTARY_KERNEL_TABLE rotary_kernels_avx2
#include "KernelBody.h"
#include "RotaryKernelBody.h"
#pragma clang attribute pop
#endif
