// Vectors of LANES numbers. Each operation is one IEEE operation per number, so no finite result depends on
// the length of a vector: every instruction set gives the same bits.
#pragma once

#include <stdint.h>

// load_some, store_some: only the first `count` numbers, which may be fewer than LANES; the others are 0, or
// are not written. load_columns: lane l of column[c] is from[l · stride + c],  c < 4.

#if defined(__AVX512F__)
#include <immintrin.h>
#define LANES 16
#define REGISTERS 32
typedef __m512 Lanes;
static inline Lanes load(const float *from) { return _mm512_loadu_ps(from); }
static inline void store(float *to, Lanes value) { _mm512_storeu_ps(to, value); }
static inline Lanes all(float value) { return _mm512_set1_ps(value); }
static inline Lanes plus(Lanes a, Lanes b) { return _mm512_add_ps(a, b); }
static inline Lanes multiply_add(Lanes a, Lanes b, Lanes c) { return _mm512_fmadd_ps(a, b, c); }
static inline Lanes if_equal(Lanes a, Lanes b, Lanes then, Lanes otherwise) {
  return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ), otherwise, then);
}
static inline Lanes if_at_most(Lanes a, Lanes b, Lanes then, Lanes otherwise) {
  return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LE_OQ), otherwise, then);
}

static inline __mmask16 first(int count) { return count < LANES ? (1u << count) - 1 : 0xffff; }
static inline Lanes load_some(const float *from, int count) {
  return _mm512_maskz_loadu_ps(first(count), from);
}
static inline void store_some(float *to, Lanes value, int count) {
  _mm512_mask_storeu_ps(to, first(count), value);
}
static inline void load_columns(const float *from, int64_t stride, Lanes column[4]) {
  Lanes row[4];
  for (int r = 0; r < 4; r++, from += stride) {
    // Rows r, r + 4, r + 8 and r + 12.
    row[r] = _mm512_castps128_ps512(_mm_loadu_ps(from));
    row[r] = _mm512_insertf32x4(row[r], _mm_loadu_ps(from + 4 * stride), 1);
    row[r] = _mm512_insertf32x4(row[r], _mm_loadu_ps(from + 8 * stride), 2);
    row[r] = _mm512_insertf32x4(row[r], _mm_loadu_ps(from + 12 * stride), 3);
  }
  __m512d low = _mm512_castps_pd(_mm512_unpacklo_ps(row[0], row[1]));
  __m512d low2 = _mm512_castps_pd(_mm512_unpacklo_ps(row[2], row[3]));
  __m512d high = _mm512_castps_pd(_mm512_unpackhi_ps(row[0], row[1]));
  __m512d high2 = _mm512_castps_pd(_mm512_unpackhi_ps(row[2], row[3]));
  column[0] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, low2));
  column[1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, low2));
  column[2] = _mm512_castpd_ps(_mm512_unpacklo_pd(high, high2));
  column[3] = _mm512_castpd_ps(_mm512_unpackhi_pd(high, high2));
}

#elif defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
#define LANES 8
#define REGISTERS 16
typedef __m256 Lanes;
static inline Lanes load(const float *from) { return _mm256_loadu_ps(from); }
static inline void store(float *to, Lanes value) { _mm256_storeu_ps(to, value); }
static inline Lanes all(float value) { return _mm256_set1_ps(value); }
static inline Lanes plus(Lanes a, Lanes b) { return _mm256_add_ps(a, b); }
static inline Lanes multiply_add(Lanes a, Lanes b, Lanes c) { return _mm256_fmadd_ps(a, b, c); }
static inline Lanes if_equal(Lanes a, Lanes b, Lanes then, Lanes otherwise) {
  return _mm256_blendv_ps(otherwise, then, _mm256_cmp_ps(a, b, _CMP_EQ_OQ));
}
static inline Lanes if_at_most(Lanes a, Lanes b, Lanes then, Lanes otherwise) {
  return _mm256_blendv_ps(otherwise, then, _mm256_cmp_ps(a, b, _CMP_LE_OQ));
}
static inline __m256i first(int count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
static inline Lanes load_some(const float *from, int count) { return _mm256_maskload_ps(from, first(count)); }
static inline void store_some(float *to, Lanes value, int count) {
  _mm256_maskstore_ps(to, first(count), value);
}
static inline void load_columns(const float *from, int64_t stride, Lanes column[4]) {
  Lanes row[4];
  for (int r = 0; r < 4; r++, from += stride)  // rows r and r + 4
    row[r] =
        _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(from)), _mm_loadu_ps(from + 4 * stride), 1);
  Lanes low = _mm256_unpacklo_ps(row[0], row[1]), low2 = _mm256_unpacklo_ps(row[2], row[3]);
  Lanes high = _mm256_unpackhi_ps(row[0], row[1]), high2 = _mm256_unpackhi_ps(row[2], row[3]);
  column[0] = _mm256_shuffle_ps(low, low2, 0x44), column[1] = _mm256_shuffle_ps(low, low2, 0xee);
  column[2] = _mm256_shuffle_ps(high, high2, 0x44), column[3] = _mm256_shuffle_ps(high, high2, 0xee);
}

