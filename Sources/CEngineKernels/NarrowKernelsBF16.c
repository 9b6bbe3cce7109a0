#if defined(__x86_64__)
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma"))), \
    apply_to = function)
#define VECTOR_HAS_TABLES
#define BRAIN_DOT
#define TILE_ROWS 12
#define TILE_PANELS 2
#define BRAIN_KERNELS brain_kernels_avx512_bf16
#include "BrainBody.h"
#pragma clang attribute pop
#endif
