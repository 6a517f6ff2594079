// Compiled once for every instruction set, as INSTRUCTIONS. Formulas: cae/convolutions.py.
//
// A picture is laid out as one line of pixels with zeros around it and between its rows, so that every
// neighbour of every pixel is a fixed distance away, also across the ends of rows.
#include "convolution.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "products.h"

// How one axis of the small picture, before upsampling, is laid out and computed.
typedef struct {
  int whole;  // zeros before, in whole small pixels
  int cut;    // what `whole` adds to the zeros asked for, in large pixels
  int taps;   // of the kernel summed by phase
  int laid;   // small pixels with all zeros
  int grid;   // results of each phase
} Grid;

// One tap of one phase: the kernel's taps first … last, summed, act on the small pixel `shift` further on.
typedef struct {
  int phase, shift;
  int first_y, last_y, first_x, last_x;
} Tap;

// A pixel that pooling chooses from: its index in the window, and where it lies in the blocks.
typedef struct {
  float index;
  int place;
} Candidate;

typedef struct {
  Grid y, x;
  int pitch;   // pixels from a row to the next
  int line;    // pixels of a picture as a line, with slack
  int margin;  // pixels in front of a line: the largest shift
  int count;   // of taps; those of a phase follow each other
  Tap *taps;
  // Large pixel (y, x) is pixel row[y] + column[x] in a block of a margin and a line for each phase.
  int *row, *column;
  Candidate *candidates;  // of all windows; those of window i end at end[i]
  int *end;
} Plan;

static void *zeros(int64_t count, size_t size) {
  void *memory = calloc(count + 1, size);
  if (!memory) abort();
  return memory;
}

static float *floats(int64_t count) { return zeros(count, sizeof(float)); }

static int whole_lanes(int count) { return (count + LANES - 1) / LANES * LANES; }
static int smaller(int a, int b) { return a < b ? a : b; }
static int larger(int a, int b) { return a > b ? a : b; }

static Grid grid_of(const Axis *axis, int scale) {
  Grid grid;
  grid.whole = (axis->before + scale - 1) / scale;
  grid.cut = scale * grid.whole - axis->before;
  grid.taps = (scale + axis->kernel - 2) / scale + 1;
  grid.laid = grid.whole + axis->size + grid.taps - 1 - (axis->kernel - 1 - axis->after) / scale;
  grid.grid = grid.laid - grid.taps + 1;
  return grid;
}

static int block_of(const Plan *plan) { return plan->margin + plan->line; }

static void list_candidates(const Layer *layer, Plan *plan) {
  const Axis *y = &layer->y, *x = &layer->x;
  int windows = y->pooled * x->pooled, count = 0;
  plan->candidates = zeros((int64_t)windows * y->window * x->window, sizeof(Candidate));
  plan->end = zeros(windows, sizeof(int));
  for (int window = 0; window < windows; window++) {
    for (int i = 0; i < y->window * x->window; i++) {
      int row = window / x->pooled * y->stride - y->outside + i / x->window;
      int column = window % x->pooled * x->stride - x->outside + i % x->window;
      if (row >= 0 && row < y->output && column >= 0 && column < x->output)
        plan->candidates[count++] = (Candidate){i, plan->row[row] + plan->column[column]};
    }
    plan->end[window] = count;
  }
}

static Plan plan_of(const Layer *layer) {
  int scale = layer->scale;
  Plan plan = {.y = grid_of(&layer->y, scale), .x = grid_of(&layer->x, scale)};
  plan.pitch = plan.x.laid;
  plan.line = plan.y.laid * plan.pitch + SLACK;
  plan.margin = (plan.y.taps - 1) * plan.pitch + plan.x.taps - 1;
  plan.taps = zeros(scale * scale * plan.y.taps * plan.x.taps, sizeof(Tap));
  for (int phase = 0; phase < scale * scale; phase++)
    for (int y = 0; y < plan.y.taps; y++)
      for (int x = 0; x < plan.x.taps; x++) {
        // The kernel's tap d falls into tap ⌊(phase + d) / scale⌋.
        int from_y = y * scale - phase / scale, from_x = x * scale - phase % scale;
        Tap tap = {phase,
                   y * plan.pitch + x,
                   larger(from_y, 0),
                   smaller(from_y + scale, layer->y.kernel) - 1,
                   larger(from_x, 0),
                   smaller(from_x + scale, layer->x.kernel) - 1};
        if (tap.first_y <= tap.last_y && tap.first_x <= tap.last_x) plan.taps[plan.count++] = tap;
      }
  plan.row = zeros(layer->y.output, sizeof(int)), plan.column = zeros(layer->x.output, sizeof(int));
  for (int i = 0; i < layer->y.output; i++) {
    int y = i + plan.y.cut;
    plan.row[i] = y % scale * scale * block_of(&plan) + y / scale * plan.pitch + plan.margin;
  }
  for (int j = 0; j < layer->x.output; j++) {
    int x = j + plan.x.cut;
    plan.column[j] = x % scale * block_of(&plan) + x / scale;
  }
  list_candidates(layer, &plan);
  return plan;
}

