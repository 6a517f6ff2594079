// How a layer is computed. An image is laid out as one line of pixels, with zeros around it and between its
// rows: every neighbour of every pixel is then at a fixed distance, also across the ends of rows.
#pragma once

#include "convolution.h"
#include "memory.h"
#include "products.h"

// One axis of the small image, before upsampling.
typedef struct {
  int whole;    // zeros before, in whole small pixels
  int cut;      // by how much `whole` exceeds the zeros of the padding, in large pixels
  int taps;     // of the kernel summed by phase
  int laid;     // small pixels, zeros included
  int results;  // of each phase
} Grid;

// One tap of one phase: the kernel's taps first … last, summed, act on the small pixel `shift` further on.
typedef struct {
  int phase, shift;
  int first_y, last_y, first_x, last_x;
} Tap;

typedef struct {
  Grid y, x;
  int pitch;         // pixels from a row to the next
  int line_length;   // pixels of an image as a line, with slack
  int margin;        // pixels in front of the line of a phase: the largest shift
  int block_length;  // pixels of a margin and a line; each phase has a block
  int origin;        // the image's first pixel on its line
  int phases;
  int count;  // of taps; those of a phase follow each other
  Tap *taps;
  int *row, *column;  // large pixel (y, x) is pixel row[y] + column[x] in the blocks
} Plan;

static int round_up_to_lanes(int count) { return (count + LANES - 1) / LANES * LANES; }
// Return how many numbers an image has, and its result.
static int64_t image_size(const Layer *layer) {
  return (int64_t)layer->y.size * layer->x.size * layer->channels;
}
static int64_t result_size(const Layer *layer) {
  return (int64_t)layer->y.pooled * layer->x.pooled * layer->filters;
}

static Grid make_grid(const Axis *axis, int scale) {
  Grid grid;
  grid.whole = (axis->before + scale - 1) / scale;
  grid.cut = scale * grid.whole - axis->before;
  grid.taps = (scale + axis->kernel - 2) / scale + 1;
  grid.laid = grid.whole + axis->size + grid.taps - 1 - (axis->kernel - 1 - axis->after) / scale;
  grid.results = grid.laid - grid.taps + 1;
  return grid;
}

static void list_taps(const Layer *layer, Plan *plan) {
  int scale = layer->scale;
  plan->taps = allocate(plan->phases * plan->y.taps * plan->x.taps, sizeof(Tap));
  for (int phase = 0; phase < plan->phases; phase++)
    for (int y = 0; y < plan->y.taps; y++)
      for (int x = 0; x < plan->x.taps; x++) {
        // The kernel's tap d is summed into tap ⌊(phase + d) / scale⌋.
        int from_y = y * scale - phase / scale, from_x = x * scale - phase % scale;
        Tap tap = {
            .phase = phase,
            .shift = y * plan->pitch + x,
            .first_y = maximum(from_y, 0),
            .last_y = minimum(from_y + scale, layer->y.kernel) - 1,
            .first_x = maximum(from_x, 0),
            .last_x = minimum(from_x + scale, layer->x.kernel) - 1,
        };
        if (tap.first_y <= tap.last_y && tap.first_x <= tap.last_x) plan->taps[plan->count++] = tap;
      }
}

static Plan make_plan(const Layer *layer) {
  int scale = layer->scale;
  Plan plan = {.y = make_grid(&layer->y, scale), .x = make_grid(&layer->x, scale), .phases = scale * scale};
  plan.pitch = plan.x.laid;
  plan.line_length = plan.y.laid * plan.pitch + SLACK;
  plan.margin = (plan.y.taps - 1) * plan.pitch + plan.x.taps - 1;
  plan.block_length = plan.margin + plan.line_length;
  plan.origin = plan.y.whole * plan.pitch + plan.x.whole;
  list_taps(layer, &plan);
  plan.row = allocate_integers(layer->y.output), plan.column = allocate_integers(layer->x.output);
  for (int i = 0; i < layer->y.output; i++) {
    int y = i + plan.y.cut;
    plan.row[i] = plan.margin + y % scale * scale * plan.block_length + y / scale * plan.pitch;
  }
  for (int j = 0; j < layer->x.output; j++) {
    int x = j + plan.x.cut;
    plan.column[j] = x % scale * plan.block_length + x / scale;
  }
  return plan;
}

// Return how many pixels lie from the first to the last of `rows` rows of `columns` pixels.
static int count_span(const Plan *plan, int rows, int columns) { return (rows - 1) * plan->pitch + columns; }

// Return where the taps of the phase that tap t belongs to end.
static int find_end_of_phase(const Plan *plan, int t) {
  int phase = plan->taps[t].phase;
  while (t < plan->count && plan->taps[t].phase == phase) t++;
  return t;
}

// Add up the kernel's taps that a tap stands for, into float[channels][filters].
static void fold(const Layer *layer, const Tap *tap, const float *kernel, float *folded) {
  int size = layer->channels * layer->filters;
  memset(folded, 0, size * sizeof(float));
  for (int y = tap->first_y; y <= tap->last_y; y++)
    for (int x = tap->first_x; x <= tap->last_x; x++)
      for (int i = 0; i < size; i++) folded[i] += kernel[(y * layer->x.kernel + x) * size + i];
}

// The reverse, for gradients.
static void unfold(const Layer *layer, const Tap *tap, const float *folded, float *kernel) {
  int size = layer->channels * layer->filters;
  for (int y = tap->first_y; y <= tap->last_y; y++)
    for (int x = tap->first_x; x <= tap->last_x; x++)
      for (int i = 0; i < size; i++) kernel[(y * layer->x.kernel + x) * size + i] += folded[i];
}
