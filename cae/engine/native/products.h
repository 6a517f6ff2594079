// The sums in which a convolution and its gradients spend their time, over an image laid out as one line of
// pixels: a neighbour is a fixed number of floats away. A tile of sums at a time is kept in registers.
#pragma once

#include <stdint.h>

#include "lanes.h"

// The sizes of tiles: sums that stay in registers, with weights and a value (measured).
#define PIXELS (REGISTERS == 32 ? 16 : 12)
#define PIXELS_OF_TWO (REGISTERS == 32 ? 12 : 6)
#define ROWS (REGISTERS == 32 ? 8 : 6)
#define WIDE (REGISTERS == 32 ? 6 : 3)
// Parts of one sum that are computed side by side: an addition need not wait for the one before.
#define TOGETHER 4
// Lines are read and written past their end, by up to so many pixels.
#define SLACK 16

INLINE void correlate_tile(const float *in, int stride, const int32_t *offset, int rows, const float *kernel,
                           int width, const float *start, float *out, int pixels, int blocks) {
  Lanes sum[PIXELS][2];
  EACH (p, pixels)
    EACH (b, blocks) sum[p][b] = load(start + b * LANES);
  for (int r = 0; r < rows; r++, kernel += width) {
    const float *at = in + offset[r];
    __asm__("" : "+r"(at));  // one address for all pixels: compilers would keep one for each
    Lanes weight[2];
    EACH (b, blocks) weight[b] = load(kernel + b * LANES);
    EACH (p, pixels) {
      Lanes value = all(at[p * stride]);
      EACH (b, blocks) sum[p][b] = multiply_add(value, weight[b], sum[p][b]);
    }
  }
  EACH (p, pixels)
    EACH (b, blocks) store(out + p * width + b * LANES, sum[p][b]);
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
  // A stride that is a constant at compile time needs no register.
  switch (stride) {
    case 1: correlate_with(in, 1, offset, rows, kernel, width, start, out, count); break;
    case 8: correlate_with(in, 8, offset, rows, kernel, width, start, out, count); break;
    case 16: correlate_with(in, 16, offset, rows, kernel, width, start, out, count); break;
    case 32: correlate_with(in, 32, offset, rows, kernel, width, start, out, count); break;
    default: correlate_with(in, stride, offset, rows, kernel, width, start, out, count);
  }
}

INLINE void accumulate_tile(const float *in, int stride, const int32_t *offset, int rows, int rows_left,
                            const float *other, int width, float *out, int count, int blocks) {
  Lanes sum[ROWS][2];
  EACH (r, rows)
    EACH (b, blocks) sum[r][b] = all(0);
  for (int q = 0; q < count; q++, in += stride, other += width) {
    Lanes factor[2];
    EACH (b, blocks) factor[b] = load(other + b * LANES);
    EACH (r, rows) {
      Lanes value = all(in[offset[r]]);
      EACH (b, blocks) sum[r][b] = multiply_add(value, factor[b], sum[r][b]);
    }
  }
  EACH (r, rows)
    EACH (b, blocks) {
      float *to = out + r * width + b * LANES;
      if (r < rows_left) store(to, plus(load(to), sum[r][b]));
    }
}

INLINE void accumulate_rows(const float *in, int stride, const int32_t *offset, int rows, int rows_left,
                            const float *other, int width, float *out, int count) {
  int done = 0;
  for (; done + 2 * LANES <= width; done += 2 * LANES)
    accumulate_tile(in, stride, offset, rows, rows_left, other + done, width, out + done, count, 2);
  if (done < width)
    accumulate_tile(in, stride, offset, rows, rows_left, other + done, width, out + done, count, 1);
}

// out[r][f] += Σ_q in[q·stride + offset[r]] · other[q][f],  r < rows,  q < count,  f < width, whole lanes
// The list of offsets is read past its end, by up to ROWS.
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
  EACH (k, TOGETHER)
    EACH (v, vectors) sum[k][v] = all(0);
  for (int i = 0; i < count; i += TOGETHER)
    EACH (k, TOGETHER) {
      const float *at = in + offset[i + k];
      Lanes value = all(factor[i + k]);
      EACH (v, vectors) sum[k][v] = multiply_add(load(at + v * LANES), value, sum[k][v]);
    }
  EACH (v, vectors) {
    Lanes total = load(out + v * LANES);
    EACH (k, TOGETHER) total = plus(total, sum[k][v]);
    store(out + v * LANES, total);
  }
}

// out[l] += Σ_i in[offset[i] + l] · factor[i],  i < count rounded up to TOGETHER,  l < width, whole lanes
static void gather(const float *in, const int32_t *offset, const float *factor, int count, float *out,
                   int width) {
  int done = 0;
  for (; done + WIDE * LANES <= width; done += WIDE * LANES)
    gather_tile(in + done, offset, factor, count, out + done, WIDE);
  for (; done < width; done += LANES) gather_tile(in + done, offset, factor, count, out + done, 1);
}

INLINE void scatter_tile(const float *in, Lanes factor, float *out, int vectors) {
  EACH (v, vectors) store(out + v * LANES, multiply_add(load(in + v * LANES), factor, load(out + v * LANES)));
}

// out[offset[i] + y·pitch + l] += in[y][l] · factor[i],  y < rows,  l < width, whole lanes,  i < count
static void scatter(const float *in, int rows, int width, const int32_t *offset, const float *factor,
                    int count, float *out, int pitch) {
  for (int i = 0; i < count; i++) {
    Lanes value = all(factor[i]);
    for (int y = 0; y < rows; y++) {
      float *to = out + offset[i] + y * pitch;
      const float *from = in + y * width;
      int l = 0;
      for (; l + 3 * LANES <= width; l += 3 * LANES) scatter_tile(from + l, value, to + l, 3);
      for (; l < width; l += LANES) scatter_tile(from + l, value, to + l, 1);
    }
  }
}
