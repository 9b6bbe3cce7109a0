#if defined(__x86_64__)
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))), apply_to = function)
#define VECTOR_HAS_TABLES
// 12 × 2 accumulators, two vectors of weights and one of activations fill 27 of 32 registers.
#define TILE_ROWS 12
#define TILE_PANELS 2
#define KERNEL_TABLE kernels_avx512
#define ROTARY_KERNEL_TABLE rotary_kernels_avx512
#include "KernelBody.h"
#include "RotaryKernelBody.h"
#pragma clang attribute pop
#endif
