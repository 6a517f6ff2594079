// Compiled once for every instruction set, as INSTRUCTIONS. The formulas are in cae/engine/convolutions.py.
#include "convolution.h"

#include "pooled.h"
#include "thin.h"

static void forward(const Layer *layer, const float *in, const float *kernel, const float *bias, float *out,
                    float *winner) {
  release_memory();
  if (is_thin(layer)) {
    compute_thin(layer, in, kernel, bias, out);
    return;
  }
  Plan plan = make_plan(layer);
  int channels = layer->channels, filters = layer->filters, width = round_up_to_lanes(filters);

  float *weights = allocate_floats(plan.count * channels * width), *start = allocate_floats(width);
  float *folded = allocate_floats(channels * filters);
  int32_t *offset = allocate_integers(plan.count * channels);
  memcpy(start, bias, filters * sizeof(float));
  for (int t = 0; t < plan.count; t++) {
    fold(layer, &plan.taps[t], kernel, folded);
    for (int c = 0; c < channels; c++) {
      memcpy(weights + (t * channels + c) * width, folded + c * filters, filters * sizeof(float));
      offset[t * channels + c] = plan.taps[t].shift * channels + c;
    }
  }

  float *line = allocate_floats(plan.line_length * channels),
        *blocks = allocate_floats(plan.phases * plan.block_length * width);
  int64_t image = image_size(layer), result = result_size(layer);
  for (int n = 0; n < layer->images; n++) {
    lay_out(layer, &plan, in + n * image, channels, line);
    for (int t = 0, end; t < plan.count; t = end) {
      end = find_end_of_phase(&plan, t);
      correlate(line, channels, offset + t * channels, (end - t) * channels, weights + t * channels * width,
                width, start, blocks + (plan.taps[t].phase * plan.block_length + plan.margin) * width,
                count_span(&plan, plan.y.results, plan.x.results));
    }
    if (layer->y.window)
      write_pooled_result(layer, &plan, blocks, width, out + n * result, winner + n * result);
    else
      write_result(layer, &plan, blocks, width, out + n * result);
  }
}

static void input_gradient(const Layer *layer, const float *kernel, const float *out, const float *winner,
                           const float *gradient, float *in_gradient) {
  release_memory();
  if (layer->y.window) {
    pooled_input_gradient(layer, kernel, winner, gradient, in_gradient);
    return;
  }
  Plan plan = make_plan(layer);
  int channels = layer->channels, filters = layer->filters, width = round_up_to_lanes(channels);

  float *weights = allocate_floats(plan.count * filters * width), *start = allocate_floats(width);
  float *folded = allocate_floats(channels * filters);
  int32_t *offset = allocate_integers(plan.count * filters);
  for (int t = 0; t < plan.count; t++) {
    const Tap *tap = &plan.taps[t];
    fold(layer, tap, kernel, folded);
    for (int f = 0; f < filters; f++) {
      for (int c = 0; c < channels; c++) weights[(t * filters + f) * width + c] = folded[c * filters + f];
      offset[t * filters + f] = (tap->phase * plan.block_length + plan.margin - tap->shift) * filters + f;
    }
  }

  float *blocks = allocate_floats(plan.phases * plan.block_length * filters),
        *line = allocate_floats(plan.line_length * width);
  int64_t image = image_size(layer), result = result_size(layer);
  for (int n = 0; n < layer->images; n++) {
    lay_out_gradient(layer, &plan, out + n * result, gradient + n * result, filters, blocks);
    correlate(blocks + plan.origin * filters, filters, offset, plan.count * filters, weights, width, start,
              line + plan.origin * width, count_span(&plan, layer->y.size, layer->x.size));
    collect_line(layer, &plan, line, width, in_gradient + n * image);
  }
}

static void dense_kernel_gradient(const Layer *layer, const float *in, const float *out, const float *winner,
                                  const float *gradient, float *kernel_gradient) {
  Plan plan = make_plan(layer);
  int channels = layer->channels, filters = layer->filters;
  // The side with more channels fills the vectors, the other one the rows.
  bool transposed = channels > filters;
  int deep = transposed ? filters : channels, width = round_up_to_lanes(transposed ? channels : filters);
  int in_width = transposed ? width : channels, out_width = transposed ? filters : width;

  int32_t *offset = allocate_integers(plan.count * deep + ROWS);
  for (int t = 0; t < plan.count; t++)
    for (int i = 0; i < deep; i++) {
      const Tap *tap = &plan.taps[t];
      int pixel = transposed ? tap->phase * plan.block_length + plan.margin - tap->shift : tap->shift;
      offset[t * deep + i] = pixel * deep + i;
    }
  float *line = allocate_floats(plan.line_length * in_width),
        *blocks = allocate_floats(plan.phases * plan.block_length * out_width);
  float *sums = allocate_floats(plan.count * deep * width);
  int64_t image = image_size(layer), result = result_size(layer);
  for (int n = 0; n < layer->images; n++) {
    lay_out(layer, &plan, in + n * image, in_width, line);
    if (layer->y.window)
      lay_out_pooled_gradient(layer, &plan, winner + n * result, gradient + n * result, out_width, blocks);
    else
      lay_out_gradient(layer, &plan, out + n * result, gradient + n * result, out_width, blocks);
    if (transposed)
      accumulate(blocks + plan.origin * filters, filters, offset, plan.count * filters,
                 line + plan.origin * width, width, sums, count_span(&plan, layer->y.size, layer->x.size));
    else
      for (int t = 0, end; t < plan.count; t = end) {
        end = find_end_of_phase(&plan, t);
        accumulate(line, channels, offset + t * channels, (end - t) * channels,
                   blocks + (plan.taps[t].phase * plan.block_length + plan.margin) * width, width,
                   sums + t * channels * width, count_span(&plan, plan.y.results, plan.x.results));
      }
  }

  // From sums[tap][rows][lanes] to the kernel's own order and taps.
  float *folded = allocate_floats(channels * filters);
  memset(kernel_gradient, 0, layer->y.kernel * layer->x.kernel * channels * filters * sizeof(float));
  for (int t = 0; t < plan.count; t++) {
    for (int c = 0; c < channels; c++)
      for (int f = 0; f < filters; f++)
        folded[c * filters + f] = sums[(t * deep + (transposed ? f : c)) * width + (transposed ? c : f)];
    unfold(layer, &plan.taps[t], folded, kernel_gradient);
  }
}

static void kernel_gradient(const Layer *layer, const float *in, const float *out, const float *winner,
                            const float *gradient, float *kernel_gradient, float *bias_gradient) {
  release_memory();
  // With fewer channels, a winner's neighbours are too few to fill vectors (measured).
  if (layer->y.window && layer->channels >= 8)
    pooled_kernel_gradient(layer, in, winner, gradient, kernel_gradient);
  else
    dense_kernel_gradient(layer, in, out, winner, gradient, kernel_gradient);
  int64_t result = result_size(layer);
  memset(bias_gradient, 0, layer->filters * sizeof(float));
  for (int n = 0; n < layer->images; n++)
    add_bias_gradient(layer, out + n * result, gradient + n * result, bias_gradient);
}

const Convolution INSTRUCTIONS = {forward, input_gradient, kernel_gradient};
