/// What every compilation of RotaryKernelBody.h offers.
#ifndef ROTARY_KERNEL_TABLE_H
#define ROTARY_KERNEL_TABLE_H

#include "KernelTable.h"

typedef struct rotary_kernel_table {
  void (*rms_norm)(size_t rows, size_t n, const float *x, size_t x_stride, const float *gain,
                   float epsilon, float *out, size_t out_stride);
  void (*rotate)(size_t rows, size_t heads, size_t head_size, const float *cosines,
                 const float *sines, float *x, size_t stride);
  void (*span_attention)(size_t query_rows, size_t first_position, size_t heads, size_t head_size,
                         engine_span span, float scale, const float *q, size_t q_stride,
                         engine_key_rows shared, engine_key_rows own, float *out, size_t out_stride,
                         float *scratch);
  void (*gated)(engine_gate gate, size_t rows, size_t n, const float *x, float *out);
} rotary_kernel_table;

extern const rotary_kernel_table rotary_kernels_portable;
#if defined(__x86_64__)
extern const rotary_kernel_table rotary_kernels_avx2;
extern const rotary_kernel_table rotary_kernels_avx512;
#endif

#endif