static void release(Plan *plan) {
  free(plan->taps), free(plan->row), free(plan->column), free(plan->candidates), free(plan->end);
}

// Return where the taps of the phase that tap t belongs to end.
static int end_of_phase(const Plan *plan, int t) {
  int phase = plan->taps[t].phase;
  while (t < plan->count && plan->taps[t].phase == phase) t++;
  return t;
}

static void fold(const Layer *layer, const Tap *tap, const float *kernel, float *folded) {
  int size = layer->channels * layer->filters;
  memset(folded, 0, size * sizeof(float));
  for (int y = tap->first_y; y <= tap->last_y; y++)
    for (int x = tap->first_x; x <= tap->last_x; x++)
      for (int i = 0; i < size; i++) folded[i] += kernel[(y * layer->x.kernel + x) * size + i];
}

static void unfold(const Layer *layer, const Tap *tap, const float *folded, float *kernel) {
  int size = layer->channels * layer->filters;
  for (int y = tap->first_y; y <= tap->last_y; y++)
    for (int x = tap->first_x; x <= tap->last_x; x++)
      for (int i = 0; i < size; i++) kernel[(y * layer->x.kernel + x) * size + i] += folded[i];
}

// Lay out an image whose pixels take `width` floats on the line; what lies between its rows stays as it is.
static void lay(const Layer *layer, const Plan *plan, const float *image, int width, float *line) {
  int channels = layer->channels, columns = layer->x.size;
  line += (plan->y.whole * plan->pitch + plan->x.whole) * width;
  for (int y = 0; y < layer->y.size; y++, line += plan->pitch * width, image += columns * channels)
    if (width == channels)
      memcpy(line, image, columns * channels * sizeof(float));
    else
      for (int x = 0; x < columns; x++) memcpy(line + x * width, image + x * channels, channels * sizeof(float));
}

// From the results of all phases, in blocks, to the layer's result.
static void finish(const Layer *layer, const Plan *plan, const float *blocks, int width, float *out) {
  int filters = layer->filters;
  for (int i = 0; i < layer->y.output; i++)
    for (int j = 0; j < layer->x.output; j++, out += filters)
      for (int f = 0; f < filters; f += LANES) {
        Lanes value = load(blocks + (plan->row[i] + plan->column[j]) * width + f);
        // What is not a number is not at most 0, and so gets through.
        if (layer->relu) value = if_at_most(value, all(0), all(0), value);
        store_some(out + f, value, filters - f);
      }
}

static void finish_pooled(const Layer *layer, const Plan *plan, const float *blocks, int width, float *out,
                          float *winner) {
  int filters = layer->filters;
  const Candidate *candidate = plan->candidates;
  for (int i = 0; i < layer->y.pooled * layer->x.pooled; i++, out += filters, winner += filters) {
    const Candidate *first = candidate, *end = plan->candidates + plan->end[i];
    for (int f = 0; f < filters; f += LANES) {
      Lanes best = all(layer->relu ? 0 : -INFINITY), index = all(-1);
      for (candidate = first; candidate < end; candidate++) {
        Lanes value = load(blocks + candidate->place * width + f);
        index = if_at_most(value, best, index, all(candidate->index));
        best = if_at_most(value, best, best, value);
      }
      store_some(out + f, best, filters - f);
      store_some(winner + f, index, filters - f);
    }
  }
}

