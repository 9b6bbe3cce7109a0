/// Attention in bfloat16, with AVX-512 BF16: one head of one sequence. Scores and softmax are fp32;
/// the probabilities stay unnormalised, are rounded to bfloat16 as the second product reads them,
/// and the output is divided by the sum of the rounded ones.

/// Query rows at a time: one tile's, whose scores stay in the first-level cache.
#define BLOCK_ROWS 12

/// Exchanges rows and columns of 16 × 16 numbers of 32 bits.
INLINE void transpose(__m512i r[16]) {
  __m512i t[16];
  UNROLL for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
  }
  UNROLL for (int i = 0; i < 16; i += 4) {
    r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
  // r[4i + j] now has columns j, j + 4, j + 8 and j + 12 of rows 4i to 4i + 3.
  UNROLL for (int j = 0; j < 4; j++) {
    t[j] = _mm512_shuffle_i32x4(r[j], r[j + 4], 0x88);
    t[j + 4] = _mm512_shuffle_i32x4(r[j], r[j + 4], 0xDD);
    t[j + 8] = _mm512_shuffle_i32x4(r[j + 8], r[j + 12], 0x88);
    t[j + 12] = _mm512_shuffle_i32x4(r[j + 8], r[j + 12], 0xDD);
  }
  UNROLL for (int j = 0; j < 4; j++) {
    r[j] = _mm512_shuffle_i32x4(t[j], t[j + 8], 0x88);
    r[j + 8] = _mm512_shuffle_i32x4(t[j], t[j + 8], 0xDD);
    r[j + 4] = _mm512_shuffle_i32x4(t[j + 4], t[j + 12], 0x88);
    r[j + 12] = _mm512_shuffle_i32x4(t[j + 4], t[j + 12], 0xDD);
  }
}

/// Keys as the weights of a product: [tokens/16][head_size/2][16][2], zeros beyond the tokens.
INLINE void pack_keys(size_t tokens, size_t head_size, const uint16_t *k, size_t stride,
                      uint16_t *packed) {
  for (size_t token = 0; token < tokens; token += PANEL)
    for (size_t first = 0; first < head_size; first += 2 * PANEL, packed += 2 * PANEL * PANEL) {
      __m512i rows[PANEL];
      UNROLL for (size_t i = 0; i < PANEL; i++)
        rows[i] = token + i < tokens ? _mm512_loadu_si512(k + (token + i) * stride + first)
                                     : _mm512_setzero_si512();
      transpose(rows);
      UNROLL for (size_t i = 0; i < PANEL; i++) _mm512_storeu_si512(packed + i * 2 * PANEL, rows[i]);
    }
}

/// Values as the weights of a product: [head_size/16][tokens/2][16][2].
INLINE void pack_values(size_t tokens, size_t head_size, const uint16_t *v, size_t stride,
                        uint16_t *packed) {
  __m512i low = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, 39,
                                 7, 38, 6, 37, 5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
  __m512i high = _mm512_add_epi16(low, _mm512_set1_epi16(16));
  size_t panel = round_up(tokens, 2) * PANEL;
  for (size_t first = 0; first < head_size; first += 2 * PANEL, packed += 2 * panel)
    for (size_t token = 0; token < tokens; token += 2) {
      const uint16_t *here = v + token * stride + first;
      __m512i one = _mm512_loadu_si512(here);
      __m512i two = token + 1 < tokens ? _mm512_loadu_si512(here + stride) : _mm512_setzero_si512();
      uint16_t *out = packed + token * PANEL;
      _mm512_storeu_si512(out, _mm512_permutex2var_epi16(one, low, two));
      _mm512_storeu_si512(out + panel, _mm512_permutex2var_epi16(one, high, two));
    }
}

/// 2^x by a polynomial of the third degree, to 2e-4 of its value: bfloat16 rounds ten times more.
INLINE __m512 power_of_two(__m512 x) {
  __m512 n = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  __m512 f = _mm512_sub_ps(x, n);
  __m512 p = _mm512_set1_ps(0.0550886838f);
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.242604051f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.693276242f));
  p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.99992894f));
  return _mm512_scalef_ps(p, n);
}

