/// What every compilation of the kernels' bodies offers.
#ifndef KERNEL_TABLE_H
#define KERNEL_TABLE_H

#include "CEngineKernels.h"

/// Outputs in one panel of a packed matrix, and floats in one vector.
#define PANEL 16

/// Query rows that attention works on at a time: their scores stay in the second-level cache.
#define ATTENTION_ROWS 96

typedef int32_t int32_unaligned __attribute__((aligned(1), may_alias));

/// One matrix product: output[rows][outputs] = input · panelsᵀ + bias. Input and panels are read in
/// steps of four bytes a row (see ProductBody.h).
typedef struct product {
  size_t rows, outputs, steps;
  const uint8_t *input;
  /// In bytes.
  size_t input_stride;
  const uint8_t *panels;
  /// [outputs], or null.
  const float *bias;
  engine_activation activation;
  void *output;
  /// In elements.
  size_t output_stride;
  /// float32, or bfloat16 where there is no activation.
  engine_type output_type;

  // For integers only: k in groups of so many steps, each with its own scale for a row.
  size_t groups, group_steps;
  /// [rows][groups]
  const float *input_scales;
  /// [padded outputs]
  const float *scales;
  /// [groups][padded outputs]: what the sums start with.
  const int32_t *starts;
  size_t padded_outputs;
} product;

typedef struct kernel_table {
  void (*product)(const product *p);
  void (*attention)(size_t query_rows, size_t tokens, size_t head_size, float scale, const float *q,
                    size_t q_stride, const float *k, const float *v, size_t kv_stride, float *out,
                    size_t out_stride, float *scratch);
  void (*softmax)(size_t rows, size_t n, float scale, float *x, size_t stride);
  void (*layer_norm)(size_t rows, size_t n, float *x, const float *residual, const float *gain,
                     const float *bias, float epsilon);
  void (*activate)(engine_activation activation, size_t count, float *x);
} kernel_table;

typedef struct byte_kernels {
  /// Inputs that a step takes: 4 as bytes, or 2 widened.
  size_t step_inputs;
  void (*product)(const product *p);
  /// Rows of floats to 8-bit integers, and scales[rows][groups]. The output's stride is in bytes.
  void (*prepare)(size_t rows, size_t inputs, size_t group, const float *x, size_t stride,
                  uint8_t *out, size_t out_stride, float *scales);
} byte_kernels;

typedef struct brain_kernels {
  void (*product)(const product *p);
  /// Rows of floats rounded. Strides are in elements.
  void (*prepare)(size_t rows, size_t inputs, const float *x, size_t stride, uint16_t *out,
                  size_t out_stride);
  void (*widen)(size_t outputs, size_t inputs, size_t group, const int8_t *bytes,
                const float *scales, size_t scale_stride, uint16_t *panels);
  /// Null where it would be slower than in fp32.
  void (*attention)(size_t query_rows, size_t tokens, size_t head_size, float scale,
                    const uint16_t *q, size_t q_stride, const uint16_t *k, const uint16_t *v,
                    size_t kv_stride, float *out, size_t out_stride, void *scratch);
} brain_kernels;

extern const kernel_table kernels_portable;
extern const byte_kernels byte_kernels_portable;
extern const brain_kernels brain_kernels_portable;
#if defined(__x86_64__)
extern const kernel_table kernels_avx2;
extern const byte_kernels byte_kernels_avx2;
extern const brain_kernels brain_kernels_avx2;
extern const kernel_table kernels_avx512;
extern const byte_kernels byte_kernels_avx512;
extern const brain_kernels brain_kernels_avx512;
extern const byte_kernels byte_kernels_avx512_vnni;
extern const brain_kernels brain_kernels_avx512_bf16;
#endif

/// Inputs that a step of an 8-bit product takes on a path.
size_t engine_step_inputs(engine_path path);

static inline size_t round_up(size_t value, size_t step) {
  return (value + step - 1) / step * step;
}

#endif
