/// The engine's inner loops in fp32: matrix products, attention, norms and activations.
///
/// One source (`KernelBody.h`) is compiled for AVX-512, for AVX2 and for whatever the compiler's
/// default target is; the caller says which of them to run, so that a test can hold each against
/// plain code.
///
/// Within one path a result never depends on how many rows were given at a time: every output
/// element is one chain of additions over k = 0, 1, 2…, whatever tile it falls in. So a pair scored
/// alone and the same pair scored in a batch get the same bits.
#ifndef C_ENGINE_KERNELS_H
#define C_ENGINE_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ENGINE_CLOSED_ENUM __attribute__((enum_extensibility(closed)))
#define SWIFT_CASE(name) __attribute__((swift_name(#name)))

typedef enum ENGINE_CLOSED_ENUM engine_path {
  ENGINE_PATH_PORTABLE SWIFT_CASE(portable) = 0,
  ENGINE_PATH_AVX2 SWIFT_CASE(avx2) = 1,
  ENGINE_PATH_AVX512 SWIFT_CASE(avx512) = 2,
} engine_path;

typedef enum ENGINE_CLOSED_ENUM engine_activation {
  ENGINE_ACTIVATION_NONE SWIFT_CASE(none) = 0,
  /// x·Φ(x) by erf, to within 1e-6.
  ENGINE_ACTIVATION_GELU SWIFT_CASE(gelu) = 1,
  /// The tanh approximation of the same.
  ENGINE_ACTIVATION_GELU_TANH SWIFT_CASE(geluTanh) = 2,
  ENGINE_ACTIVATION_RELU SWIFT_CASE(relu) = 3,
} engine_activation;

typedef enum ENGINE_CLOSED_ENUM engine_type {
  ENGINE_TYPE_FLOAT32 SWIFT_CASE(float32) = 0,
  ENGINE_TYPE_FLOAT16 SWIFT_CASE(float16) = 1,
  ENGINE_TYPE_BFLOAT16 SWIFT_CASE(bfloat16) = 2,
  ENGINE_TYPE_INT8 SWIFT_CASE(int8) = 3,
} engine_type;

/// Whether this machine can run the path.
bool engine_path_supported(engine_path path);

/// The fastest path that this machine can run.
engine_path engine_path_best(void);

/// Floats that a packed matrix of n outputs and k inputs takes.
size_t engine_packed_floats(size_t n, size_t k);

/// Packs rows of weights, stored [n][k] as checkpoints have them, into panels of 16 outputs:
/// [n/16][k][16], the last panel filled up with zeros.
void engine_pack(size_t n, size_t k, const float *rows, float *packed);

/// c[m][n] = activation(a[m][k] · packedᵀ + bias). Strides are in floats; bias may be null.
void engine_gemm(engine_path path, size_t m, size_t n, size_t k, const float *a, size_t a_stride,
                 const float *packed, const float *bias, engine_activation activation, float *c,
                 size_t c_stride);

/// Floats of scratch that `engine_attention` needs for a sequence.
size_t engine_attention_scratch_floats(size_t tokens, size_t head_size);

/// One head of one sequence: out[query_rows][head_size] = softmax(q·kᵀ·scale)·v, with k and v of
/// [tokens][head_size]. Strides are in floats.
void engine_attention(engine_path path, size_t query_rows, size_t tokens, size_t head_size,
                      float scale, const float *q, size_t q_stride, const float *k, const float *v,
                      size_t kv_stride, float *out, size_t out_stride, float *scratch);

/// Softmax of scale·x over n columns of each row, in place. Rows lie `stride` floats apart.
void engine_softmax(engine_path path, size_t rows, size_t n, float scale, float *x, size_t stride);

/// x[row] = layer norm of (x[row] + residual[row]), two passes: mean first, then the variance about
/// it. residual may be null. Rows are contiguous, n floats each.
void engine_layer_norm(engine_path path, size_t rows, size_t n, float *x, const float *residual,
                       const float *gain, const float *bias, float epsilon);

/// The activation over `count` floats, in place.
void engine_activate(engine_path path, engine_activation activation, size_t count, float *x);

/// Stored elements to floats; scale multiplies int8 values and is ignored for the other types. The
/// source needs no alignment.
void engine_convert(engine_type type, size_t count, const void *source, float scale, float *out);

/// x += added, element by element.
void engine_add(size_t count, const float *added, float *x);

/// x = tanh x, element by element.
void engine_tanh(size_t count, float *x);

/// Σ a[i]·b[i], in an order that depends on count alone.
float engine_dot(size_t count, const float *a, const float *b);

#include "RotaryKernels.h"

#endif
