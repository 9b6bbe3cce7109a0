/// Vectors of 16 floats and the functions of them that the kernels share. The compiler makes of a
/// vector what the including file's target has: one register, two or four.
#ifndef VECTOR_MATH_H
#define VECTOR_MATH_H

#include "KernelTable.h"

#include <math.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// Vectors are passed only between functions that are inlined into one another, so the calling
// convention that this warning is about never comes into play.
#pragma clang diagnostic ignored "-Wpsabi"

typedef float vec __attribute__((vector_size(64)));
typedef float vec_unaligned __attribute__((vector_size(64), aligned(4), may_alias));
typedef int32_t ivec __attribute__((vector_size(64)));
typedef int32_t ivec_unaligned __attribute__((vector_size(64), aligned(4), may_alias));
typedef uint16_t half_vec __attribute__((vector_size(32)));
typedef uint16_t half_vec_unaligned __attribute__((vector_size(32), aligned(2), may_alias));
typedef int8_t byte_vec __attribute__((vector_size(16)));
typedef int8_t byte_vec_unaligned __attribute__((vector_size(16), aligned(1), may_alias));

#define INLINE static inline __attribute__((always_inline))
#define JOIN_NAMES(a, b) a##_##b
#define JOIN(a, b) JOIN_NAMES(a, b)
#define UNROLL _Pragma("clang loop unroll(full)")

INLINE vec load(const float *p) { return *(const vec_unaligned *)p; }
INLINE void store(float *p, vec v) { *(vec_unaligned *)p = v; }
INLINE vec splat(float x) { return (vec){x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x}; }
INLINE ivec isplat(int32_t x) {
  return (ivec){x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x};
}

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

/// To bfloat16, to the nearest and to even between two; NaN stays NaN.
INLINE half_vec to_brain(vec v) {
  ivec bits = (ivec)v;
  ivec rounded = bits + 0x7FFF + ((bits >> 16) & 1);
  ivec is_nan = v != v;
  rounded = (is_nan & (bits | 0x400000)) | (~is_nan & rounded);
  return __builtin_convertvector((rounded >> 16) & 0xFFFF, half_vec);
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

#if defined(VECTOR_HAS_TABLES)
/// x·Φ(x) = max(x, 0) - h(|x|) with h(u) = u·Φ(-u), which is 0.17 at most and below 7e-7 from 5.16
/// on. Around each multiple of 1/3, h is a polynomial of the fourth degree, fitted to h in double
/// precision at 64 Chebyshev nodes; sixteen of them fill one register a coefficient, and the
/// argument's rounded third part chooses. Error: 7e-7 at most.
INLINE vec gelu_of(vec x) {
  static const float table[5][PANEL] = {
      {-1.13839416e-09f, 0.123147108f, 0.16832836f, 0.158655256f, 0.121614963f, 0.0796505883f,
       0.0455002636f, 0.0229024328f, 0.0102143474f, 0.0040496937f, 0.00143020099f, 0.000450510182f,
       0.00012668506f, 3.18215643e-05f, 7.14295129e-06f, 1.43326747e-06f},
      {0.166666776f, 0.0812170506f, 0.0131776221f, -0.0277705304f, -0.0424893871f, -0.039335493f,
       -0.0284113195f, -0.0171235278f, -0.00885316916f, -0.00398188364f, -0.00157055759f,
       -0.000545982155f, -0.000167848018f, -4.57385795e-05f, -1.10665978e-05f, -2.38046164e-06f},
      {-0.0443285592f, -0.0396016277f, -0.0276066512f, -0.0134431077f, -0.00202511903f,
       0.00429825066f, 0.00599901704f, 0.00501786172f, 0.00323597714f, 0.00172353408f,
       0.000780665549f, 0.000305350724f, 0.000104083047f, 3.11006443e-05f, 8.17953787e-06f,
       1.89900675e-06f},
      {8.1739945e-06f, 0.00299722143f, 0.0046438775f, 0.00446024118f, 0.00299593247f,
       0.00125939155f, 1.15303928e-05f, -0.000537516782f, -0.000580451335f, -0.000410342705f,
       -0.00022671753f, -0.000103622493f, -4.02163423e-05f, -1.34463799e-05f, -3.90794503e-06f,
       -9.93187541e-07f},
      {0.000806840311f, 0.00062455039f, 0.000178883944f, -0.000245844072f, -0.000442554971f,
       -0.000393934228f, -0.000222410701f, -6.12746153e-05f, 2.7228376e-05f, 4.97549408e-05f,
       3.93513692e-05f, 2.24633022e-05f, 1.02648564e-05f, 3.91091999e-06f, 1.26846442e-06f,
       3.54558068e-07f},
  };
  const __m512 to_integer = _mm512_set1_ps(12582912.0f);  // As in exp_of.
  const float last = 15.49f;
  // Of two operands one of which is NaN, min and max give the second.
  __m512 u = _mm512_mul_ps(_mm512_abs_ps(x), _mm512_set1_ps(3));
  __mmask16 counts = _mm512_cmp_ps_mask(u, _mm512_set1_ps(last), _CMP_LT_OQ);
  __m512 shifted = _mm512_add_ps(_mm512_min_ps(u, _mm512_set1_ps(last)), to_integer);
  __m512 r = _mm512_sub_ps(u, _mm512_sub_ps(shifted, to_integer));
  __m512i place = _mm512_castps_si512(shifted);  // Only the low four bits choose.
#define COEFFICIENT(n) _mm512_permutexvar_ps(place, _mm512_loadu_ps(table[n]))
  __m512 h = COEFFICIENT(4);
  h = _mm512_fmadd_ps(h, r, COEFFICIENT(3));
  h = _mm512_fmadd_ps(h, r, COEFFICIENT(2));
  h = _mm512_fmadd_ps(h, r, COEFFICIENT(1));
  h = _mm512_fmadd_ps(h, r, COEFFICIENT(0));
#undef COEFFICIENT
  return _mm512_sub_ps(_mm512_max_ps(_mm512_setzero_ps(), x), _mm512_maskz_mov_ps(counts, h));
}
#else
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
#endif

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

static inline void activate(engine_activation activation, size_t count, float *x) {
  size_t i = 0;
  for (; i + PANEL <= count; i += PANEL) store(x + i, activated(activation, load(x + i)));
  if (i < count) store_part(x + i, activated(activation, load_part(x + i, count - i)), count - i);
}

#endif