#elif defined(__aarch64__)
#include <arm_neon.h>
#define LANES 4
#define REGISTERS 32
typedef float32x4_t Lanes;
static inline Lanes load(const float *from) { return vld1q_f32(from); }
static inline void store(float *to, Lanes value) { vst1q_f32(to, value); }
static inline Lanes all(float value) { return vdupq_n_f32(value); }
static inline Lanes plus(Lanes a, Lanes b) { return vaddq_f32(a, b); }
static inline Lanes multiply_add(Lanes a, Lanes b, Lanes c) { return vfmaq_f32(c, a, b); }
static inline Lanes if_equal(Lanes a, Lanes b, Lanes then, Lanes otherwise) {
  return vbslq_f32(vceqq_f32(a, b), then, otherwise);
}
static inline Lanes if_at_most(Lanes a, Lanes b, Lanes then, Lanes otherwise) {
  return vbslq_f32(vcleq_f32(a, b), then, otherwise);
}
static inline Lanes load_some(const float *from, int count) {
  float some[LANES] = {0};
  for (int i = 0; i < LANES && i < count; i++) some[i] = from[i];
  return load(some);
}
static inline void store_some(float *to, Lanes value, int count) {
  float some[LANES];
  store(some, value);
  for (int i = 0; i < LANES && i < count; i++) to[i] = some[i];
}
static inline void load_columns(const float *from, int64_t stride, Lanes column[4]) {
  Lanes low = vtrn1q_f32(load(from), load(from + stride)), high = vtrn2q_f32(load(from), load(from + stride));
  from += 2 * stride;
  Lanes low2 = vtrn1q_f32(load(from), load(from + stride)),
        high2 = vtrn2q_f32(load(from), load(from + stride));
  column[0] = vcombine_f32(vget_low_f32(low), vget_low_f32(low2));
  column[1] = vcombine_f32(vget_low_f32(high), vget_low_f32(high2));
  column[2] = vcombine_f32(vget_high_f32(low), vget_high_f32(low2));
  column[3] = vcombine_f32(vget_high_f32(high), vget_high_f32(high2));
}

#else
#include <math.h>
#include <string.h>
#define LANES 4
#define REGISTERS 16
typedef struct {
  float at[LANES];
} Lanes;
static inline Lanes load(const float *from) {
  Lanes value;
  memcpy(&value, from, sizeof value);
  return value;
}
static inline void store(float *to, Lanes value) { memcpy(to, &value, sizeof value); }
static inline Lanes all(float value) { return (Lanes){{value, value, value, value}}; }
static inline Lanes plus(Lanes a, Lanes b) {
  for (int i = 0; i < LANES; i++) a.at[i] += b.at[i];
  return a;
}
static inline Lanes multiply_add(Lanes a, Lanes b, Lanes c) {
  for (int i = 0; i < LANES; i++) c.at[i] = fmaf(a.at[i], b.at[i], c.at[i]);
  return c;
}
static inline Lanes if_equal(Lanes a, Lanes b, Lanes then, Lanes otherwise) {
  for (int i = 0; i < LANES; i++) otherwise.at[i] = a.at[i] == b.at[i] ? then.at[i] : otherwise.at[i];
  return otherwise;
}
static inline Lanes if_at_most(Lanes a, Lanes b, Lanes then, Lanes otherwise) {
  for (int i = 0; i < LANES; i++) otherwise.at[i] = a.at[i] <= b.at[i] ? then.at[i] : otherwise.at[i];
  return otherwise;
}
static inline Lanes load_some(const float *from, int count) {
  Lanes value = all(0);
  for (int i = 0; i < LANES && i < count; i++) value.at[i] = from[i];
  return value;
}
static inline void store_some(float *to, Lanes value, int count) {
  for (int i = 0; i < LANES && i < count; i++) to[i] = value.at[i];
}
static inline void load_columns(const float *from, int64_t stride, Lanes column[4]) {
  for (int c = 0; c < 4; c++)
    for (int i = 0; i < LANES; i++) column[c].at[i] = from[i * stride + c];
}
#endif

static inline int minimum(int a, int b) { return a < b ? a : b; }
static inline int maximum(int a, int b) { return a > b ? a : b; }

#define INLINE static inline __attribute__((always_inline))
#ifdef __clang__
#define UNROLLED _Pragma("clang loop unroll(full)")
#else
#define UNROLLED _Pragma("GCC unroll 32")
#endif
// A loop whose count is known at compile time, completely unrolled: arrays of Lanes become registers.
#define EACH(i, count) UNROLLED for (int i = 0; i < (count); i++)