/// One row: e^((x - max x)·scale) rounded to bfloat16, and the sum of what was written. scores has
/// room for a multiple of 32, and so has out, which gets zeros beyond the tokens.
INLINE float exponentials(size_t tokens, float scale, const float *scores, uint16_t *out) {
  __m512 most = _mm512_set1_ps(-INFINITY);
  size_t whole = tokens / PANEL * PANEL;
  __mmask16 rest = (__mmask16)((1u << (tokens - whole)) - 1);
  for (size_t i = 0; i < whole; i += PANEL) most = _mm512_max_ps(most, _mm512_loadu_ps(scores + i));
  if (rest) {
    __m512 tail = _mm512_mask_loadu_ps(_mm512_set1_ps(-INFINITY), rest, scores + whole);
    most = _mm512_max_ps(most, tail);
  }
  __m512 factor = _mm512_set1_ps(scale * 1.44269504f);
  __m512 offset = _mm512_mul_ps(_mm512_set1_ps(_mm512_reduce_max_ps(most)), factor);
  __m512 sum = _mm512_setzero_ps();
  __m512bh ones = (__m512bh)_mm512_set1_epi16(0x3F80);
  size_t i = 0;
  for (; i + 2 * PANEL <= tokens; i += 2 * PANEL) {
    __m512 first = power_of_two(_mm512_fmsub_ps(_mm512_loadu_ps(scores + i), factor, offset));
    __m512 second =
        power_of_two(_mm512_fmsub_ps(_mm512_loadu_ps(scores + i + PANEL), factor, offset));
    __m512bh rounded = _mm512_cvtne2ps_pbh(second, first);
    sum = _mm512_dpbf16_ps(sum, rounded, ones);
    _mm512_storeu_si512(out + i, (__m512i)rounded);
  }
  if (i < tokens) {
    uint32_t mask = (1u << (tokens - i)) - 1;
    __m512 first = power_of_two(_mm512_fmsub_ps(_mm512_loadu_ps(scores + i), factor, offset));
    __m512 second = power_of_two(_mm512_fmsub_ps(
        _mm512_maskz_loadu_ps((__mmask16)(mask >> 16), scores + i + PANEL), factor, offset));
    first = _mm512_maskz_mov_ps((__mmask16)mask, first);
    second = _mm512_maskz_mov_ps((__mmask16)(mask >> 16), second);
    __m512bh rounded = _mm512_cvtne2ps_pbh(second, first);
    sum = _mm512_dpbf16_ps(sum, rounded, ones);
    _mm512_storeu_si512(out + i, (__m512i)rounded);
  }
  return _mm512_reduce_add_ps(sum);
}

static void brain_attention(size_t query_rows, size_t tokens, size_t head_size, float scale,
                            const uint16_t *q, size_t q_stride, const uint16_t *k,
                            const uint16_t *v, size_t kv_stride, float *out, size_t out_stride,
                            void *scratch) {
  size_t padded = round_up(tokens, 2 * PANEL);
  float *scores = scratch;
  uint16_t *weights = (uint16_t *)(scores + BLOCK_ROWS * padded);
  uint16_t *keys = weights + BLOCK_ROWS * padded;
  uint16_t *values = keys + padded * head_size;
  pack_keys(tokens, head_size, k, kv_stride, keys);
  pack_values(tokens, head_size, v, kv_stride, values);
  for (size_t row = 0; row < query_rows; row += BLOCK_ROWS) {
    size_t rows = query_rows - row < BLOCK_ROWS ? query_rows - row : BLOCK_ROWS;
    product score = {
        .rows = rows,
        .outputs = round_up(tokens, PANEL),
        .steps = head_size / 2,
        .input = (const uint8_t *)(q + row * q_stride),
        .input_stride = q_stride * sizeof(uint16_t),
        .panels = (const uint8_t *)keys,
        .output = scores,
        .output_stride = padded,
        .output_type = ENGINE_TYPE_FLOAT32,
    };
    brain_product(&score);
    float sums[BLOCK_ROWS];
    for (size_t i = 0; i < rows; i++)
      sums[i] = exponentials(tokens, scale, scores + i * padded, weights + i * padded);
    float *out_here = out + row * out_stride;
    product weighted = {
        .rows = rows,
        .outputs = head_size,
        .steps = round_up(tokens, 2) / 2,
        .input = (const uint8_t *)weights,
        .input_stride = padded * sizeof(uint16_t),
        .panels = (const uint8_t *)values,
        .output = out_here,
        .output_stride = out_stride,
        .output_type = ENGINE_TYPE_FLOAT32,
    };
    brain_product(&weighted);
    for (size_t i = 0; i < rows; i++) {
      float inverse = 1.0f / sums[i];
      for (size_t j = 0; j < head_size; j += PANEL) {
        float *p = out_here + i * out_stride + j;
        store(p, load(p) * inverse);
      }
    }
  }
}
