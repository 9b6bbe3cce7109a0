/// The 8-bit kernels. The including file sets TILE_ROWS, TILE_PANELS and BYTE_KERNELS (the table's
/// name). BYTE_DOT says that one instruction multiplies and adds four unsigned bytes by four signed
/// ones (AVX-512 VNNI); it takes the activations with 128 added, which the sums' start takes back.
/// Elsewhere activations and weights are widened to 16 bits, two of whose products always fit 32;
/// BYTE_PAIRS_512 and BYTE_PAIRS_256 say which instruction adds two of them up. So every path comes
/// to the same integers.

#include "VectorMath.h"

#if defined(BYTE_DOT)

#define STEP_INPUTS 4
#define WEIGHT_STEP 64
#define WEIGHTS ivec
INLINE ivec byte_load_weights(const uint8_t *p) { return *(const ivec_unaligned *)p; }
INLINE ivec byte_multiply_add(ivec sum, ivec a, ivec w) {
  return (ivec)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)a, (__m512i)w);
}

#else

typedef int16_t wide_vec __attribute__((vector_size(64)));
typedef int8_t narrow_vec __attribute__((vector_size(32), aligned(1), may_alias));

#define STEP_INPUTS 2
#define WEIGHT_STEP 32
#define WEIGHTS ivec
INLINE ivec byte_load_weights(const uint8_t *p) {
  return (ivec)__builtin_convertvector(*(const narrow_vec *)p, wide_vec);
}
INLINE ivec byte_multiply_add(ivec sum, ivec a, ivec w) {
#if defined(BYTE_PAIRS_512)
  return sum + (ivec)_mm512_madd_epi16((__m512i)a, (__m512i)w);
#elif defined(BYTE_PAIRS_256)
#define LOW(v) (__m256i) __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7)
#define HIGH(v) (__m256i) __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15)
  typedef int32_t half_ivec __attribute__((vector_size(32)));
  half_ivec low = (half_ivec)_mm256_madd_epi16(LOW(a), LOW(w));
  half_ivec high = (half_ivec)_mm256_madd_epi16(HIGH(a), HIGH(w));
  return sum
         + __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#undef LOW
#undef HIGH
#else
  return sum + ((a << 16) >> 16) * ((w << 16) >> 16) + (a >> 16) * (w >> 16);
#endif
}

#endif

#define SUM ivec
#define INTEGERS
#define KIND byte
#include "ProductBody.h"
#undef INTEGERS

/// Writes the integers nearest to each x·inverse, even between two.
INLINE void store_quantised(uint8_t *row, size_t i, vec x, float inverse) {
  // A fused product and sum would round once instead of twice, and paths would differ.
#pragma clang fp contract(off)
  // 1.5·2²³ leaves the rounded integer in the sum's low bits; what stands above them is cut off.
#if defined(BYTE_DOT)
  ivec bits = (ivec)(x * inverse + (12582912.0f + 128.0f));
  *(byte_vec_unaligned *)(row + i) = __builtin_convertvector(bits, byte_vec);
#else
  typedef int16_t short_vec __attribute__((vector_size(32)));
  typedef int16_t short_vec_unaligned __attribute__((vector_size(32), aligned(2), may_alias));
  ivec bits = (ivec)(x * inverse + 12582912.0f);
  *(short_vec_unaligned *)(row + 2 * i) = __builtin_convertvector(bits, short_vec);
#endif
}

/// One group of one row: quantised to ±127, and the scale that gives the floats back.
INLINE float quantise_group(size_t count, const float *x, uint8_t *row, size_t first) {
  size_t whole = count / PANEL * PANEL, rest = count - whole;
  vec tail = load_part(x + whole, rest);
  // Without their signs, floats are in the order of their bits, with infinity and NaN above all.
  ivec most = (ivec)tail & 0x7FFFFFFF;
  for (size_t i = 0; i < whole; i += PANEL)
    most = __builtin_elementwise_max(most, (ivec)load(x + i) & 0x7FFFFFFF);
  int32_t bits = __builtin_reduce_max(most);
  float maximum;
  memcpy(&maximum, &bits, sizeof maximum);
  // Below this, 127 / maximum is beyond a float; the group counts as zero.
  float inverse = maximum > 1e-35f && maximum < INFINITY ? 127.0f / maximum : 0.0f;
  for (size_t i = 0; i < whole; i += PANEL)
    store_quantised(row, first + i, load(x + i), inverse);
  if (rest) store_quantised(row, first + whole, tail, inverse);
  // NaN for infinity and NaN.
  return inverse == 0.0f ? maximum * 0.0f : maximum / 127.0f;
}

static void byte_prepare(size_t rows, size_t inputs, size_t group, const float *x, size_t stride,
                         uint8_t *out, size_t out_stride, float *scales) {
  for (size_t row = 0; row < rows; row++, x += stride, out += out_stride)
    for (size_t first = 0; first < inputs; first += group, scales++)
      *scales = quantise_group(inputs - first < group ? inputs - first : group, x + first, out,
                               first);
}

const byte_kernels BYTE_KERNELS = {
    .step_inputs = STEP_INPUTS,
    .product = byte_product,
    .prepare = byte_prepare,
};

#undef TILE_ROWS
#undef TILE_PANELS
