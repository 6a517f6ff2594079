// Products, functions, losses and sums: what training needs besides convolutions.
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { EXP, LOG, SIGMOID, TANH, GELU, GELU_SLOPE, SQRT, RECIPROCAL, FUNCTIONS };
enum { CROSS_ENTROPY, SIGMOID_SQUARED_ERROR, SQUARED_ERROR, LOSSES };

typedef struct {
  // out (rows, columns) = start (columns) + a (rows, inner) · b (inner, columns)
  void (*product)(const float *a, const float *b, const float *start, float *out, int rows, int inner,
                  int columns, bool transpose_a, bool transpose_b);
  void (*functions[FUNCTIONS])(const float *x, int64_t count, float *y);
  // outputs, targets and slopes (images, size), losses (images)
  void (*losses[LOSSES])(const float *outputs, const float *targets, int64_t images, int64_t size,
                         float *losses, float *slopes);
  // out[a][c] = Σ_b in[a][b][c]
  void (*sum)(const float *in, int64_t outer, int64_t middle, int64_t inner, float *out);
} Arithmetic;

// The same functions, compiled for several instruction sets.
extern const Arithmetic portable_arithmetic, avx2_arithmetic, avx512_arithmetic;