// The way back: lay out the gradient of what the convolution gave, in blocks; nothing where ReLU gave 0.
static void lay_gradient(const Layer *layer, const Plan *plan, const float *out, const float *gradient, int width,
                         float *blocks) {
  int filters = layer->filters;
  for (int i = 0; i < layer->y.output; i++)
    for (int j = 0; j < layer->x.output; j++, out += filters, gradient += filters)
      for (int f = 0; f < filters; f += LANES) {
        Lanes value = load_some(gradient + f, filters - f);
        if (layer->relu) value = if_at_most(load_some(out + f, filters - f), all(0), all(0), value);
        store_some(blocks + (plan->row[i] + plan->column[j]) * width + f, value, filters - f);
      }
}

// The same through pooling, to the pixel that won.
static void lay_pooled_gradient(const Layer *layer, const Plan *plan, const float *winner, const float *gradient,
                                int width, float *blocks) {
  int filters = layer->filters;
  const Axis *y = &layer->y, *x = &layer->x;
  bool overlapping = y->stride < y->window || x->stride < x->window;
  if (overlapping) memset(blocks, 0, layer->scale * layer->scale * block_of(plan) * width * sizeof(float));
  const Candidate *candidate = plan->candidates;
  for (int i = 0; i < y->pooled * x->pooled; i++, winner += filters, gradient += filters) {
    const Candidate *first = candidate, *end = plan->candidates + plan->end[i];
    for (int f = 0; f < filters; f += LANES) {
      Lanes value = load_some(gradient + f, filters - f), index = load_some(winner + f, filters - f);
      for (candidate = first; candidate < end; candidate++) {
        float *to = blocks + candidate->place * width + f;
        Lanes part = if_equal(index, all(candidate->index), value, all(0));
        if (overlapping) part = multiply_add(part, all(1), load_some(to, filters - f));
        store_some(to, part, filters - f);
      }
    }
  }
}

// bias[f] += the gradient of all pixels, but where ReLU gave 0.
static void add_bias_gradient(const Layer *layer, const float *out, const float *winner, const float *gradient,
                              float *bias) {
  int filters = layer->filters, pixels = layer->y.pooled * layer->x.pooled;
  const float *marker = layer->y.window ? winner : out;
  float most = layer->y.window ? -1 : layer->relu ? 0 : -INFINITY;
  for (int f = 0; f < filters; f += LANES) {
    Lanes sum = all(0);
    for (int i = f; i < pixels * filters; i += filters) {
      Lanes value = load_some(gradient + i, filters - f);
      value = if_at_most(load_some(marker + i, filters - f), all(most), all(0), value);
      sum = multiply_add(value, all(1), sum);
    }
    store_some(bias + f, multiply_add(sum, all(1), load_some(bias + f, filters - f)), filters - f);
  }
}

// Whether upsampling and convolution are computed as a product with patches, B2.
static bool is_thin(const Layer *layer) {
  int patch = (layer->y.kernel + layer->scale - 1) * (layer->x.kernel + layer->scale - 1) * layer->filters;
  return patch <= 32 && layer->filters < layer->channels && !layer->y.window;
}

// Sum the kernel over windows of s, mirrored: float[channels][patch], W[a] = Σ k[d], a = e − d + k − 1, e < s.
static void widen(const Layer *layer, const float *kernel, int width, float *widened) {
  int scale = layer->scale, channels = layer->channels, filters = layer->filters;
  int rows = layer->y.kernel, columns = layer->x.kernel, wide = columns + scale - 1;
  for (int y = 0; y < rows; y++)
    for (int x = 0; x < columns; x++)
      for (int e = 0; e < scale * scale; e++) {
        int patch = (e / scale - y + rows - 1) * wide + e % scale - x + columns - 1;
        for (int c = 0; c < channels; c++)
          for (int f = 0; f < filters; f++)
            widened[c * width + patch * filters + f] += kernel[((y * columns + x) * channels + c) * filters + f];
      }
}

// Add the patches of all small pixels up where they overlap.
static void overlap(const Layer *layer, const float *patches, int width, const float *bias, float *full) {
  int scale = layer->scale, filters = layer->filters;
  const Axis *y = &layer->y, *x = &layer->x;
  int rows = y->kernel + scale - 1, columns = x->kernel + scale - 1;
  for (int i = 0; i < y->output * x->output; i++)
    for (int f = 0; f < filters; f++) full[i * filters + f] = bias[f];
  for (int m = 0; m < y->size; m++)
    for (int n = 0; n < x->size; n++, patches += width) {
      int top = scale * m - y->kernel + 1 + y->before, left = scale * n - x->kernel + 1 + x->before;
      int first = larger(-left, 0), last = smaller(columns, x->output - left);
      for (int a = larger(-top, 0); a < smaller(rows, y->output - top); a++)
        for (int i = first * filters; i < last * filters; i++)
          full[((top + a) * x->output + left) * filters + i] += patches[a * columns * filters + i];
    }
}

