#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
// 6 × 2 accumulators, two registers of weights, one of activations, one of products, of 16.
#define BYTE_PAIRS_256
#define TILE_ROWS 6
#define TILE_PANELS 1
#define BYTE_KERNELS byte_kernels_avx2
#include "ByteBody.h"

// Weights take four registers once they are floats.
#define TILE_ROWS 4
#define TILE_PANELS 1
#define BRAIN_KERNELS brain_kernels_avx2
#include "BrainBody.h"
#pragma clang attribute pop
#endif
