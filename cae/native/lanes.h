// A few numbers computed at a time. Each operation is one IEEE operation a number, so that no result depends
// on how many go together: every instruction set gives the same bits.
#pragma once

#if defined(__AVX512F__)
#include <immintrin.h>
#define LANES 16
#define REGISTERS 32
typedef __m512 Lanes;
static inline Lanes load(const float *from) { return _mm512_loadu_ps(from); }
static inline void store(float *to, Lanes value) { _mm512_storeu_ps(to, value); }
static inline Lanes all(float value) { return _mm512_set1_ps(value); }
static inline Lanes multiply_add(Lanes a, Lanes b, Lanes c) { return _mm512_fmadd_ps(a, b, c); }

#elif defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
#define LANES 8
#define REGISTERS 16
typedef __m256 Lanes;
static inline Lanes load(const float *from) { return _mm256_loadu_ps(from); }
static inline void store(float *to, Lanes value) { _mm256_storeu_ps(to, value); }
static inline Lanes all(float value) { return _mm256_set1_ps(value); }
static inline Lanes multiply_add(Lanes a, Lanes b, Lanes c) { return _mm256_fmadd_ps(a, b, c); }

#else
#include <math.h>
#include <string.h>
#define LANES 4
#define REGISTERS 32
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
static inline Lanes multiply_add(Lanes a, Lanes b, Lanes c) {
  for (int i = 0; i < LANES; i++) c.at[i] = fmaf(a.at[i], b.at[i], c.at[i]);
  return c;
}
#endif