static void forward_thin(const Layer *layer, const float *in, const float *kernel, const float *bias, float *out) {
  const Axis *y = &layer->y, *x = &layer->x;
  int channels = layer->channels, filters = layer->filters;
  int width = whole_lanes((y->kernel + layer->scale - 1) * (x->kernel + layer->scale - 1) * filters);
  int size = y->size * x->size, result = y->output * x->output * filters;

  float *widened = floats(channels * width), *start = floats(width);
  int32_t *offset = zeros(channels, sizeof(int32_t));
  widen(layer, kernel, width, widened);
  for (int c = 0; c < channels; c++) offset[c] = c;

  float *line = floats((size + SLACK) * channels), *patches = floats((size + SLACK) * width);
  for (int n = 0; n < layer->images; n++, in += size * channels, out += result) {
    memcpy(line, in, size * channels * sizeof(float));
    correlate(line, channels, offset, channels, widened, width, start, patches, size);
    overlap(layer, patches, width, bias, out);
    if (layer->relu)
      for (int i = 0; i < result; i++) out[i] = out[i] <= 0 ? 0 : out[i];
  }
  free(patches), free(line), free(offset), free(start), free(widened);
}

static void forward(const Layer *layer, const float *in, const float *kernel, const float *bias, float *out,
                    float *winner) {
  if (is_thin(layer)) {
    forward_thin(layer, in, kernel, bias, out);
    return;
  }
  Plan plan = plan_of(layer);
  const Axis *y = &layer->y, *x = &layer->x;
  int channels = layer->channels, filters = layer->filters, width = whole_lanes(filters);

  float *packed = floats(plan.count * channels * width), *start = floats(width);
  float *folded = floats(channels * filters);
  int32_t *offset = zeros(plan.count * channels, sizeof(int32_t));
  memcpy(start, bias, filters * sizeof(float));
  for (int t = 0; t < plan.count; t++) {
    fold(layer, &plan.taps[t], kernel, folded);
    for (int c = 0; c < channels; c++) {
      memcpy(packed + (t * channels + c) * width, folded + c * filters, filters * sizeof(float));
      offset[t * channels + c] = plan.taps[t].shift * channels + c;
    }
  }

  float *line = floats(plan.line * channels);
  float *blocks = floats((int64_t)layer->scale * layer->scale * block_of(&plan) * width);
  int result = y->pooled * x->pooled * filters;
  for (int n = 0; n < layer->images; n++, in += y->size * x->size * channels, out += result,
           winner += y->window ? result : 0) {
    lay(layer, &plan, in, channels, line);
    for (int t = 0, end; t < plan.count; t = end) {
      end = end_of_phase(&plan, t);
      correlate(line, channels, offset + t * channels, (end - t) * channels, packed + t * channels * width, width,
                start, blocks + (plan.taps[t].phase * block_of(&plan) + plan.margin) * width,
                (plan.y.grid - 1) * plan.pitch + plan.x.grid);
    }
    if (y->window)
      finish_pooled(layer, &plan, blocks, width, out, winner);
    else
      finish(layer, &plan, blocks, width, out);
  }
  free(blocks), free(line), free(offset), free(folded), free(start), free(packed), release(&plan);
}

