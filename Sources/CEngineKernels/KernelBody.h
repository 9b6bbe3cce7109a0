/// The kernels, written once over vectors of 16 floats; the compiler makes of a vector what the
/// including file's target has: one register, two or four. The including file sets TILE_ROWS and
/// TILE_PANELS (the part of the product kept in registers) and KERNEL_TABLE (the table's name).

#include "KernelTable.h"

#include <math.h>
#include <string.h>

// Vectors are passed only between functions that are inlined into one another, so the calling
// convention that this warning is about never comes into play.
#pragma clang diagnostic ignored "-Wpsabi"

typedef float vec __attribute__((vector_size(64)));
typedef float vec_unaligned __attribute__((vector_size(64), aligned(4), may_alias));
typedef int32_t ivec __attribute__((vector_size(64)));

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("clang loop unroll(full)")

INLINE vec load(const float *p) { return *(const vec_unaligned *)p; }
INLINE void store(float *p, vec v) { *(vec_unaligned *)p = v; }
INLINE vec splat(float x) { return (vec){x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x}; }

/// The first `count` floats (fewer than a vector), the others zero.
INLINE vec load_part(const float *p, size_t count) {
  float part[PANEL] = {0};
  memcpy(part, p, count * sizeof(float));
  return load(part);
}

INLINE void store_part(float *p, vec v, size_t count) {
  float part[PANEL];
  store(part, v);
  memcpy(p, part, count * sizeof(float));
}

INLINE vec select_where(ivec mask, vec yes, vec no) {
  return (vec)((mask & (ivec)yes) | (~mask & (ivec)no));
}

INLINE float sum_of(vec v) {
  float part[PANEL];
  store(part, v);
  for (int width = PANEL / 2; width > 0; width /= 2)
    for (int i = 0; i < width; i++) part[i] += part[i + width];
  return part[0];
}

INLINE float max_of(vec v) {
  float part[PANEL];
  store(part, v);
  float most = part[0];
  for (int i = 1; i < PANEL; i++) most = part[i] > most ? part[i] : most;
  return most;
}

/// e^x to about two units in the last place, for x within the exponents of normal floats; beyond
/// them the nearest such value. NaN stays NaN, so that a broken weight is seen in the score.
/// x = n·ln 2 + r with |r| ≤ ln 2 / 2, and e^r by its Taylor series, whose eighth term is below
/// 6e-9.
INLINE vec exp_of(vec x) {
  const float to_integer = 12582912.0f;  // 1.5·2²³: the sum's low bits are the rounded integer.
  x = select_where(x < -87.0f, splat(-87.0f), x);
  x = select_where(x > 88.0f, splat(88.0f), x);
  vec shifted = x * 1.44269504f + to_integer;
  vec n = shifted - to_integer;
  vec r = x - n * 0.693359375f;
  r = r + n * 2.12194440e-4f;
  vec p = splat(1.0f / 5040);
  p = p * r + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  ivec exponent = ((ivec)shifted - 0x4B400000 + 127) << 23;
  return p * (vec)exponent;
}

/// x·Φ(x), with erfc by formula 7.1.26 of Abramowitz and Stegun, whose error is at most 1.5e-7. The
/// negative side is taken from erfc itself, so that nothing cancels there.
INLINE vec gelu_of(vec x) {
  vec z = __builtin_elementwise_abs(x) * 0.70710678f;
  vec t = 1.0f / (z * 0.3275911f + 1.0f);
  vec p = splat(1.061405429f);
  p = p * t - 1.453152027f;
  p = p * t + 1.421413741f;
  p = p * t - 0.284496736f;
  p = p * t + 0.254829592f;
  vec half_erfc = p * t * exp_of(-z * z) * 0.5f;
  return select_where(x < 0.0f, x * half_erfc, x - x * half_erfc);
}

/// ½x(1 + tanh u) is x·sigmoid(2u), u = √(2/π)(x + 0.044715x³).
INLINE vec gelu_tanh_of(vec x) {
  vec u = x * (x * x * 0.044715f + 1.0f) * 0.79788456f;
  return x / (exp_of(u * -2.0f) + 1.0f);
}

INLINE vec activated(engine_activation activation, vec x) {
  switch (activation) {
    case ENGINE_ACTIVATION_NONE: return x;
    case ENGINE_ACTIVATION_GELU: return gelu_of(x);
    case ENGINE_ACTIVATION_GELU_TANH: return gelu_tanh_of(x);
    case ENGINE_ACTIVATION_RELU: return select_where(x < 0.0f, splat(0), x);
  }
}

