#include "RotaryKernelTable.h"

static const rotary_kernel_table *table(engine_path path) {
  switch (path) {
#if defined(__x86_64__)
    case ENGINE_PATH_AVX512_BF16:
    case ENGINE_PATH_AVX512_VNNI:
    case ENGINE_PATH_AVX512: return &rotary_kernels_avx512;
    case ENGINE_PATH_AVX2: return &rotary_kernels_avx2;
#endif
    default: return &rotary_kernels_portable;
  }
}

void engine_rms_norm(engine_path path, size_t rows, size_t n, const float *x, size_t x_stride,
                     const float *gain, float epsilon, float *out, size_t out_stride) {
  table(path)->rms_norm(rows, n, x, x_stride, gain, epsilon, out, out_stride);
}

void engine_rotate(engine_path path, size_t rows, size_t heads, size_t head_size,
                   const float *cosines, const float *sines, float *x, size_t stride) {
  table(path)->rotate(rows, heads, head_size, cosines, sines, x, stride);
}

size_t engine_span_attention_scratch_floats(size_t tokens, size_t head_size) {
  size_t padded_tokens = round_up(tokens, PANEL), padded_size = round_up(head_size, PANEL);
  return padded_tokens * head_size + padded_size * tokens + ATTENTION_ROWS * padded_tokens;
}

void engine_span_attention(engine_path path, size_t query_rows, size_t first_position, size_t heads,
                           size_t head_size, engine_span span, float scale, const float *q,
                           size_t q_stride, engine_key_rows shared, engine_key_rows own, float *out,
                           size_t out_stride, float *scratch) {
  table(path)->span_attention(query_rows, first_position, heads, head_size, span, scale, q,
                              q_stride, shared, own, out, out_stride, scratch);
}

void engine_gated(engine_path path, engine_gate gate, size_t rows, size_t n, const float *x,
                  float *out) {
  table(path)->gated(gate, rows, n, x, out);
}
