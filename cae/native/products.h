// The two sums in which a convolution and its gradients spend their time, over a picture laid out as one line
// of pixels: a neighbour is a fixed number of floats away. The sums stay in registers.
#pragma once

#include <stdint.h>

#include "lanes.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLLED _Pragma("GCC unroll 32")

// As many sums at a time as there are registers beside two weights and one value.
#define PIXELS (REGISTERS == 32 ? 16 : 12)
#define PIXELS_OF_TWO (REGISTERS == 32 ? 12 : 6)
#define ROWS (REGISTERS == 32 ? 8 : 6)
// So many sums of one kind side by side: an addition need not wait for the one before.
#define TOGETHER 4
#define WIDE (REGISTERS == 32 ? 6 : 3)
// Lines are read and written past their end by up to so many pixels, lists of rows by so many rows.
#define SLACK 16

INLINE void correlate_tile(const float *in, int stride, const int32_t *offset, int rows, const float *kernel,
                           int width, const float *start, float *out, int pixels, int blocks) {
  Lanes sum[PIXELS][2];
  UNROLLED for (int p = 0; p < pixels; p++)
    UNROLLED for (int b = 0; b < blocks; b++) sum[p][b] = load(start + b * LANES);
  for (int r = 0; r < rows; r++, kernel += width) {
    const float *at = in + offset[r];
    __asm__("" : "+r"(at));  // one address for all pixels: compilers would keep one for each
    Lanes weight[2];
    UNROLLED for (int b = 0; b < blocks; b++) weight[b] = load(kernel + b * LANES);
    UNROLLED for (int p = 0; p < pixels; p++) {
      Lanes value = all(at[p * stride]);
      UNROLLED for (int b = 0; b < blocks; b++) sum[p][b] = multiply_add(value, weight[b], sum[p][b]);
    }
  }
  UNROLLED for (int p = 0; p < pixels; p++)
    UNROLLED for (int b = 0; b < blocks; b++) store(out + p * width + b * LANES, sum[p][b]);
}

INLINE void correlate_with(const float *in, int stride, const int32_t *offset, int rows, const float *kernel,
                           int width, const float *start, float *out, int count) {
  int done = 0;
  for (; done + 2 * LANES <= width; done += 2 * LANES)
    for (int q = 0; q < count; q += PIXELS_OF_TWO)
      correlate_tile(in + q * stride, stride, offset, rows, kernel + done, width, start + done,
                     out + q * width + done, PIXELS_OF_TWO, 2);
  if (done < width)
    for (int q = 0; q < count; q += PIXELS)
      correlate_tile(in + q * stride, stride, offset, rows, kernel + done, width, start + done,
                     out + q * width + done, PIXELS, 1);
}

// out[q][f] = start[f] + Σ_r in[q·stride + offset[r]] · kernel[r][f],  q < count,  f < width, whole lanes
static void correlate(const float *in, int stride, const int32_t *offset, int rows, const float *kernel,
                      int width, const float *start, float *out, int count) {
  // A stride that is known where the loop is compiled costs no register.
  switch (stride) {
    case 1: correlate_with(in, 1, offset, rows, kernel, width, start, out, count); break;
    case 8: correlate_with(in, 8, offset, rows, kernel, width, start, out, count); break;
    case 16: correlate_with(in, 16, offset, rows, kernel, width, start, out, count); break;
    case 32: correlate_with(in, 32, offset, rows, kernel, width, start, out, count); break;
    default: correlate_with(in, stride, offset, rows, kernel, width, start, out, count);
  }
}

