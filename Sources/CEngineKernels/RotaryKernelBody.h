/// The kernels of RotaryKernels.h, over the vectors and the product of KernelBody.h, which the
/// including file has included before; it names the table in ROTARY_KERNEL_TABLE.

#include "RotaryKernelTable.h"

static void rms_norm(size_t rows, size_t n, const float *x, size_t x_stride, const float *gain,
                     float epsilon, float *out, size_t out_stride) {
  size_t whole = n / PANEL * PANEL, rest = n - whole;
  for (size_t row = 0; row < rows; row++, x += x_stride, out += out_stride) {
    vec tail = load_part(x + whole, rest);
    vec squares = splat(0);
    for (size_t i = 0; i < whole; i += PANEL) squares += load(x + i) * load(x + i);
    squares += tail * tail;
    float inverse = 1.0f / sqrtf(sum_of(squares) / (float)n + epsilon);
    for (size_t i = 0; i < whole; i += PANEL) store(out + i, load(x + i) * inverse * load(gain + i));
    if (rest) store_part(out + whole, tail * inverse * load_part(gain + whole, rest), rest);
  }
}

static void rotate(size_t rows, size_t heads, size_t head_size, const float *cosines,
                   const float *sines, float *x, size_t stride) {
  size_t half = head_size / 2;
  for (size_t row = 0; row < rows; row++, cosines += half, sines += half) {
    for (size_t head = 0; head < heads; head++) {
      float *first = x + row * stride + head * head_size, *second = first + half;
      size_t i = 0;
      for (; i + PANEL <= half; i += PANEL) {
        vec a = load(first + i), b = load(second + i), c = load(cosines + i), s = load(sines + i);
        store(first + i, a * c - b * s);
        store(second + i, b * c + a * s);
      }
      if (i < half) {
        size_t rest = half - i;
        vec a = load_part(first + i, rest), b = load_part(second + i, rest);
        vec c = load_part(cosines + i, rest), s = load_part(sines + i, rest);
        store_part(first + i, a * c - b * s, rest);
        store_part(second + i, b * c + a * s, rest);
      }
    }
  }
}

/// Packs one part's keys into panels of 16 positions, and its values into panels of 16 columns.
/// Both have room for all `tokens` positions; the part's begin at `first`.
static void pack_key_rows(engine_key_rows rows, size_t first, size_t tokens, size_t head_size,
                          float *packed_keys, float *packed_values) {
  for (size_t row = 0; row < rows.count; row++) {
    size_t token = first + row;
    const float *key = rows.keys + row * rows.stride, *value = rows.values + row * rows.stride;
    float *panel = packed_keys + token / PANEL * PANEL * head_size + token % PANEL;
    for (size_t i = 0; i < head_size; i++) panel[i * PANEL] = key[i];
    for (size_t i = 0; i < head_size; i += PANEL) {
      size_t count = head_size - i < PANEL ? head_size - i : PANEL;
      store(packed_values + i * tokens + token * PANEL,
            count == PANEL ? load(value + i) : load_part(value + i, count));
    }
  }
}

/// Softmax of scale·x over the columns [from, to), zeros in the others. x has room for whole
/// vectors. Columns must keep their place within a vector whatever the block, for the sum's order.
static void span_softmax(size_t from, size_t to, size_t columns, float scale, float *x) {
  ivec index = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  size_t first = from / PANEL * PANEL, end = round_up(to, PANEL);
  vec most = splat(-INFINITY);
  for (size_t i = first; i < end; i += PANEL) {
    ivec column = index + (int32_t)i;
    ivec inside = (column >= (int32_t)from) & (column < (int32_t)to);
    vec here = select_where(inside, load(x + i), splat(-INFINITY));
    store(x + i, here);
    most = select_where(here > most, here, most);
  }
  float maximum = max_of(most);
  vec sum = splat(0);
  for (size_t i = first; i < end; i += PANEL) {
    ivec column = index + (int32_t)i;
    ivec inside = (column >= (int32_t)from) & (column < (int32_t)to);
    vec e = select_where(inside, exp_of((load(x + i) - maximum) * scale), splat(0));
    sum += e;
    store(x + i, e);
  }
  float inverse = 1.0f / sum_of(sum);
  for (size_t i = 0; i < first; i++) x[i] = 0;
  for (size_t i = first; i < end; i += PANEL) store(x + i, load(x + i) * inverse);
  for (size_t i = end; i < columns; i++) x[i] = 0;
}

