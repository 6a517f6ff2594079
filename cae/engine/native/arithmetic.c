// Compiled once for every instruction set, as INSTRUCTIONS.
#include "arithmetic.h"

#include "functions.h"
#include "memory.h"
#include "product.h"

static void multiply(const float *a, const float *b, const float *start, float *out, int rows, int inner,
                     int columns, bool transpose_a, bool transpose_b) {
  release_memory();
  product(a, b, start, out, rows, inner, columns, transpose_a, transpose_b);
}

#define JOIN(name) name##_arithmetic
#define NAMED(name) JOIN(name)

const Arithmetic NAMED(INSTRUCTIONS) = {
    .product = multiply,
    .functions = {exp_all, log_all, sigmoid_all, tanh_all, gelu_all, gelu_slope_all, sqrt_all,
                  reciprocal_all},
    .losses = {cross_entropy_all, sigmoid_squared_error_all, squared_error_all},
    .sum = sum_middle,
};
