/// What every compilation of KernelBody.h offers, and the vector type that they share.
#ifndef KERNEL_TABLE_H
#define KERNEL_TABLE_H

#include "CEngineKernels.h"

/// Outputs in one panel of a packed matrix, and floats in one vector.
#define PANEL 16

/// Query rows that attention works on at a time: their scores stay in the second-level cache.
#define ATTENTION_ROWS 96

typedef struct kernel_table {
  void (*gemm)(size_t m, size_t n, size_t k, const float *a, size_t a_stride, const float *packed,
               const float *bias, engine_activation activation, float *c, size_t c_stride);
  void (*attention)(size_t query_rows, size_t tokens, size_t head_size, float scale, const float *q,
                    size_t q_stride, const float *k, const float *v, size_t kv_stride, float *out,
                    size_t out_stride, float *scratch);
  void (*softmax)(size_t rows, size_t n, float scale, float *x, size_t stride);
  void (*layer_norm)(size_t rows, size_t n, float *x, const float *residual, const float *gain,
                     const float *bias, float epsilon);
  void (*activate)(engine_activation activation, size_t count, float *x);
} kernel_table;

extern const kernel_table kernels_portable;
#if defined(__x86_64__)
extern const kernel_table kernels_avx2;
extern const kernel_table kernels_avx512;
#endif

static inline size_t round_up(size_t value, size_t step) {
  return (value + step - 1) / step * step;
}

#endif