INLINE void accumulate_tile(const float *in, int stride, const int32_t *offset, int rows, int rows_left, const float *other,
                            int width, float *out, int count, int blocks) {
  Lanes sum[ROWS][2];
  UNROLLED for (int r = 0; r < rows; r++) UNROLLED for (int b = 0; b < blocks; b++) sum[r][b] = all(0);
  for (int q = 0; q < count; q++, in += stride, other += width) {
    Lanes factor[2];
    UNROLLED for (int b = 0; b < blocks; b++) factor[b] = load(other + b * LANES);
    UNROLLED for (int r = 0; r < rows; r++) {
      Lanes value = all(in[offset[r]]);
      UNROLLED for (int b = 0; b < blocks; b++) sum[r][b] = multiply_add(value, factor[b], sum[r][b]);
    }
  }
  UNROLLED for (int r = 0; r < rows; r++)
    UNROLLED for (int b = 0; b < blocks; b++) {
      float *to = out + r * width + b * LANES;
      if (r < rows_left) store(to, plus(load(to), sum[r][b]));
    }
}

INLINE void accumulate_rows(const float *in, int stride, const int32_t *offset, int rows, int rows_left,
                            const float *other, int width, float *out, int count) {
  int done = 0;
  for (; done + 2 * LANES <= width; done += 2 * LANES)
    accumulate_tile(in, stride, offset, rows, rows_left, other + done, width, out + done, count, 2);
  if (done < width) accumulate_tile(in, stride, offset, rows, rows_left, other + done, width, out + done, count, 1);
}

// out[r][f] += Σ_q in[q·stride + offset[r]] · other[q][f],  r < rows,  q < count,  f < width, whole lanes
static void accumulate(const float *in, int stride, const int32_t *offset, int rows, const float *other,
                       int width, float *out, int count) {
  for (int r = 0; r < rows; r += ROWS)
    // 3 × 3 taps of one channel leave one row over.
    if (rows - r == 1)
      accumulate_rows(in, stride, offset + r, 1, 1, other, width, out + r * width, count);
    else
      accumulate_rows(in, stride, offset + r, ROWS, rows - r, other, width, out + r * width, count);
}

INLINE void gather_tile(const float *in, const int32_t *offset, const float *factor, int count, float *out,
                        int vectors) {
  Lanes sum[TOGETHER][WIDE];
  UNROLLED for (int k = 0; k < TOGETHER; k++) UNROLLED for (int v = 0; v < vectors; v++) sum[k][v] = all(0);
  for (int i = 0; i < count; i += TOGETHER)
    UNROLLED for (int k = 0; k < TOGETHER; k++) {
      const float *at = in + offset[i + k];
      Lanes value = all(factor[i + k]);
      UNROLLED for (int v = 0; v < vectors; v++)
        sum[k][v] = multiply_add(load(at + v * LANES), value, sum[k][v]);
    }
  UNROLLED for (int v = 0; v < vectors; v++) {
    Lanes total = load(out + v * LANES);
    UNROLLED for (int k = 0; k < TOGETHER; k++) total = plus(total, sum[k][v]);
    store(out + v * LANES, total);
  }
}

// out[l] += Σ_i in[offset[i] + l] · factor[i],  i < count rounded up to TOGETHER,  l < width, whole lanes
static void gather(const float *in, const int32_t *offset, const float *factor, int count, float *out, int width) {
  int done = 0;
  for (; done + WIDE * LANES <= width; done += WIDE * LANES)
    gather_tile(in + done, offset, factor, count, out + done, WIDE);
  for (; done < width; done += LANES) gather_tile(in + done, offset, factor, count, out + done, 1);
}

// out[offset[i] + y·pitch + l] += in[y][l] · factor[i],  y < rows,  l < width, whole lanes,  i < count
static void scatter(const float *in, int rows, int width, const int32_t *offset, const float *factor, int count,
                    float *out, int pitch) {
  for (int i = 0; i < count; i++) {
    Lanes value = all(factor[i]);
    for (int y = 0; y < rows; y++) {
      float *to = out + offset[i] + y * pitch;
      const float *from = in + y * width;
      int l = 0;
      for (; l + 3 * LANES <= width; l += 3 * LANES)
        UNROLLED for (int k = l; k < l + 3 * LANES; k += LANES)
          store(to + k, multiply_add(load(from + k), value, load(to + k)));
      for (; l < width; l += LANES) store(to + l, multiply_add(load(from + l), value, load(to + l)));
    }
  }
}
