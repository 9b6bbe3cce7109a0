#if defined(__x86_64__)
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))), apply_to = function)
#define VECTOR_HAS_TABLES
#define BYTE_PAIRS_512
#define TILE_ROWS 12
#define TILE_PANELS 2
#define BYTE_KERNELS byte_kernels_avx512
#include "ByteBody.h"

#define TILE_ROWS 12
#define TILE_PANELS 2
#define BRAIN_KERNELS brain_kernels_avx512
#include "BrainBody.h"
#pragma clang attribute pop
#endif
