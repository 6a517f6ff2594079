// The gradients of a convolution through max-pooling. In each window only one pixel per filter has a
// gradient, and none where ReLU returned 0: at most a quarter of an image for windows of 2 × 2. Lists, one
// per filter, hold those pixels.
#pragma once

#include "lines.h"

typedef struct {
  int length;       // of a list, at most
  int *count;       // of each list
  int32_t *offset;  // of the winner's first neighbour on the input's line
  float *gradient;  // of the winner
} Winners;

static Winners make_winners(const Layer *layer) {
  Winners winners = {.length = layer->y.pooled * layer->x.pooled + TOGETHER};
  winners.count = allocate_integers(layer->filters);
  winners.offset = allocate_integers(layer->filters * winners.length);
  winners.gradient = allocate_floats(layer->filters * winners.length);
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

// A row of the kernel, all columns and channels, is one run of numbers on the input's line: one run per
// filter and row, float[filters][rows][width].
static int count_run(const Layer *layer) { return layer->x.kernel * layer->channels; }

static float *find_run(const Layer *layer, float *runs, int filter, int row) {
  return runs + (filter * layer->y.kernel + row) * round_up_to_lanes(count_run(layer));
}

static void pooled_input_gradient(const Layer *layer, const float *kernel, const float *winner,
                                  const float *gradient, float *in_gradient) {
  Plan plan = make_plan(layer);
  int channels = layer->channels, filters = layer->filters, rows = layer->y.kernel;
  int run = count_run(layer), width = round_up_to_lanes(run);
  float *runs = allocate_floats(filters * rows * width);
  for (int y = 0; y < rows; y++)
    for (int i = 0; i < run; i++)
      for (int f = 0; f < filters; f++) find_run(layer, runs, f, y)[i] = kernel[(y * run + i) * filters + f];

  Winners winners = make_winners(layer);
  float *line = allocate_floats(plan.line_length * channels);
  int64_t image = image_size(layer), result = result_size(layer);
  for (int n = 0; n < layer->images; n++) {
    list_winners(layer, winner + n * result, gradient + n * result, &winners);
    memset(line, 0, plan.line_length * channels * sizeof(float));
    for (int f = 0; f < filters; f++)
      scatter(find_run(layer, runs, f, 0), rows, width, winners.offset + f * winners.length,
              winners.gradient + f * winners.length, winners.count[f], line, plan.pitch * channels);
    collect_line(layer, &plan, line, channels, in_gradient + n * image);
  }
}

static void pooled_kernel_gradient(const Layer *layer, const float *in, const float *winner,
                                   const float *gradient, float *kernel_gradient) {
  Plan plan = make_plan(layer);
  int channels = layer->channels, filters = layer->filters, rows = layer->y.kernel;
  int run = count_run(layer), width = round_up_to_lanes(run);
  float *runs = allocate_floats(filters * rows * width);

  Winners winners = make_winners(layer);
  float *line = allocate_floats(plan.line_length * channels);
  int64_t image = image_size(layer), result = result_size(layer);
  for (int n = 0; n < layer->images; n++) {
    lay_out(layer, &plan, in + n * image, channels, line);
    list_winners(layer, winner + n * result, gradient + n * result, &winners);
    for (int f = 0; f < filters; f++)
      for (int y = 0; y < rows; y++)
        gather(line + y * plan.pitch * channels, winners.offset + f * winners.length,
               winners.gradient + f * winners.length, winners.count[f], find_run(layer, runs, f, y), width);
  }
  for (int y = 0; y < rows; y++)
    for (int i = 0; i < run; i++)
      for (int f = 0; f < filters; f++)
        kernel_gradient[(y * run + i) * filters + f] = find_run(layer, runs, f, y)[i];
}
