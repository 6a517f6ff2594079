// Upsampling and convolution to few filters, B2: each small pixel gives a patch, patches are added where they
// overlap. The lanes are the numbers of a patch, where the filters alone would leave most lanes empty.
#pragma once

#include "plan.h"

typedef struct {
  int rows, columns;
} Patch;

static Patch patch_of(const Layer *layer) {
  return (Patch){layer->y.kernel + layer->scale - 1, layer->x.kernel + layer->scale - 1};
}

// Whether patches are the faster way (measured).
static bool is_thin(const Layer *layer) {
  Patch patch = patch_of(layer);
  return patch.rows * patch.columns * layer->filters <= 32 && layer->filters < layer->channels &&
         !layer->y.window;
}

// B2's K, float[channels][patch]: the kernel mirrored and summed over windows of s,
// K[a] = Σ k[d] over a = e − d + h − 1 with e < s, along an axis of h taps.
static void widen(const Layer *layer, const float *kernel, int width, float *widened) {
  int scale = layer->scale, channels = layer->channels, filters = layer->filters;
  int rows = layer->y.kernel, columns = layer->x.kernel;
  for (int y = 0; y < rows; y++)
    for (int x = 0; x < columns; x++)
      for (int e = 0; e < scale * scale; e++) {
        int row = e / scale - y + rows - 1, column = e % scale - x + columns - 1;
        float *to = widened + (row * patch_of(layer).columns + column) * filters;
        for (int c = 0; c < channels; c++)
          for (int f = 0; f < filters; f++)
            to[c * width + f] += kernel[((y * columns + x) * channels + c) * filters + f];
      }
}

// Add up the patches of all small pixels and the bias, one row of the result after the other; a patch's row
// has `run` numbers. `band` holds the patches' rows that fall on it, `row` it and what lies beyond its ends.
INLINE void overlap_with(const Layer *layer, const float *patches, int width, int run, const float *bias,
                         float *band, float *row, float *out) {
  const Axis *y = &layer->y, *x = &layer->x;
  int filters = layer->filters, step = layer->scale * filters, rows = patch_of(layer).rows;
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
  // 3 × 3 taps, upsampled by 2, one filter: known where it is compiled, as strides are in products.h.
  if (run == 4)
    overlap_with(layer, patches, width, 4, bias, band, row, out);
  else
    overlap_with(layer, patches, width, run, bias, band, row, out);
}

static void forward_thin(const Layer *layer, const float *in, const float *kernel, const float *bias,
                         float *out) {
  int channels = layer->channels, pixels = layer->y.size * layer->x.size;
  Patch patch = patch_of(layer);
  int run = patch.columns * layer->filters, width = whole_lanes(patch.rows * run);

  float *widened = floats(channels * width), *start = floats(width);
  int32_t *offset = integers(channels);
  widen(layer, kernel, width, widened);
  for (int c = 0; c < channels; c++) offset[c] = c;

  float *line = floats((pixels + SLACK) * channels), *patches = floats((pixels + SLACK) * width);
  float *band = floats(layer->x.size * run),
        *row = floats(layer->x.size * layer->scale * layer->filters + run);
  int64_t image = image_size(layer), result = result_size(layer);
  for (int n = 0; n < layer->images; n++, out += result) {
    memcpy(line, in + n * image, image * sizeof(float));
    correlate(line, channels, offset, channels, widened, width, start, patches, pixels);
    overlap(layer, patches, width, run, bias, band, row, out);
    if (layer->relu)
      for (int i = 0; i < result; i++) out[i] = out[i] <= 0 ? 0 : out[i];
  }
}