static void span_attention(size_t query_rows, size_t first_position, size_t heads, size_t head_size,
                           engine_span span, float scale, const float *q, size_t q_stride,
                           engine_key_rows shared, engine_key_rows own, float *out,
                           size_t out_stride, float *scratch) {
  size_t tokens = shared.count + own.count;
  size_t padded_tokens = round_up(tokens, PANEL), padded_size = round_up(head_size, PANEL);
  float *packed_keys = scratch;
  float *packed_values = packed_keys + padded_tokens * head_size;
  float *scores = packed_values + padded_size * tokens;

  size_t whole = tokens / PANEL * PANEL;
  memset(packed_keys + whole * head_size, 0, (padded_tokens - whole) * head_size * sizeof(float));
  pack_key_rows(shared, 0, tokens, head_size, packed_keys, packed_values);
  pack_key_rows(own, shared.count, tokens, head_size, packed_keys, packed_values);

  for (size_t row = 0; row < query_rows; row += ATTENTION_ROWS) {
    size_t rows = query_rows - row < ATTENTION_ROWS ? query_rows - row : ATTENTION_ROWS;
    size_t first = first_position + row, last = first + rows - 1;
    // What any row of the block sees, from a whole vector on.
    size_t from = first > span.before ? (first - span.before) / PANEL * PANEL : 0;
    size_t to = span.after < tokens - last ? last + span.after + 1 : tokens;
    for (size_t head = 0; head < heads; head++) {
      gemm(rows, to - from, head_size, q + row * q_stride + head * head_size, q_stride,
           packed_keys + from * head_size, NULL, ENGINE_ACTIVATION_NONE, scores, padded_tokens);
      for (size_t i = 0; i < rows; i++) {
        size_t position = first + i;
        size_t seen_from = position > span.before ? position - span.before : 0;
        size_t seen_to = span.after < tokens - position ? position + span.after + 1 : tokens;
        span_softmax(seen_from - from, seen_to - from, to - from, scale, scores + i * padded_tokens);
      }
      // A panel at a time, since the block's positions are a part of each.
      for (size_t column = 0; column < head_size; column += PANEL) {
        size_t columns = head_size - column < PANEL ? head_size - column : PANEL;
        gemm(rows, columns, to - from, scores, padded_tokens,
             packed_values + column * tokens + from * PANEL, NULL, ENGINE_ACTIVATION_NONE,
             out + row * out_stride + head * head_size + column, out_stride);
      }
    }
  }
}

INLINE vec gate_of(engine_gate gate, vec x) {
  switch (gate) {
    case ENGINE_GATE_GELU: return gelu_of(x);
    case ENGINE_GATE_GELU_TANH: return gelu_tanh_of(x);
    case ENGINE_GATE_RELU: return select_where(x < 0.0f, splat(0), x);
    case ENGINE_GATE_SILU: return x / (exp_of(-x) + 1.0f);
  }
}

static void gated(engine_gate gate, size_t rows, size_t n, const float *x, float *out) {
  size_t whole = n / PANEL * PANEL, rest = n - whole;
  for (size_t row = 0; row < rows; row++, x += 2 * n, out += n) {
    for (size_t i = 0; i < whole; i += PANEL)
      store(out + i, gate_of(gate, load(x + i)) * load(x + n + i));
    if (rest)
      store_part(out + whole,
                 gate_of(gate, load_part(x + whole, rest)) * load_part(x + n + whole, rest), rest);
  }
}

const rotary_kernel_table ROTARY_KERNEL_TABLE = {
    .rms_norm = rms_norm,
    .rotate = rotate,
    .span_attention = span_attention,
    .gated = gated,
};