static void input_gradient(const Layer *layer, const float *kernel, const float *out, const float *winner,
                           const float *gradient, float *in_gradient) {
  Plan plan = plan_of(layer);
  const Axis *y = &layer->y, *x = &layer->x;
  int channels = layer->channels, filters = layer->filters, width = whole_lanes(channels);

  float *packed = floats(plan.count * filters * width), *start = floats(width);
  float *folded = floats(channels * filters);
  int32_t *offset = zeros(plan.count * filters, sizeof(int32_t));
  for (int t = 0; t < plan.count; t++) {
    const Tap *tap = &plan.taps[t];
    fold(layer, tap, kernel, folded);
    for (int f = 0; f < filters; f++) {
      for (int c = 0; c < channels; c++) packed[(t * filters + f) * width + c] = folded[c * filters + f];
      offset[t * filters + f] = (tap->phase * block_of(&plan) + plan.margin - tap->shift) * filters + f;
    }
  }

  float *blocks = floats((int64_t)layer->scale * layer->scale * block_of(&plan) * filters);
  float *line = floats(plan.line * width);
  int result = y->pooled * x->pooled * filters, first = plan.y.whole * plan.pitch + plan.x.whole;
  for (int n = 0; n < layer->images; n++, out += result, winner += y->window ? result : 0, gradient += result) {
    if (y->window)
      lay_pooled_gradient(layer, &plan, winner, gradient, filters, blocks);
    else
      lay_gradient(layer, &plan, out, gradient, filters, blocks);
    correlate(blocks + first * filters, filters, offset, plan.count * filters, packed, width, start, line,
              (y->size - 1) * plan.pitch + x->size);
    for (int i = 0; i < y->size; i++)
      for (int j = 0; j < x->size; j++, in_gradient += channels)
        memcpy(in_gradient, line + (i * plan.pitch + j) * width, channels * sizeof(float));
  }
  free(line), free(blocks), free(offset), free(folded), free(start), free(packed), release(&plan);
}

static void kernel_gradient(const Layer *layer, const float *in, const float *out, const float *winner,
                            const float *gradient, float *kernel_gradient, float *bias_gradient) {
  Plan plan = plan_of(layer);
  const Axis *y = &layer->y, *x = &layer->x;
  int channels = layer->channels, filters = layer->filters, phases = layer->scale * layer->scale;
  // The side with more channels fills the lanes, the other one the rows.
  bool transposed = channels > filters;
  int deep = transposed ? filters : channels, width = whole_lanes(transposed ? channels : filters);
  int in_width = transposed ? width : channels, out_width = transposed ? filters : width;

  int32_t *offset = zeros(plan.count * deep + ROWS, sizeof(int32_t));
  for (int t = 0; t < plan.count; t++)
    for (int i = 0; i < deep; i++) {
      const Tap *tap = &plan.taps[t];
      int pixel = transposed ? tap->phase * block_of(&plan) + plan.margin - tap->shift : tap->shift;
      offset[t * deep + i] = pixel * deep + i;
    }
  float *line = floats(plan.line * in_width), *blocks = floats((int64_t)phases * block_of(&plan) * out_width);
  float *sums = floats(plan.count * deep * width);
  int result = y->pooled * x->pooled * filters, first = plan.y.whole * plan.pitch + plan.x.whole;
  memset(bias_gradient, 0, filters * sizeof(float));
  for (int n = 0; n < layer->images; n++, in += y->size * x->size * channels, out += result,
           winner += y->window ? result : 0, gradient += result) {
    lay(layer, &plan, in, in_width, line);
    if (y->window)
      lay_pooled_gradient(layer, &plan, winner, gradient, out_width, blocks);
    else
      lay_gradient(layer, &plan, out, gradient, out_width, blocks);
    if (transposed)
      accumulate(blocks + first * filters, filters, offset, plan.count * filters, line + first * width, width, sums,
                 (y->size - 1) * plan.pitch + x->size);
    else
      for (int t = 0, end; t < plan.count; t = end) {
        end = end_of_phase(&plan, t);
        accumulate(line, channels, offset + t * channels, (end - t) * channels,
                   blocks + (plan.taps[t].phase * block_of(&plan) + plan.margin) * width, width,
                   sums + t * channels * width, (plan.y.grid - 1) * plan.pitch + plan.x.grid);
      }
    add_bias_gradient(layer, out, winner, gradient, bias_gradient);
  }

  float *folded = floats(channels * filters);
  memset(kernel_gradient, 0, y->kernel * x->kernel * channels * filters * sizeof(float));
  for (int t = 0; t < plan.count; t++) {
    for (int c = 0; c < channels; c++)
      for (int f = 0; f < filters; f++)
        folded[c * filters + f] = sums[(t * deep + (transposed ? f : c)) * width + (transposed ? c : f)];
    unfold(layer, &plan.taps[t], folded, kernel_gradient);
  }
  free(folded), free(sums), free(blocks), free(line), free(offset), release(&plan);
}

const Convolution INSTRUCTIONS = {forward, input_gradient, kernel_gradient};
