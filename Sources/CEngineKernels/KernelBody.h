/// The fp32 kernels. The including file sets TILE_ROWS and TILE_PANELS (the part of the product kept
/// in registers) and KERNEL_TABLE (the table's name).

#include "VectorMath.h"

INLINE vec float_load_weights(const uint8_t *p) { return load((const float *)p); }
INLINE vec float_multiply_add(vec sum, ivec a, vec w) { return sum + (vec)a * w; }
#define SUM vec
#define WEIGHTS vec
#define WEIGHT_STEP 64
#define KIND float
#include "ProductBody.h"

static void softmax(size_t rows, size_t n, float scale, float *x, size_t stride) {
  size_t whole = n / PANEL * PANEL, rest = n - whole;
  ivec index = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  ivec in_rest = index < (int32_t)rest;
  for (size_t row = 0; row < rows; row++, x += stride) {
    vec tail = select_where(in_rest, load_part(x + whole, rest), splat(-INFINITY));
    vec most = tail;
    for (size_t i = 0; i < whole; i += PANEL) {
      vec here = load(x + i);
      most = select_where(here > most, here, most);
    }
    float maximum = max_of(most);
    vec sum = splat(0);
    for (size_t i = 0; i < whole; i += PANEL) {
      vec e = exp_of((load(x + i) - maximum) * scale);
      sum += e;
      store(x + i, e);
    }
    tail = select_where(in_rest, exp_of((tail - maximum) * scale), splat(0));
    float inverse = 1.0f / sum_of(sum + tail);
    for (size_t i = 0; i < whole; i += PANEL) store(x + i, load(x + i) * inverse);
    if (rest) store_part(x + whole, tail * inverse, rest);
  }
}

/// c[m][n] = activation(a[m][k] · packedᵀ + bias). Strides are in floats; bias may be null.
static void gemm(size_t m, size_t n, size_t k, const float *a, size_t a_stride, const float *packed,
                 const float *bias, engine_activation activation, float *c, size_t c_stride) {
  product p = {
      .rows = m,
      .outputs = n,
      .steps = k,
      .input = (const uint8_t *)a,
      .input_stride = a_stride * sizeof(float),
      .panels = (const uint8_t *)packed,
      .bias = bias,
      .activation = activation,
      .output = c,
      .output_stride = c_stride,
      .output_type = ENGINE_TYPE_FLOAT32,
  };
  float_product(&p);
}

static void attention(size_t query_rows, size_t tokens, size_t head_size, float scale,
                      const float *q, size_t q_stride, const float *k, const float *v,
                      size_t kv_stride, float *out, size_t out_stride, float *scratch) {
  size_t padded_tokens = round_up(tokens, PANEL), padded_size = round_up(head_size, PANEL);
  float *packed_keys = scratch;
  float *packed_values = packed_keys + padded_tokens * head_size;
  float *scores = packed_values + padded_size * tokens;

  memset(packed_keys, 0, padded_tokens * head_size * sizeof(float));
  for (size_t token = 0; token < tokens; token++) {
    float *panel = packed_keys + token / PANEL * PANEL * head_size + token % PANEL;
    for (size_t i = 0; i < head_size; i++) panel[i * PANEL] = k[token * kv_stride + i];
  }
  for (size_t first = 0; first < head_size; first += PANEL) {
    size_t count = head_size - first < PANEL ? head_size - first : PANEL;
    float *panel = packed_values + first * tokens;
    for (size_t token = 0; token < tokens; token++) {
      const float *value = v + token * kv_stride + first;
      store(panel + token * PANEL, count == PANEL ? load(value) : load_part(value, count));
    }
  }
  for (size_t row = 0; row < query_rows; row += ATTENTION_ROWS) {
    size_t rows = query_rows - row < ATTENTION_ROWS ? query_rows - row : ATTENTION_ROWS;
    gemm(rows, tokens, head_size, q + row * q_stride, q_stride, packed_keys, NULL,
         ENGINE_ACTIVATION_NONE, scores, padded_tokens);
    softmax(rows, tokens, scale, scores, padded_tokens);
    gemm(rows, head_size, tokens, scores, padded_tokens, packed_values, NULL,
         ENGINE_ACTIVATION_NONE, out + row * out_stride, out_stride);
  }
}

static void layer_norm(size_t rows, size_t n, float *x, const float *residual, const float *gain,
                       const float *bias, float epsilon) {
  size_t whole = n / PANEL * PANEL, rest = n - whole;
  ivec index = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  ivec in_rest = index < (int32_t)rest;
  for (size_t row = 0; row < rows; row++, x += n) {
    vec tail = load_part(x + whole, rest);
    vec sum = splat(0);
    if (residual) {
      const float *added = residual + row * n;
      for (size_t i = 0; i < whole; i += PANEL) store(x + i, load(x + i) + load(added + i));
      tail += load_part(added + whole, rest);
    }
    for (size_t i = 0; i < whole; i += PANEL) sum += load(x + i);
    float mean = sum_of(sum + tail) / (float)n;
    vec squares = splat(0);
    for (size_t i = 0; i < whole; i += PANEL) {
      vec away = load(x + i) - mean;
      squares += away * away;
    }
    tail = select_where(in_rest, tail - mean, splat(0));
    squares += tail * tail;
    float inverse = 1.0f / sqrtf(sum_of(squares) / (float)n + epsilon);
    for (size_t i = 0; i < whole; i += PANEL)
      store(x + i, (load(x + i) - mean) * inverse * load(gain + i) + load(bias + i));
    if (rest) {
      vec last = tail * inverse * load_part(gain + whole, rest) + load_part(bias + whole, rest);
      store_part(x + whole, last, rest);
    }
  }
}

const kernel_table KERNEL_TABLE = {
    .product = float_product,
    .attention = attention,
    .softmax = softmax,
    .layer_norm = layer_norm,
    .activate = activate,
};
