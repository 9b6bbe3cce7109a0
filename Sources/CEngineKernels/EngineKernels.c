#include "KernelTable.h"

#include <math.h>
#include <string.h>

bool engine_path_supported(engine_path path) {
  switch (path) {
    case ENGINE_PATH_PORTABLE: return true;
#if defined(__x86_64__)
    case ENGINE_PATH_AVX2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case ENGINE_PATH_AVX512:
      return engine_path_supported(ENGINE_PATH_AVX2) && __builtin_cpu_supports("avx512f")
             && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq")
             && __builtin_cpu_supports("avx512vl");
    case ENGINE_PATH_AVX512_VNNI:
      return engine_path_supported(ENGINE_PATH_AVX512) && __builtin_cpu_supports("avx512vnni");
    case ENGINE_PATH_AVX512_BF16:
      return engine_path_supported(ENGINE_PATH_AVX512_VNNI)
             && __builtin_cpu_supports("avx512bf16");
#else
    case ENGINE_PATH_AVX2:
    case ENGINE_PATH_AVX512:
    case ENGINE_PATH_AVX512_VNNI:
    case ENGINE_PATH_AVX512_BF16: return false;
#endif
  }
}

engine_path engine_path_best(void) {
  for (int path = ENGINE_PATH_AVX512_BF16; path > ENGINE_PATH_PORTABLE; path--)
    if (engine_path_supported((engine_path)path)) return (engine_path)path;
  return ENGINE_PATH_PORTABLE;
}

static const kernel_table *floats(engine_path path) {
  switch (path) {
#if defined(__x86_64__)
    case ENGINE_PATH_AVX512_BF16:
    case ENGINE_PATH_AVX512_VNNI:
    case ENGINE_PATH_AVX512: return &kernels_avx512;
    case ENGINE_PATH_AVX2: return &kernels_avx2;
#endif
    default: return &kernels_portable;
  }
}

static const byte_kernels *bytes(engine_path path) {
  switch (path) {
#if defined(__x86_64__)
    case ENGINE_PATH_AVX512_BF16:
    case ENGINE_PATH_AVX512_VNNI: return &byte_kernels_avx512_vnni;
    case ENGINE_PATH_AVX512: return &byte_kernels_avx512;
    case ENGINE_PATH_AVX2: return &byte_kernels_avx2;
#endif
    default: return &byte_kernels_portable;
  }
}

static const brain_kernels *brains(engine_path path) {
  switch (path) {
#if defined(__x86_64__)
    case ENGINE_PATH_AVX512_BF16: return &brain_kernels_avx512_bf16;
    case ENGINE_PATH_AVX512_VNNI:
    case ENGINE_PATH_AVX512: return &brain_kernels_avx512;
    case ENGINE_PATH_AVX2: return &brain_kernels_avx2;
#endif
    default: return &brain_kernels_portable;
  }
}

size_t engine_step_inputs(engine_path path) { return bytes(path)->step_inputs; }

size_t engine_prepared_row_bytes(engine_path path, engine_type numbers, size_t inputs) {
  size_t padded = round_up(inputs, PANEL);
  if (numbers == ENGINE_TYPE_INT8) return padded * (4 / bytes(path)->step_inputs);
  return padded * (numbers == ENGINE_TYPE_BFLOAT16 ? sizeof(uint16_t) : sizeof(float));
}

void engine_prepare(engine_path path, engine_type numbers, size_t rows, size_t inputs, size_t group,
                    const float *x, size_t stride, void *out, float *scales) {
  size_t row_bytes = engine_prepared_row_bytes(path, numbers, inputs);
  if (numbers == ENGINE_TYPE_INT8)
    bytes(path)->prepare(rows, inputs, group, x, stride, out, row_bytes, scales);
  else
    brains(path)->prepare(rows, inputs, x, stride, out, row_bytes / sizeof(uint16_t));
}

void engine_widen(engine_path path, size_t outputs, size_t inputs, size_t group,
                  const int8_t *bytes, const float *scales, size_t scale_stride, uint16_t *panels) {
  brains(path)->widen(outputs, inputs, group, bytes, scales, scale_stride, panels);
}

