#if defined(__x86_64__)
#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma"))), \
    apply_to = function)
#define VECTOR_HAS_TABLES
#define BYTE_DOT
// 12 × 2 accumulators, two registers of weights and one of activations fill 27 of 32.
#define TILE_ROWS 12
#define TILE_PANELS 2
#define BYTE_KERNELS byte_kernels_avx512_vnni
#include "ByteBody.h"
#pragma clang attribute pop
#endif
