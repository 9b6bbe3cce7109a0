/// The bfloat16 kernels: products of numbers rounded to bfloat16, summed in fp32. The including file
/// sets TILE_ROWS, TILE_PANELS and BRAIN_KERNELS (the table's name), and BRAIN_DOT where one
/// instruction multiplies and adds two pairs (AVX-512 BF16).

#include "VectorMath.h"

#define SUM vec
#define WEIGHTS ivec
#define WEIGHT_STEP 64
INLINE ivec brain_load_weights(const uint8_t *p) { return *(const ivec_unaligned *)p; }
INLINE vec brain_multiply_add(vec sum, ivec a, ivec w) {
#if defined(BRAIN_DOT)
  return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)w);
#else
  const int32_t high = (int32_t)0xFFFF0000;
  sum = sum + (vec)(a << 16) * (vec)(w << 16);
  return sum + (vec)(a & high) * (vec)(w & high);
#endif
}
#define KIND brain
#include "ProductBody.h"

#if defined(BRAIN_DOT)
#include "BrainAttention.h"
#endif

INLINE void store_brain(uint16_t *p, vec v) {
#if defined(BRAIN_DOT)
  // Rounds the same way, and flushes denormals, which the products would do anyway.
  *(half_vec_unaligned *)p = (half_vec)_mm512_cvtneps_pbh(v);
#else
  *(half_vec_unaligned *)p = to_brain(v);
#endif
}

static void brain_prepare(size_t rows, size_t inputs, const float *x, size_t stride, uint16_t *out,
                          size_t out_stride) {
  size_t whole = inputs / PANEL * PANEL, rest = inputs - whole;
  for (size_t row = 0; row < rows; row++, x += stride, out += out_stride) {
    for (size_t i = 0; i < whole; i += PANEL)
      store_brain(out + i, load(x + i));
    if (rest) store_brain(out + whole, load_part(x + whole, rest));
  }
}

static void brain_widen(size_t outputs, size_t inputs, size_t group, const int8_t *bytes,
                        const float *scales, size_t scale_stride, uint16_t *panels) {
  size_t steps = round_up(inputs, 2) / 2, group_steps = group / 2;
  for (size_t panel = 0; panel < outputs; panel += PANEL) {
    const float *scales_here = scales + panel;
    for (size_t first = 0; first < steps; first += group_steps, scales_here += scale_stride) {
      size_t end = steps - first < group_steps ? steps : first + group_steps;
      // A step has two inputs of each output, side by side.
      vec scale = load(scales_here);
      vec low = __builtin_shufflevector(scale, scale, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
      vec high = __builtin_shufflevector(scale, scale, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
                                         14, 14, 15, 15);
      for (size_t step = first; step < end; step++, bytes += 2 * PANEL, panels += 2 * PANEL) {
        byte_vec one = *(const byte_vec_unaligned *)bytes;
        byte_vec two = *(const byte_vec_unaligned *)(bytes + PANEL);
        store_brain(panels, __builtin_convertvector(one, vec) * low);
        store_brain(panels + PANEL, __builtin_convertvector(two, vec) * high);
      }
    }
  }
}

const brain_kernels BRAIN_KERNELS = {
    .product = brain_product,
    .prepare = brain_prepare,
    .widen = brain_widen,
#if defined(BRAIN_DOT)
    .attention = brain_attention,
#endif
};

#undef TILE_ROWS
#undef TILE_PANELS
