// Upsampling and convolution to few filters (B2): each small pixel gives a patch, and overlapping patches are
// added. A vector holds numbers of a patch; the filters alone would leave most of it empty.
#pragma once

#include "plan.h"

typedef struct {
  int rows, columns;
} Patch;

static Patch compute_patch(const Layer *layer) {
  return (Patch){layer->y.kernel + layer->scale - 1, layer->x.kernel + layer->scale - 1};
}

// Return whether patches are faster (measured).
static bool is_thin(const Layer *layer) {
  Patch patch = compute_patch(layer);
  return patch.rows * patch.columns * layer->filters <= 32 && layer->filters < layer->channels &&
         !layer->y.window;
}

// Compute K of B2, float[channels][patch]: the kernel mirrored and summed over windows of s,
// K[a] = Σ k[d] over a = e − d + h − 1 with e < s, along an axis of h taps.
static void widen(const Layer *layer, const float *kernel, int width, float *widened) {
  int scale = layer->scale, channels = layer->channels, filters = layer->filters;
  int rows = layer->y.kernel, columns = layer->x.kernel;
  for (int y = 0; y < rows; y++)
    for (int x = 0; x < columns; x++)
      for (int e = 0; e < scale * scale; e++) {
        int row = e / scale - y + rows - 1, column = e % scale - x + columns - 1;
        float *to = widened + (row * compute_patch(layer).columns + column) * filters;
        for (int c = 0; c < channels; c++)
          for (int f = 0; f < filters; f++)
            to[c * width + f] += kernel[((y * columns + x) * channels + c) * filters + f];
      }
}

// Add up the patches of all small pixels and the bias, one row of the result after the other. A row of a
// patch has `run` numbers. `band` holds the rows of patches that fall on the row of the result, `row` that
// row and what extends beyond its ends.
INLINE void overlap_with(const Layer *layer, const float *patches, int width, int run, const float *bias,
                         float *band, float *row, float *out) {
  const Axis *y = &layer->y, *x = &layer->x;
  int filters = layer->filters, step = layer->scale * filters, rows = compute_patch(layer).rows;
  int beyond = (x->kernel - 1 - x->before) * filters;
  for (int i = 0; i < y->output; i++, out += x->output * filters) {
    memset(band, 0, x->size * run * sizeof(float));
    for (int m = 0; m < y->size; m++) {
      int a = i - (layer->scale * m - y->kernel + 1 + y->before);
      if (a < 0 || a >= rows) continue;
      const float *from = patches + m * x->size * width + a * run;
      for (int n = 0; n < x->size; n++)
        for (int k = 0; k < run; k++) band[n * run + k] += from[n * width + k];
    }
    for (int j = 0; j < x->output; j++)
      for (int f = 0; f < filters; f++) row[beyond + j * filters + f] = bias[f];
    // Every second patch, then the others: neighbours would wait for each other's sums.
    for (int odd = 0; odd < 2; odd++)
      for (int n = odd; n < x->size; n += 2)
        for (int k = 0; k < run; k++) row[n * step + k] += band[n * run + k];
    memcpy(out, row + beyond, x->output * filters * sizeof(float));
  }
}

static void overlap(const Layer *layer, const float *patches, int width, int run, const float *bias,
                    float *band, float *row, float *out) {
  // 3 × 3 taps, upsampled by 2, one filter: a constant at compile time, as strides in products.h.
  if (run == 4)
    overlap_with(layer, patches, width, 4, bias, band, row, out);
  else
    overlap_with(layer, patches, width, run, bias, band, row, out);
}

static void compute_thin(const Layer *layer, const float *in, const float *kernel, const float *bias,
                         float *out) {
  int channels = layer->channels, pixels = layer->y.size * layer->x.size;
  Patch patch = compute_patch(layer);
  int run = patch.columns * layer->filters, width = round_up_to_lanes(patch.rows * run);

  float *widened = allocate_floats(channels * width), *start = allocate_floats(width);
  int32_t *offset = allocate_integers(channels);
  widen(layer, kernel, width, widened);
  for (int c = 0; c < channels; c++) offset[c] = c;

  float *line = allocate_floats((pixels + SLACK) * channels),
        *patches = allocate_floats((pixels + SLACK) * width);
  float *band = allocate_floats(layer->x.size * run),
        *row = allocate_floats(layer->x.size * layer->scale * layer->filters + run);
  int64_t image = image_size(layer), result = result_size(layer);
  for (int n = 0; n < layer->images; n++, out += result) {
    memcpy(line, in + n * image, image * sizeof(float));
    correlate(line, channels, offset, channels, widened, width, start, patches, pixels);
    overlap(layer, patches, width, run, bias, band, row, out);
    if (layer->relu)
      for (int i = 0; i < result; i++) out[i] = out[i] <= 0 ? 0 : out[i];
  }
}
