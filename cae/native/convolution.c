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

typedef struct {
  Grid y, x;
  int pitch;   // pixels from a row to the next
  int line;    // pixels of a picture as a line, with slack
  int margin;  // the largest shift
  int count;   // of taps; those of a phase follow each other
  Tap *taps;
} Plan;

static void *zeros(int64_t count) {
  void *memory = calloc(count > 0 ? count : 1, sizeof(float));
  if (!memory) abort();
  return memory;
}

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

static Plan plan_of(const Layer *layer) {
  int scale = layer->scale;
  Plan plan = {.y = grid_of(&layer->y, scale), .x = grid_of(&layer->x, scale)};
  plan.pitch = plan.x.laid;
  plan.line = plan.y.laid * plan.pitch + SLACK;
  plan.margin = (plan.y.taps - 1) * plan.pitch + plan.x.taps - 1;
  plan.taps = zeros((int64_t)scale * scale * plan.y.taps * plan.x.taps * sizeof(Tap) / sizeof(float));
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
  return plan;
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
  int channels = layer->channels;
  line += (plan->y.whole * plan->pitch + plan->x.whole) * width;
  for (int y = 0; y < layer->y.size; y++, line += plan->pitch * width)
    for (int x = 0; x < layer->x.size; x++, image += channels)
      for (int c = 0; c < channels; c++) line[x * width + c] = image[c];
}

// The pixel of a phase's line that large pixel (y, x) is, in a block of `margin` and a line for each phase.
static int place(const Layer *layer, const Plan *plan, int y, int x) {
  int scale = layer->scale;
  y += plan->y.cut, x += plan->x.cut;
  int phase = y % scale * scale + x % scale;
  return phase * (plan->margin + plan->line) + plan->margin + y / scale * plan->pitch + x / scale;
}

// Lay out the gradient of what the convolution gave, each phase on a line of its own: through pooling to the
// pixel that won, nowhere where ReLU gave 0.
static void lay_gradient(const Layer *layer, const Plan *plan, const float *out, const int32_t *winner,
                         const float *gradient, int width, float *lines) {
  int filters = layer->filters;
  const Axis *y = &layer->y, *x = &layer->x;
  if (!y->window) {
    for (int i = 0; i < y->output; i++)
      for (int j = 0; j < x->output; j++, out += filters, gradient += filters) {
        float *to = lines + (int64_t)place(layer, plan, i, j) * width;
        for (int f = 0; f < filters; f++) to[f] = layer->relu && out[f] <= 0 ? 0 : gradient[f];
      }
    return;
  }
  int64_t phases = layer->scale * layer->scale;
  memset(lines, 0, phases * (plan->margin + plan->line) * width * sizeof(float));
  for (int i = 0; i < y->pooled; i++)
    for (int j = 0; j < x->pooled; j++, winner += filters, gradient += filters)
      for (int k = 0; k < y->window * x->window; k++) {
        int row = i * y->stride - y->outside + k / x->window, column = j * x->stride - x->outside + k % x->window;
        if (row < 0 || row >= y->output || column < 0 || column >= x->output) continue;
        float *to = lines + (int64_t)place(layer, plan, row, column) * width;
        for (int f = 0; f < filters; f++) to[f] += winner[f] == k ? gradient[f] : 0;
      }
}

// The comparisons below let a number that is not a number through.
static void rectify(float *values, int count) {
  for (int i = 0; i < count; i++) values[i] = values[i] <= 0 ? 0 : values[i];
}

static void pool(const Layer *layer, const float *full, float *out, int32_t *winner) {
  int filters = layer->filters;
  const Axis *y = &layer->y, *x = &layer->x;
  for (int i = 0; i < y->pooled; i++)
    for (int j = 0; j < x->pooled; j++, out += filters, winner += filters) {
      for (int f = 0; f < filters; f++) out[f] = layer->relu ? 0 : -INFINITY, winner[f] = -1;
      for (int k = 0; k < y->window * x->window; k++) {
        int row = i * y->stride - y->outside + k / x->window, column = j * x->stride - x->outside + k % x->window;
        if (row < 0 || row >= y->output || column < 0 || column >= x->output) continue;
        const float *value = full + (row * x->output + column) * filters;
        for (int f = 0; f < filters; f++) {
          winner[f] = value[f] <= out[f] ? winner[f] : k;
          out[f] = value[f] <= out[f] ? out[f] : value[f];
        }
      }
    }
}