void engine_product(engine_path path, const engine_layer *layer, size_t rows, const void *input,
                    size_t input_stride, const float *input_scales, engine_activation activation,
                    void *output, size_t output_stride, engine_type output_type) {
  product p = {
      .rows = rows,
      .outputs = layer->outputs,
      .steps = layer->inputs,
      .input = input,
      .input_stride = input_stride,
      .panels = layer->panels,
      .bias = layer->bias,
      .activation = activation,
      .output = output,
      .output_stride = output_stride,
      .output_type = output_type,
  };
  if (layer->numbers == ENGINE_TYPE_INT8) {
    size_t step_inputs = bytes(path)->step_inputs;
    p.steps = round_up(layer->inputs, 4) / step_inputs;
    p.groups = (layer->inputs + layer->group - 1) / layer->group;
    p.group_steps = p.groups == 1 ? p.steps : layer->group / step_inputs;
    p.input_scales = input_scales;
    p.scales = layer->scales;
    p.starts = layer->starts;
    p.padded_outputs = round_up(layer->outputs, PANEL);
    bytes(path)->product(&p);
  } else if (layer->numbers == ENGINE_TYPE_BFLOAT16) {
    p.steps = round_up(layer->inputs, 2) / 2;
    brains(path)->product(&p);
  } else {
    floats(path)->product(&p);
  }
}

bool engine_attention_bfloat16_supported(engine_path path, size_t head_size) {
  return brains(path)->attention && head_size % (2 * PANEL) == 0;
}

size_t engine_attention_bfloat16_scratch_bytes(size_t tokens, size_t head_size) {
  size_t padded = round_up(tokens, 2 * PANEL);
  // A tile's scores and weights, keys, values.
  return padded * (12 * (sizeof(float) + sizeof(uint16_t)) + 2 * head_size * sizeof(uint16_t));
}

void engine_attention_bfloat16(engine_path path, size_t query_rows, size_t tokens, size_t head_size,
                               float scale, const uint16_t *q, size_t q_stride, const uint16_t *k,
                               const uint16_t *v, size_t kv_stride, float *out, size_t out_stride,
                               void *scratch) {
  brains(path)->attention(query_rows, tokens, head_size, scale, q, q_stride, k, v, kv_stride, out,
                          out_stride, scratch);
}

void engine_attention(engine_path path, size_t query_rows, size_t tokens, size_t head_size,
                      float scale, const float *q, size_t q_stride, const float *k, const float *v,
                      size_t kv_stride, float *out, size_t out_stride, float *scratch) {
  floats(path)->attention(query_rows, tokens, head_size, scale, q, q_stride, k, v, kv_stride, out,
                         out_stride, scratch);
}

size_t engine_attention_scratch_floats(size_t tokens, size_t head_size) {
  size_t padded_tokens = round_up(tokens, PANEL), padded_size = round_up(head_size, PANEL);
  return padded_tokens * head_size + padded_size * tokens + ATTENTION_ROWS * padded_tokens;
}

void engine_softmax(engine_path path, size_t rows, size_t n, float scale, float *x, size_t stride) {
  floats(path)->softmax(rows, n, scale, x, stride);
}

void engine_layer_norm(engine_path path, size_t rows, size_t n, float *x, const float *residual,
                       const float *gain, const float *bias, float epsilon) {
  floats(path)->layer_norm(rows, n, x, residual, gain, bias, epsilon);
}

void engine_activate(engine_path path, engine_activation activation, size_t count, float *x) {
  floats(path)->activate(activation, count, x);
}

static float from_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static float from_float16(uint16_t half) {
  uint32_t sign = (uint32_t)(half & 0x8000) << 16, rest = half & 0x7FFF;
  if (rest >= 0x7C00) return from_bits(sign | 0x7F800000 | (rest & 0x3FF) << 13);
  // Multiplying moves the exponent's bias from 15 to 127, and makes subnormal halves normal.
  float magnitude = from_bits(rest << 13) * 0x1p112f;
  return sign ? -magnitude : magnitude;
}

void engine_convert(engine_type type, size_t count, const void *source, float scale, float *out) {
  const uint8_t *bytes = source;
  switch (type) {
    case ENGINE_TYPE_FLOAT32: memcpy(out, bytes, count * sizeof(float)); break;
    case ENGINE_TYPE_FLOAT16:
      for (size_t i = 0; i < count; i++) {
        uint16_t half;
        memcpy(&half, bytes + 2 * i, sizeof half);
        out[i] = from_float16(half);
      }
      break;
    case ENGINE_TYPE_BFLOAT16:
      for (size_t i = 0; i < count; i++) {
        uint16_t high;
        memcpy(&high, bytes + 2 * i, sizeof high);
        out[i] = from_bits((uint32_t)high << 16);
      }
      break;
    case ENGINE_TYPE_INT8:
      for (size_t i = 0; i < count; i++) out[i] = (float)(int8_t)bytes[i] * scale;
      break;
  }
}

void engine_add(size_t count, const float *added, float *x) {
  for (size_t i = 0; i < count; i++) x[i] += added[i];
}

void engine_tanh(size_t count, float *x) {
  for (size_t i = 0; i < count; i++) x[i] = tanhf(x[i]);
}

float engine_dot(size_t count, const float *a, const float *b) {
  float sum = 0;
  for (size_t i = 0; i < count; i++) sum += a[i] * b[i];
  return sum;
}
