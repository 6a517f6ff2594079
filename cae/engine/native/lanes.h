// A few numbers computed at a time. Each operation is one IEEE operation a number, so that no finite result
// depends on how many go together: every instruction set gives the same bits.
#pragma once

// load_some, store_some: the first `count` numbers where there may be fewer than LANES; the others are 0, or
// are not written.

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
#endif
