// Between pictures, float[rows][columns][channels], and the lines and blocks of a plan.
#pragma once

#include <math.h>

#include "plan.h"

// Lay out an image whose pixels take `width` floats on the line; what lies between its rows stays as it is.
static void lay(const Layer *layer, const Plan *plan, const float *image, int width, float *line) {
  int channels = layer->channels, columns = layer->x.size;
  line += plan->origin * width;
  for (int y = 0; y < layer->y.size; y++, line += plan->pitch * width, image += columns * channels)
    if (width == channels)
      memcpy(line, image, columns * channels * sizeof(float));
    else
      for (int x = 0; x < columns; x++)
        memcpy(line + x * width, image + x * channels, channels * sizeof(float));
}

// The way back.
static void take_up(const Layer *layer, const Plan *plan, const float *line, int width, float *image) {
  int channels = layer->channels, columns = layer->x.size;
  line += plan->origin * width;
  for (int y = 0; y < layer->y.size; y++, line += plan->pitch * width, image += columns * channels)
    if (width == channels)
      memcpy(image, line, columns * channels * sizeof(float));
    else
      for (int x = 0; x < columns; x++)
        memcpy(image + x * channels, line + x * width, channels * sizeof(float));
}

// From the results of all phases to the layer's result. What is not a number is not at most 0, and gets
// through.
static void finish(const Layer *layer, const Plan *plan, const float *blocks, int width, float *out) {
  int filters = layer->filters;
  for (int i = 0; i < layer->y.output; i++)
    for (int j = 0; j < layer->x.output; j++, out += filters)
      for (int f = 0; f < filters; f += LANES) {
        Lanes value = load(blocks + (plan->row[i] + plan->column[j]) * width + f);
        if (layer->relu) value = if_at_most(value, all(0), all(0), value);
        store_some(out + f, value, filters - f);
      }
}

// A few numbers of the gradient in front of ReLU, from those behind it: 0 where ReLU gave 0.
static inline Lanes through_relu(const Layer *layer, const float *out, const float *gradient, int count) {
  Lanes value = load_some(gradient, count);
  return layer->relu ? if_at_most(load_some(out, count), all(0), all(0), value) : value;
}

// The gradient of the layer's result as that of all phases.
static void lay_gradient(const Layer *layer, const Plan *plan, const float *out, const float *gradient,
                         int width, float *blocks) {
  int filters = layer->filters;
  for (int i = 0; i < layer->y.output; i++)
    for (int j = 0; j < layer->x.output; j++, out += filters, gradient += filters) {
      float *to = blocks + (plan->row[i] + plan->column[j]) * width;
      if (filters == 1)  // lanes would be nearly empty
        *to = layer->relu && *out <= 0 ? 0 : *gradient;
      else
        for (int f = 0; f < filters; f += LANES)
          store_some(to + f, through_relu(layer, out + f, gradient + f, filters - f), filters - f);
    }
}

// The pixels of a window of the pooling that lie in the picture: rows top … bottom − 1, columns left … right
// − 1.
typedef struct {
  int top, bottom, left, right;
} Window;

static Window window_at(const Layer *layer, int i, int j) {
  const Axis *y = &layer->y, *x = &layer->x;
  int top = i * y->stride - y->outside, left = j * x->stride - x->outside;
  return (Window){larger(top, 0), smaller(top + y->window, y->output), larger(left, 0),
                  smaller(left + x->window, x->output)};
}

// Max-pooling: the largest pixel of each window, and where it lies on its line, -1 where ReLU gave 0.
static void finish_pooled(const Layer *layer, const Plan *plan, const float *block, int width, float *out,
                          float *winner) {
  int filters = layer->filters;
  for (int i = 0; i < layer->y.pooled; i++)
    for (int j = 0; j < layer->x.pooled; j++, out += filters, winner += filters) {
      Window window = window_at(layer, i, j);
      for (int f = 0; f < filters; f += LANES) {
        Lanes best = all(layer->relu ? 0 : -INFINITY), place = all(-1);
        for (int row = window.top; row < window.bottom; row++)
          for (int column = window.left; column < window.right; column++) {
            int pixel = row * plan->pitch + column;
            Lanes value = load(block + (plan->margin + pixel) * width + f);
            place = if_at_most(value, best, place, all(pixel));
            // What is not a number equals nothing, and stays.
            best = if_equal(best, best, if_at_most(value, best, best, value), best);
          }
        store_some(out + f, best, filters - f);
        store_some(winner + f, place, filters - f);
      }
    }
}

// The gradient of the layer's result as that of the convolution's, at the pixels that won.
static void lay_pooled_gradient(const Layer *layer, const Plan *plan, const float *winner,
                                const float *gradient, int width, float *block) {
  int filters = layer->filters;
  bool overlapping = layer->y.stride < layer->y.window || layer->x.stride < layer->x.window;
  if (overlapping) memset(block, 0, plan->block_length * width * sizeof(float));
  for (int i = 0; i < layer->y.pooled; i++)
    for (int j = 0; j < layer->x.pooled; j++, winner += filters, gradient += filters) {
      Window window = window_at(layer, i, j);
      for (int f = 0; f < filters; f += LANES) {
        Lanes value = load_some(gradient + f, filters - f), place = load_some(winner + f, filters - f);
        for (int row = window.top; row < window.bottom; row++)
          for (int column = window.left; column < window.right; column++) {
            int pixel = row * plan->pitch + column;
            float *to = block + (plan->margin + pixel) * width + f;
            Lanes part = if_equal(place, all(pixel), value, all(0));
            store_some(to, overlapping ? plus(load_some(to, filters - f), part) : part, filters - f);
          }
      }
    }
}

// bias[f] += the gradient in front of ReLU, of all pixels.
static void add_bias_gradient(const Layer *layer, const float *out, const float *gradient, float *bias) {
  int filters = layer->filters, size = layer->y.pooled * layer->x.pooled * filters;
  for (int f = 0; f < filters; f += LANES) {
    Lanes sum = all(0);
    for (int i = f; i < size; i += filters)
      sum = plus(sum, through_relu(layer, out + i, gradient + i, filters - f));
    store_some(bias + f, plus(load_some(bias + f, filters - f), sum), filters - f);
  }
}
