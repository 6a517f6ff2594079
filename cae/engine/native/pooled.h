// The gradients of a convolution through max-pooling. Of each window one pixel a filter counts, and where
// ReLU gave 0 none: at most a quarter of a picture for windows of 2 × 2. What counts is kept in lists, one a
// filter.
#pragma once

#include "lines.h"

typedef struct {
  int length;       // of a list at most
  int *count;       // of each list
  int32_t *offset;  // where the winner's first neighbour lies on the input's line
  float *gradient;  // what it is given
} Winners;

static Winners winners_of(const Layer *layer) {
  Winners winners = {.length = layer->y.pooled * layer->x.pooled + TOGETHER};
  winners.count = integers(layer->filters);
  winners.offset = integers(layer->filters * winners.length);
  winners.gradient = floats(layer->filters * winners.length);
  return winners;
}

static void list_winners(const Layer *layer, const float *winner, const float *gradient, Winners *winners) {
  int filters = layer->filters, channels = layer->channels, columns = layer->x.pooled;
  int length = winners->length, *count = winners->count;
  memset(count, 0, filters * sizeof(int));
  // Every second window, then the others: neighbours would wait for each other's sums.
  for (int odd = 0; odd < 2; odd++)
    for (int i = 0; i < layer->y.pooled; i++)
      for (int j = odd; j < columns; j += 2)
        for (int f = 0, k = (i * columns + j) * filters; f < filters; f++, k++) {
          int place = f * length + count[f];
          winners->offset[place] = (int)winner[k] * channels;
          winners->gradient[place] = gradient[k];
          count[f] += winner[k] >= 0;
        }
  for (int f = 0; f < filters; f++)
    for (int k = f * length + count[f], i = 0; i < TOGETHER; i++, k++)
      winners->offset[k] = 0, winners->gradient[k] = 0;
}

// A row of the kernel, all columns and channels, is one run of numbers on the input's line: a run a filter
// and row, float[filters][rows][width].
static int run_of(const Layer *layer) { return layer->x.kernel * layer->channels; }

static float *run_at(const Layer *layer, float *runs, int filter, int row) {
  return runs + (filter * layer->y.kernel + row) * whole_lanes(run_of(layer));
}

static void pooled_input_gradient(const Layer *layer, const float *kernel, const float *winner,
                                  const float *gradient, float *in_gradient) {
  Plan plan = plan_of(layer);
  int channels = layer->channels, filters = layer->filters, rows = layer->y.kernel;
  int run = run_of(layer), width = whole_lanes(run);
  float *runs = floats(filters * rows * width);
  for (int y = 0; y < rows; y++)
    for (int i = 0; i < run; i++)
      for (int f = 0; f < filters; f++) run_at(layer, runs, f, y)[i] = kernel[(y * run + i) * filters + f];

  Winners winners = winners_of(layer);
  float *line = floats(plan.line_length * channels);
  int64_t image = image_size(layer), result = result_size(layer);
  for (int n = 0; n < layer->images; n++) {
    list_winners(layer, winner + n * result, gradient + n * result, &winners);
    memset(line, 0, plan.line_length * channels * sizeof(float));
    for (int f = 0; f < filters; f++)
      scatter(run_at(layer, runs, f, 0), rows, width, winners.offset + f * winners.length,
              winners.gradient + f * winners.length, winners.count[f], line, plan.pitch * channels);
    take_up(layer, &plan, line, channels, in_gradient + n * image);
  }
}

static void pooled_kernel_gradient(const Layer *layer, const float *in, const float *winner,
                                   const float *gradient, float *kernel_gradient) {
  Plan plan = plan_of(layer);
  int channels = layer->channels, filters = layer->filters, rows = layer->y.kernel;
  int run = run_of(layer), width = whole_lanes(run);
  float *runs = floats(filters * rows * width);

  Winners winners = winners_of(layer);
  float *line = floats(plan.line_length * channels);
  int64_t image = image_size(layer), result = result_size(layer);
  for (int n = 0; n < layer->images; n++) {
    lay(layer, &plan, in + n * image, channels, line);
    list_winners(layer, winner + n * result, gradient + n * result, &winners);
    for (int f = 0; f < filters; f++)
      for (int y = 0; y < rows; y++)
        gather(line + y * plan.pitch * channels, winners.offset + f * winners.length,
               winners.gradient + f * winners.length, winners.count[f], run_at(layer, runs, f, y), width);
  }
  for (int y = 0; y < rows; y++)
    for (int i = 0; i < run; i++)
      for (int f = 0; f < filters; f++)
        kernel_gradient[(y * run + i) * filters + f] = run_at(layer, runs, f, y)[i];
}
