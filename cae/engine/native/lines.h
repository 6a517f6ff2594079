// Copies between images, float[rows][columns][channels], and the lines and blocks of a plan.
#pragma once

#include <math.h>

#include "plan.h"

// Copy an image to a line on which a pixel takes `width` floats; what is between its rows is not written.
static void lay_out(const Layer *layer, const Plan *plan, const float *image, int width, float *line) {
  int channels = layer->channels, columns = layer->x.size;
  line += plan->origin * width;
  for (int y = 0; y < layer->y.size; y++, line += plan->pitch * width, image += columns * channels)
    if (width == channels)
      memcpy(line, image, columns * channels * sizeof(float));
    else
      for (int x = 0; x < columns; x++)
        memcpy(line + x * width, image + x * channels, channels * sizeof(float));
}

// Copy a line back to an image.
static void collect_line(const Layer *layer, const Plan *plan, const float *line, int width, float *image) {
  int channels = layer->channels, columns = layer->x.size;
  line += plan->origin * width;
  for (int y = 0; y < layer->y.size; y++, line += plan->pitch * width, image += columns * channels)
    if (width == channels)
      memcpy(image, line, columns * channels * sizeof(float));
    else
      for (int x = 0; x < columns; x++)
        memcpy(image + x * channels, line + x * width, channels * sizeof(float));
}

// Copy the results of all phases to the layer's result, through ReLU. NaN is not at most 0, so it passes.
static void write_result(const Layer *layer, const Plan *plan, const float *blocks, int width, float *out) {
  int filters = layer->filters;
  for (int i = 0; i < layer->y.output; i++)
    for (int j = 0; j < layer->x.output; j++, out += filters)
      for (int f = 0; f < filters; f += LANES) {
        Lanes value = load(blocks + (plan->row[i] + plan->column[j]) * width + f);
        if (layer->relu) value = if_at_most(value, all(0), all(0), value);
        store_some(out + f, value, filters - f);
      }
}

// Return a vector of the gradient before ReLU, from the gradient after it: 0 where ReLU returned 0.
static inline Lanes through_relu(const Layer *layer, const float *out, const float *gradient, int count) {
  Lanes value = load_some(gradient, count);
  return layer->relu ? if_at_most(load_some(out, count), all(0), all(0), value) : value;
}

// Copy the gradient of the layer's result to the blocks of all phases.
static void lay_out_gradient(const Layer *layer, const Plan *plan, const float *out, const float *gradient,
                             int width, float *blocks) {
  int filters = layer->filters;
  for (int i = 0; i < layer->y.output; i++)
    for (int j = 0; j < layer->x.output; j++, out += filters, gradient += filters) {
      float *to = blocks + (plan->row[i] + plan->column[j]) * width;
      if (filters == 1)  // a vector would be nearly empty
        *to = layer->relu && *out <= 0 ? 0 : *gradient;
      else
        for (int f = 0; f < filters; f += LANES)
          store_some(to + f, through_relu(layer, out + f, gradient + f, filters - f), filters - f);
    }
}

// The pixels of a pooling window that are inside the image: top ≤ row < bottom, left ≤ column < right.
typedef struct {
  int top, bottom, left, right;
} Window;

static Window find_window(const Layer *layer, int i, int j) {
  const Axis *y = &layer->y, *x = &layer->x;
  int top = i * y->stride - y->outside, left = j * x->stride - x->outside;
  return (Window){maximum(top, 0), minimum(top + y->window, y->output), maximum(left, 0),
                  minimum(left + x->window, x->output)};
}

// Max-pooling: write the largest pixel of each window and its place on the line, -1 where ReLU returns 0.
static void write_pooled_result(const Layer *layer, const Plan *plan, const float *block, int width,
                                float *out, float *winner) {
  int filters = layer->filters;
  for (int i = 0; i < layer->y.pooled; i++)
    for (int j = 0; j < layer->x.pooled; j++, out += filters, winner += filters) {
      Window window = find_window(layer, i, j);
      for (int f = 0; f < filters; f += LANES) {
        Lanes best = all(layer->relu ? 0 : -INFINITY), place = all(-1);
        for (int row = window.top; row < window.bottom; row++)
          for (int column = window.left; column < window.right; column++) {
            int pixel = row * plan->pitch + column;
            Lanes value = load(block + (plan->margin + pixel) * width + f);
            place = if_at_most(value, best, place, all(pixel));
            // NaN equals nothing, and stays.
            best = if_equal(best, best, if_at_most(value, best, best, value), best);
          }
        store_some(out + f, best, filters - f);
        store_some(winner + f, place, filters - f);
      }
    }
}

// Copy the gradient of the layer's result to the pixels of the convolution's result that won.
static void lay_out_pooled_gradient(const Layer *layer, const Plan *plan, const float *winner,
                                    const float *gradient, int width, float *block) {
  int filters = layer->filters;
  bool overlapping = layer->y.stride < layer->y.window || layer->x.stride < layer->x.window;
  if (overlapping) memset(block, 0, plan->block_length * width * sizeof(float));
  for (int i = 0; i < layer->y.pooled; i++)
    for (int j = 0; j < layer->x.pooled; j++, winner += filters, gradient += filters) {
      Window window = find_window(layer, i, j);
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

// bias[f] += the gradient before ReLU, summed over all pixels.
static void add_bias_gradient(const Layer *layer, const float *out, const float *gradient, float *bias) {
  int filters = layer->filters, size = layer->y.pooled * layer->x.pooled * filters;
  for (int f = 0; f < filters; f += LANES) {
    Lanes sum = all(0);
    for (int i = f; i < size; i += filters)
      sum = plus(sum, through_relu(layer, out + i, gradient + i, filters - f));
    store_some(bias + f, plus(load_some(bias + f, filters - f), sum), filters - f);
  }
}
