// The product of two matrices, for dense layers and their gradients.
#pragma once

#include <stdbool.h>

#include "memory.h"
#include "lanes.h"

// A tile of sums stays in registers, with a row of b and a number of a.
#define TILE_ROWS (REGISTERS == 32 ? 8 : 4)
#define TILE_VECTORS 3
// Rows of a are packed side by side, in whole vectors: those of a tile, or of several tiles.
#define STRIP (TILE_ROWS > LANES ? TILE_ROWS : LANES)
// A block of a stays in the level 2 cache; a panel of b, as wide as a tile, in level 1 (sizes measured).
#define BLOCK_ROWS 256
#define BLOCK_DEPTH 256

// Return the size of parts about equal and at most `limit`, as few as possible, that `count` is cut into.
static int compute_even_part(int limit, int count) {
  int parts = (count + limit - 1) / limit;
  return parts ? (count + parts - 1) / parts : 0;
}

// to[k][i] = from[k][i], or from[i][k] if transposed,  k < depth,  i < count ≤ width, whole lanes
// From `count` on, `to` holds any numbers: their sums are not stored.
static void pack(const float *from, int64_t stride, bool transposed, int count, int depth, float *to,
                 int width) {
  if (!transposed) {
    for (int k = 0; k < depth; k++, from += stride, to += width)
      for (int i = 0; i < count; i += LANES)
        store(to + i, count - i < LANES ? load_some(from + i, count - i) : load(from + i));
    return;
  }
  for (int done = 0; done < count; done += LANES) {
    // The last vector may overlap the one before; fewer numbers than LANES are copied one by one.
    int i = count < LANES ? 0 : minimum(count - LANES, done), k = 0;
    for (; count >= LANES && k + 4 <= depth; k += 4) {
      Lanes column[4];
      load_columns(from + i * stride + k, stride, column);
      EACH (c, 4) store(to + (k + c) * width + i, column[c]);
    }
    for (; k < depth; k++)
      for (int l = i; l < minimum(count, i + LANES); l++) to[k * width + l] = from[l * stride + k];
  }
}

// Pack the columns of `from`, or its rows if transposed, in strips that follow each other.
static void pack_strips(const float *from, int64_t stride, bool transposed, int count, int depth, float *to) {
  // A few k at a time: the next strip finds the rest of the cache lines still there.
  int step = transposed ? depth : 16;
  for (int k = 0; k < depth; k += step)
    for (int i = 0; i < count; i += STRIP)
      pack(from + (transposed ? i * stride : k * stride + i), stride, transposed, minimum(STRIP, count - i),
           minimum(step, depth - k), to + i * depth + k * STRIP, STRIP);
}

// Some rows, and at most TILE_VECTORS vectors of columns. A sum starts with `start`, which may be `out`.
typedef struct {
  const float *a, *b, *start;  // a is packed
  float *panel, *out;          // panel: b packed, by the first tile if b != panel
  int64_t b_stride, start_stride, out_stride;
  int rows, columns, depth;
} Tiles;

INLINE void product_tile(const Tiles *tiles, int done, const float *b, int64_t b_stride, int vectors,
                         bool packs) {
  const float *a = tiles->a + done / STRIP * STRIP * tiles->depth + done % STRIP;
  const float *start = tiles->start + done * tiles->start_stride;
  float *panel = tiles->panel, *out = tiles->out + done * tiles->out_stride;
  int rows = tiles->rows - done;
  Lanes sum[TILE_ROWS][TILE_VECTORS];
  EACH (r, TILE_ROWS)
    EACH (v, vectors) {
      const float *from = start + minimum(rows - 1, r) * tiles->start_stride + v * LANES;
      int left = tiles->columns - v * LANES;
      sum[r][v] = left < LANES ? load_some(from, left) : load(from);
    }
  for (int k = 0; k < tiles->depth; k++, a += STRIP, b += b_stride) {
    Lanes factor[TILE_VECTORS];
    EACH (v, vectors) factor[v] = load(b + v * LANES);
    if (packs)
      EACH (v, vectors) store(panel + (k * vectors + v) * LANES, factor[v]);
    EACH (r, TILE_ROWS) {
      Lanes value = all(a[r]);
      EACH (v, vectors) sum[r][v] = multiply_add(value, factor[v], sum[r][v]);
    }
  }
  EACH (r, TILE_ROWS)
    EACH (v, vectors) {
      float *to = out + r * tiles->out_stride + v * LANES;
      int left = r < rows ? tiles->columns - v * LANES : 0;
      if (left >= LANES)
        store(to, sum[r][v]);
      else if (left > 0)
        store_some(to, sum[r][v], left);
    }
}

INLINE void product_tiles(const Tiles *tiles, int vectors) {
  int done = 0;
  if (tiles->b != tiles->panel) {
    product_tile(tiles, 0, tiles->b, tiles->b_stride, vectors, true);
    done = TILE_ROWS;
  }
  for (; done < tiles->rows; done += TILE_ROWS)
    product_tile(tiles, done, tiles->panel, vectors * LANES, vectors, false);
}

// out[m][n] = start[n] + Σ_k a[m][k] · b[k][n],  m < rows,  n < columns,  k < inner
// Each sum is one chain of fused multiply-adds, k ascending, from 0 if there is no start. If transposed, a is
// float[inner][rows] and b is float[columns][inner].
static void product(const float *a, const float *b, const float *start, float *out, int rows, int inner,
                    int columns, bool transpose_a, bool transpose_b) {
  if (!start) start = allocate_floats(columns);
  int64_t a_stride = transpose_a ? rows : inner, b_stride = transpose_b ? inner : columns;
  int deepest = compute_even_part(BLOCK_DEPTH, inner);
  float *block = allocate_floats((minimum(BLOCK_ROWS, rows) + STRIP) * deepest);
  float *panel = allocate_floats(TILE_VECTORS * LANES * deepest);
  int k = 0;
  do {
    int depth = minimum(deepest, inner - k);
    for (int m = 0; m < rows; m += BLOCK_ROWS) {
      int high = minimum(BLOCK_ROWS, rows - m);
      pack_strips(transpose_a ? a + k * a_stride + m : a + m * a_stride + k, a_stride, !transpose_a, high,
                  depth, block);
      for (int n = 0, wide; n < columns; n += wide) {
        int vectors = compute_even_part(TILE_VECTORS, (columns - n + LANES - 1) / LANES);
        wide = minimum(vectors * LANES, columns - n);
        float *to = out + (int64_t)m * columns + n;
        Tiles tiles = {
            .a = block,
            .b = transpose_b ? b + n * b_stride + k : b + k * b_stride + n,
            .start = k ? to : start + n,
            .panel = panel,
            .out = to,
            .b_stride = b_stride,
            .start_stride = k ? columns : 0,
            .out_stride = columns,
            .rows = high,
            .columns = wide,
            .depth = depth,
        };
        // The first tile packs rows that are whole vectors while it reads them.
        if (transpose_b || wide % LANES) {
          pack(tiles.b, b_stride, transpose_b, wide, depth, panel, vectors * LANES);
          tiles.b = panel;
        }
        switch (vectors) {
          case 1: product_tiles(&tiles, 1); break;
          case 2: product_tiles(&tiles, 2); break;
          default: product_tiles(&tiles, TILE_VECTORS);
        }
      }
    }
    k += deepest;
  } while (k < inner);
}
