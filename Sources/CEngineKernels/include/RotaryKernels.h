/// The inner loops of models with rotary positions: RMS norm, rotation, attention over spans, and
/// gated activations, in fp32.
///
/// As with the other kernels a result never depends on how many rows were given at a time, nor on
/// where a block of them begins: what a row does not see is added to it as exact zeros.
#ifndef ROTARY_KERNELS_H
#define ROTARY_KERNELS_H

#include "CEngineKernels.h"

typedef enum ENGINE_CLOSED_ENUM engine_gate {
  ENGINE_GATE_GELU SWIFT_CASE(gelu) = 0,
  ENGINE_GATE_GELU_TANH SWIFT_CASE(geluTanh) = 1,
  ENGINE_GATE_RELU SWIFT_CASE(relu) = 2,
  /// x·sigmoid(x)
  ENGINE_GATE_SILU SWIFT_CASE(silu) = 3,
} engine_gate;

/// Keys and values [count][head_size] of one head, rows `stride` floats apart.
typedef struct engine_key_rows {
  const float *keys;
  const float *values;
  size_t count;
  size_t stride;
} engine_key_rows;

/// Which positions a row sees: so many before its own, and so many after it.
typedef struct engine_span {
  size_t before;
  size_t after;
} engine_span;

/// out[row] = gain · x[row] / √(mean of x[row]² + epsilon) over n columns. Strides are in floats; out
/// may be x.
void engine_rms_norm(engine_path path, size_t rows, size_t n, const float *x, size_t x_stride,
                     const float *gain, float epsilon, float *out, size_t out_stride);

/// Turns every head's pairs of columns (i, i + head_size/2) by the angles of the row's position, in
/// place. cosines and sines are tables [rows][head_size/2]; rows of x lie `stride` floats apart.
void engine_rotate(engine_path path, size_t rows, size_t heads, size_t head_size,
                   const float *cosines, const float *sines, float *x, size_t stride);

/// Floats of scratch that `engine_span_attention` needs for so many positions.
size_t engine_span_attention_scratch_floats(size_t tokens, size_t head_size);

/// Attention of query heads that share the keys and values of one head.
///
/// The positions are those of `shared` followed by those of `own`. Query row r stands at position
/// `first_position` + r and sees the positions of `span` around it. q and out are
/// [query_rows][heads][head_size], rows so many floats apart.
void engine_span_attention(engine_path path, size_t query_rows, size_t first_position, size_t heads,
                           size_t head_size, engine_span span, float scale, const float *q,
                           size_t q_stride, engine_key_rows shared, engine_key_rows own, float *out,
                           size_t out_stride, float *scratch);

/// out[row][i] = gate(x[row][i]) · x[row][n + i]; rows of x are 2n floats, those of out n.
void engine_gated(engine_path path, engine_gate gate, size_t rows, size_t n, const float *x,
                  float *out);

#endif