static void activate(engine_activation activation, size_t count, float *x) {
  size_t i = 0;
  for (; i + PANEL <= count; i += PANEL) store(x + i, activated(activation, load(x + i)));
  if (i < count) store_part(x + i, activated(activation, load_part(x + i, count - i)), count - i);
}

/// rows × (panels · 16) outputs, kept in registers over all of k. rows and panels are constants
/// where this is called, so that the loops over them vanish.
INLINE void tile(const size_t rows, const size_t panels, size_t columns, size_t k, const float *a,
                 size_t a_stride, const float *packed, const float *bias, float *c,
                 size_t c_stride) {
  vec sums[TILE_ROWS][TILE_PANELS];
  UNROLL for (size_t row = 0; row < rows; row++)
    UNROLL for (size_t panel = 0; panel < panels; panel++) sums[row][panel] = splat(0);
  for (size_t i = 0; i < k; i++) {
    vec weights[TILE_PANELS];
    UNROLL for (size_t panel = 0; panel < panels; panel++)
      weights[panel] = load(packed + (panel * k + i) * PANEL);
    UNROLL for (size_t row = 0; row < rows; row++) {
      vec activations = splat(a[row * a_stride + i]);
      UNROLL for (size_t panel = 0; panel < panels; panel++)
        sums[row][panel] = sums[row][panel] + activations * weights[panel];
    }
  }
  UNROLL for (size_t panel = 0; panel < panels; panel++) {
    size_t here = columns - panel * PANEL < PANEL ? columns - panel * PANEL : PANEL;
    const float *bias_here = bias + panel * PANEL;
    vec added = !bias ? splat(0) : here == PANEL ? load(bias_here) : load_part(bias_here, here);
    UNROLL for (size_t row = 0; row < rows; row++) {
      float *out = c + row * c_stride + panel * PANEL;
      if (here == PANEL) store(out, sums[row][panel] + added);
      else store_part(out, sums[row][panel] + added, here);
    }
  }
}

/// A tile of any number of rows up to TILE_ROWS.
INLINE void tile_of_rows(size_t rows, const size_t panels, size_t columns, size_t k, const float *a,
                         size_t a_stride, const float *packed, const float *bias, float *c,
                         size_t c_stride) {
  switch (rows) {
#define ROWS(count)                                                                   \
  case count:                                                                         \
    tile(count, panels, columns, k, a, a_stride, packed, bias, c, c_stride);          \
    break;
    ROWS(1)
    ROWS(2)
#if TILE_ROWS > 2
    ROWS(3)
    ROWS(4)
    ROWS(5)
    ROWS(6)
#endif
#if TILE_ROWS > 6
    ROWS(7)
    ROWS(8)
    ROWS(9)
    ROWS(10)
    ROWS(11)
    ROWS(12)
#endif
#undef ROWS
  }
}

static void gemm(size_t m, size_t n, size_t k, const float *a, size_t a_stride, const float *packed,
                 const float *bias, engine_activation activation, float *c, size_t c_stride) {
  // Panels outside, rows inside: the panels stay in cache while all rows pass by.
  for (size_t column = 0; column < n; column += TILE_PANELS * PANEL) {
    const float *panels = packed + column * k;
    const float *bias_here = bias ? bias + column : NULL;
    size_t columns = n - column < TILE_PANELS * PANEL ? n - column : TILE_PANELS * PANEL;
    for (size_t row = 0; row < m; row += TILE_ROWS) {
      size_t rows = m - row < TILE_ROWS ? m - row : TILE_ROWS;
      const float *a_here = a + row * a_stride;
      float *c_here = c + row * c_stride + column;
      if (columns > (TILE_PANELS - 1) * PANEL)
        tile_of_rows(rows, TILE_PANELS, columns, k, a_here, a_stride, panels, bias_here, c_here,
                     c_stride);
      else
        tile_of_rows(rows, 1, columns, k, a_here, a_stride, panels, bias_here, c_here, c_stride);
      // The tile is still in the first-level cache.
      if (activation != ENGINE_ACTIVATION_NONE)
        for (size_t i = 0; i < rows; i++) activate(activation, columns, c_here + i * c_stride);
    }
  }
}

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
    .gemm = gemm,
    .attention = attention,
    .softmax = softmax,
    .layer_norm = layer_norm,
    .activate = activate,
};
