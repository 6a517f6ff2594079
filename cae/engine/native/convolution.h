// [Upsampling by a whole number] → convolution of stride 1 → [ReLU] → [max-pooling], and its gradients.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// One axis of the images, rows or columns.
typedef struct {
  int size;            // of the input
  int kernel;          // taps of the kernel
  int before, after;   // zeros around the upsampled input
  int output;          // size after the convolution
  int window, stride;  // of the pooling; 0 without pooling
  int outside;         // pixels that pooling adds before, which never win
  int pooled;          // size after pooling; `output` without pooling
} Axis;

typedef struct {
  int images, channels, filters, scale;
  bool relu;
  Axis y, x;
} Layer;

// Images are float[N][rows][columns][channels], kernels float[rows][columns][channels][filters].
// winner has the shape of the result: from which pixel each number comes, as row · pitch + column with the
// pitch of plan.h; -1 where ReLU returned 0. Used only with pooling, which needs scale 1.
typedef struct {
  void (*forward)(const Layer *layer, const float *in, const float *kernel, const float *bias, float *out,
                  float *winner);
  void (*input_gradient)(const Layer *layer, const float *kernel, const float *out, const float *winner,
                         const float *gradient, float *in_gradient);
  void (*kernel_gradient)(const Layer *layer, const float *in, const float *out, const float *winner,
                          const float *gradient, float *kernel_gradient, float *bias_gradient);
} Convolution;

// The same functions, compiled for several instruction sets.
extern const Convolution portable, avx2, avx512;