// Whether upsampling and convolution are computed as a product with patches, B2.
static bool is_thin(const Layer *layer) {
  int patch = (layer->y.kernel + layer->scale - 1) * (layer->x.kernel + layer->scale - 1) * layer->filters;
  return patch <= 32 && layer->filters < layer->channels;
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

static void forward(const Layer *layer, const float *in, const float *kernel, const float *bias, float *out,
                    int32_t *winner) {
  Plan plan = plan_of(layer);
  const Axis *y = &layer->y, *x = &layer->x;
  int channels = layer->channels, filters = layer->filters;
  bool thin = is_thin(layer);
  int width = whole_lanes(thin ? (y->kernel + layer->scale - 1) * (x->kernel + layer->scale - 1) * filters
                               : filters);
  int rows = thin ? channels : plan.count * channels;
  int line = thin ? y->size * x->size + SLACK : plan.line;

  float *packed = zeros((int64_t)rows * width), *start = zeros(width), *folded = zeros(channels * filters);
  int32_t *offset = zeros(rows);
  if (thin) {
    widen(layer, kernel, width, packed);
    for (int c = 0; c < channels; c++) offset[c] = c;
  } else {
    memcpy(start, bias, filters * sizeof(float));
    for (int t = 0; t < plan.count; t++) {
      fold(layer, &plan.taps[t], kernel, folded);
      for (int c = 0; c < channels; c++) {
        memcpy(packed + (t * channels + c) * width, folded + c * filters, filters * sizeof(float));
        offset[t * channels + c] = plan.taps[t].shift * channels + c;
      }
    }
  }

  float *laid = zeros((int64_t)line * channels), *sums = zeros((int64_t)line * width);
  int size = y->output * x->output * filters, pooled = y->pooled * x->pooled * filters;
  float *scratch = y->window ? zeros(size) : NULL;
  for (int n = 0; n < layer->images; n++) {
    float *full = scratch ? scratch : out + (int64_t)n * size;
    const float *image = in + (int64_t)n * y->size * x->size * channels;
    if (thin) {
      memcpy(laid, image, (int64_t)y->size * x->size * channels * sizeof(float));
      correlate(laid, channels, offset, rows, packed, width, start, sums, y->size * x->size);
      overlap(layer, sums, width, bias, full);
    } else {
      lay(layer, &plan, image, channels, laid);
      for (int t = 0, end; t < plan.count; t = end) {
        int phase = plan.taps[t].phase;
        for (end = t; end < plan.count && plan.taps[end].phase == phase;) end++;
        correlate(laid, channels, offset + t * channels, (end - t) * channels, packed + t * channels * width,
                  width, start, sums, (plan.y.grid - 1) * plan.pitch + plan.x.grid);
        for (int m = 0; m < plan.y.grid; m++)
          for (int k = 0; k < plan.x.grid; k++) {
            int row = layer->scale * m + phase / layer->scale - plan.y.cut;
            int column = layer->scale * k + phase % layer->scale - plan.x.cut;
            if (row < 0 || row >= y->output || column < 0 || column >= x->output) continue;
            memcpy(full + (row * x->output + column) * filters, sums + (m * plan.pitch + k) * width,
                   filters * sizeof(float));
          }
      }
    }
    if (scratch) pool(layer, full, out + (int64_t)n * pooled, winner + (int64_t)n * pooled);
    else if (layer->relu) rectify(full, size);
  }
  free(scratch), free(sums), free(laid), free(offset), free(folded), free(start), free(packed), free(plan.taps);
}

static void input_gradient(const Layer *layer, const float *kernel, const float *out, const int32_t *winner,
                           const float *gradient, float *in_gradient) {
  Plan plan = plan_of(layer);
  const Axis *y = &layer->y, *x = &layer->x;
  int channels = layer->channels, filters = layer->filters, block = plan.margin + plan.line;
  int width = whole_lanes(channels), rows = plan.count * filters;

  float *packed = zeros((int64_t)rows * width), *start = zeros(width), *folded = zeros(channels * filters);
  int32_t *offset = zeros(rows);
  for (int t = 0; t < plan.count; t++) {
    const Tap *tap = &plan.taps[t];
    fold(layer, tap, kernel, folded);
    for (int f = 0; f < filters; f++) {
      for (int c = 0; c < channels; c++) packed[(t * filters + f) * width + c] = folded[c * filters + f];
      offset[t * filters + f] = (tap->phase * block + plan.margin - tap->shift) * filters + f;
    }
  }

  float *lines = zeros((int64_t)layer->scale * layer->scale * block * filters);
  float *sums = zeros((int64_t)plan.line * width);
  int result = y->pooled * x->pooled * filters, first = plan.y.whole * plan.pitch + plan.x.whole;
  for (int n = 0; n < layer->images; n++, out += result, winner += y->window ? result : 0, gradient += result) {
    lay_gradient(layer, &plan, out, winner, gradient, filters, lines);
    correlate(lines + first * filters, filters, offset, rows, packed, width, start, sums,
              (y->size - 1) * plan.pitch + x->size);
    for (int i = 0; i < y->size; i++)
      for (int j = 0; j < x->size; j++, in_gradient += channels)
        memcpy(in_gradient, sums + (i * plan.pitch + j) * width, channels * sizeof(float));
  }
  free(sums), free(lines), free(offset), free(folded), free(start), free(packed), free(plan.taps);
}

static void kernel_gradient(const Layer *layer, const float *in, const float *out, const int32_t *winner,
                            const float *gradient, float *kernel_gradient, float *bias_gradient) {
  Plan plan = plan_of(layer);
  const Axis *y = &layer->y, *x = &layer->x;
  int channels = layer->channels, filters = layer->filters, block = plan.margin + plan.line;
  int phases = layer->scale * layer->scale;
  // The side with more channels fills the lanes, the other one the rows.
  bool transposed = channels > filters;
  int deep = transposed ? filters : channels, wide = transposed ? channels : filters;
  int width = whole_lanes(wide), rows = plan.count * deep;
  int in_width = transposed ? width : channels, out_width = transposed ? filters : width;

  int32_t *offset = zeros(rows + ROWS);
  for (int t = 0; t < plan.count; t++)
    for (int i = 0; i < deep; i++) {
      const Tap *tap = &plan.taps[t];
      offset[t * deep + i] = (transposed ? tap->phase * block + plan.margin - tap->shift : tap->shift) * deep + i;
    }
  float *laid = zeros((int64_t)plan.line * in_width), *lines = zeros((int64_t)phases * block * out_width);
  float *sums = zeros((int64_t)(rows + ROWS) * width);
  int result = y->pooled * x->pooled * filters, first = plan.y.whole * plan.pitch + plan.x.whole;
  memset(bias_gradient, 0, filters * sizeof(float));
  for (int n = 0; n < layer->images; n++, in += y->size * x->size * channels, out += result,
           winner += y->window ? result : 0, gradient += result) {
    lay(layer, &plan, in, in_width, laid);
    lay_gradient(layer, &plan, out, winner, gradient, out_width, lines);
    if (transposed)
      accumulate(lines + first * filters, filters, offset, rows, laid + first * width, width, sums,
                 (y->size - 1) * plan.pitch + x->size);
    else
      for (int t = 0, end; t < plan.count; t = end) {
        int phase = plan.taps[t].phase;
        for (end = t; end < plan.count && plan.taps[end].phase == phase;) end++;
        accumulate(laid, channels, offset + t * channels, (end - t) * channels,
                   lines + (phase * block + plan.margin) * width, width, sums + t * channels * width,
                   (plan.y.grid - 1) * plan.pitch + plan.x.grid);
      }
    for (int i = 0; i < phases * block; i++)
      for (int f = 0; f < filters; f++) bias_gradient[f] += lines[i * out_width + f];
  }

  float *folded = zeros(channels * filters);
  memset(kernel_gradient, 0, (int64_t)y->kernel * x->kernel * channels * filters * sizeof(float));
  for (int t = 0; t < plan.count; t++) {
    for (int c = 0; c < channels; c++)
      for (int f = 0; f < filters; f++)
        folded[c * filters + f] = transposed ? sums[(t * filters + f) * width + c] : sums[(t * channels + c) * width + f];
    unfold(layer, &plan.taps[t], folded, kernel_gradient);
  }
  free(folded), free(sums), free(lines), free(laid), free(offset), free(plan.taps);
}

const Convolution INSTRUCTIONS = {forward, input_gradient, kernel_gradient};
