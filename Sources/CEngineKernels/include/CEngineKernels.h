/// The engine's inner loops: matrix products in fp32, bfloat16 and 8-bit integers, attention, norms
/// and activations.
///
/// The sources ending in Body.h are compiled for AVX-512, for AVX2 and for whatever the compiler's
/// default target is; the caller says which of them to run, so that a test can hold each against
/// plain code. 8-bit and bfloat16 products have instructions of their own on newer machines.
///
/// Within one path a result never depends on how many rows were given at a time: every output
/// element is one chain of additions over k = 0, 1, 2…, whatever tile it falls in. So a pair scored
/// alone and the same pair scored in a batch get the same bits. 8-bit products come to the same
/// integers on every path.
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
  /// With the dot product of bytes.
  ENGINE_PATH_AVX512_VNNI SWIFT_CASE(avx512VNNI) = 3,
  /// With that and the dot product of bfloat16.
  ENGINE_PATH_AVX512_BF16 SWIFT_CASE(avx512BF16) = 4,
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

/// A linear layer, output = activation(input · weightsᵀ + bias), packed for a path.
typedef struct engine_layer {
  /// What the products are made of: float32, bfloat16 or int8.
  engine_type numbers;
  size_t outputs;
  size_t inputs;
  /// For int8: inputs that share one scale a row, a multiple of 16; `inputs` for one scale a row.
  size_t group;
  /// From the engine_pack function of these numbers.
  const void *panels;
  /// [outputs], or null.
  const float *bias;
  /// For int8: [padded outputs], the weights' scales.
  const float *scales;
  /// For int8: [groups][padded outputs], from engine_pack_int8.
  const int32_t *starts;
} engine_layer;

/// Outputs rounded up to whole panels of 16.
size_t engine_padded_outputs(size_t outputs);

/// Bytes that the panels of a layer take.
size_t engine_panel_bytes(engine_type numbers, size_t outputs, size_t inputs);

/// Packs weights, stored [count][inputs] as checkpoints have them, as outputs `first`… of a layer.
/// The panels must have been zeros at first.
void engine_pack_float32(size_t first, size_t count, size_t inputs, const float *rows,
                         float *panels);
void engine_pack_bfloat16(size_t first, size_t count, size_t inputs, const float *rows,
                          uint16_t *panels);

/// The same for weights of -127 to 127. starts [groups][padded outputs] gets what the sums begin
/// with.
void engine_pack_int8(engine_path path, size_t first, size_t count, size_t outputs, size_t inputs,
                      size_t group, const int8_t *rows, int8_t *panels, int32_t *starts);

/// The same in the order of bfloat16's panels, at half their size.
void engine_pack_widened(size_t first, size_t count, size_t inputs, const int8_t *rows,
                         int8_t *panels);

/// Makes bfloat16 panels of what engine_pack_widened packed, or of whole panels of it: each number times
/// its scale, rounded. scales [groups][scale_stride] has one for each output and group of inputs; a
/// group is an even number of them.
void engine_widen(engine_path path, size_t outputs, size_t inputs, size_t group,
                  const int8_t *bytes, const float *scales, size_t scale_stride, uint16_t *panels);

/// One row of weights as integers of -127 to 127, and the scale that gives the floats back: NaN for a
/// row with a number that is none or infinite.
float engine_quantise_weights(size_t count, const float *row, int8_t *out);

/// Bytes of one row of activations, prepared for products of these numbers.
size_t engine_prepared_row_bytes(engine_path path, engine_type numbers, size_t inputs);

/// Prepares rows of activations, `stride` floats apart, for a product of bfloat16 or int8; out is
/// [rows][engine_prepared_row_bytes]. For int8 each group of each row is scaled by its largest
/// number to ±127, to the nearest integer and to even between two; scales [rows][groups] gives the
/// floats back, and is NaN where the input has a number that is none or infinite.
void engine_prepare(engine_path path, engine_type numbers, size_t rows, size_t inputs, size_t group,
                    const float *x, size_t stride, void *out, float *scales);

/// output[rows][outputs] = activation(input · weightsᵀ + bias).
///
/// The input is what engine_prepare made, or plain floats for float32; its stride is in bytes.
/// input_scales are engine_prepare's, null but for int8. The output, `output_stride` elements a row,
/// is float32, or bfloat16 where there is no activation.
void engine_product(engine_path path, const engine_layer *layer, size_t rows, const void *input,
                    size_t input_stride, const float *input_scales, engine_activation activation,
                    void *output, size_t output_stride, engine_type output_type);

/// Floats of scratch that `engine_attention` needs for a sequence.
size_t engine_attention_scratch_floats(size_t tokens, size_t head_size);

/// One head of one sequence: out[query_rows][head_size] = softmax(q·kᵀ·scale)·v, with k and v of
/// [tokens][head_size]. Strides are in floats.
void engine_attention(engine_path path, size_t query_rows, size_t tokens, size_t head_size,
                      float scale, const float *q, size_t q_stride, const float *k, const float *v,
                      size_t kv_stride, float *out, size_t out_stride, float *scratch);

/// Whether bfloat16 attention pays on this path, and can be asked for heads of this size.
bool engine_attention_bfloat16_supported(engine_path path, size_t head_size);

/// Bytes of scratch that `engine_attention_bfloat16` needs for a sequence.
size_t engine_attention_bfloat16_scratch_bytes(size_t tokens, size_t head_size);

/// As `engine_attention`, with queries, keys and values in bfloat16. Only where supported.
void engine_attention_bfloat16(engine_path path, size_t query_rows, size_t tokens, size_t head_size,
                               float scale, const uint16_t *q, size_t q_stride, const uint16_t *k,
                               const uint16_t *v, size_t kv_stride, float *out, size_t out_stride,
                               void *scratch);

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
