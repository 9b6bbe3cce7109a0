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
#else
    case ENGINE_PATH_AVX2:
    case ENGINE_PATH_AVX512: return false;
#endif
  }
}

engine_path engine_path_best(void) {
  if (engine_path_supported(ENGINE_PATH_AVX512)) return ENGINE_PATH_AVX512;
  if (engine_path_supported(ENGINE_PATH_AVX2)) return ENGINE_PATH_AVX2;
  return ENGINE_PATH_PORTABLE;
}

static const kernel_table *table(engine_path path) {
  switch (path) {
#if defined(__x86_64__)
    case ENGINE_PATH_AVX512: return &kernels_avx512;
    case ENGINE_PATH_AVX2: return &kernels_avx2;
#endif
    default: return &kernels_portable;
  }
}

void engine_gemm(engine_path path, size_t m, size_t n, size_t k, const float *a, size_t a_stride,
                 const float *packed, const float *bias, engine_activation activation, float *c,
                 size_t c_stride) {
  table(path)->gemm(m, n, k, a, a_stride, packed, bias, activation, c, c_stride);
}

void engine_attention(engine_path path, size_t query_rows, size_t tokens, size_t head_size,
                      float scale, const float *q, size_t q_stride, const float *k, const float *v,
                      size_t kv_stride, float *out, size_t out_stride, float *scratch) {
  table(path)->attention(query_rows, tokens, head_size, scale, q, q_stride, k, v, kv_stride, out,
                         out_stride, scratch);
}

size_t engine_attention_scratch_floats(size_t tokens, size_t head_size) {
  size_t padded_tokens = round_up(tokens, PANEL), padded_size = round_up(head_size, PANEL);
  return padded_tokens * head_size + padded_size * tokens + ATTENTION_ROWS * padded_tokens;
}

void engine_softmax(engine_path path, size_t rows, size_t n, float scale, float *x, size_t stride) {
  table(path)->softmax(rows, n, scale, x, stride);
}

void engine_layer_norm(engine_path path, size_t rows, size_t n, float *x, const float *residual,
                       const float *gain, const float *bias, float epsilon) {
  table(path)->layer_norm(rows, n, x, residual, gain, bias, epsilon);
}

void engine_activate(engine_path path, engine_activation activation, size_t count, float *x) {
  table(path)->activate(activation, count, x);
}

size_t engine_packed_floats(size_t n, size_t k) { return round_up(n, PANEL) * k; }

void engine_pack(size_t n, size_t k, const float *rows, float *packed) {
  for (size_t first = 0; first < n; first += PANEL, packed += PANEL * k) {
    size_t count = n - first < PANEL ? n - first : PANEL;
    if (count < PANEL) memset(packed, 0, PANEL * k * sizeof(float));
    for (size_t i = 0; i < k; i++)
      for (size_t row = 0; row < count; row++) packed[i * PANEL + row] = rows[(first + row) * k + i];
  }
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
