// Memory for one call of an operation. Each thread keeps it for its next call.
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Chunk {
  struct Chunk *previous;
  size_t size, used;
} Chunk;

static _Thread_local Chunk *chunk;

// Release the memory of the thread's last call; the last and largest chunk is kept.
static void release_memory(void) {
  while (chunk && chunk->previous) {
    Chunk *old = chunk->previous;
    chunk->previous = old->previous;
    free(old);
  }
  if (chunk) chunk->used = 64;
}

// Return memory of zeros that begins at a cache line, so that no vector crosses two.
static void *allocate(int64_t count, size_t size) {
  size_t bytes = (count * size + 127) / 64 * 64;  // vectors may reach past the end
  if (!chunk || chunk->used + bytes > chunk->size) {
    size_t length = 64 + bytes + (chunk ? 2 * chunk->size : 0);
    Chunk *next = aligned_alloc(64, length);
    if (!next) {
      fputs("error: out of memory\n", stderr);
      abort();
    }
    *next = (Chunk){chunk, length, 64};
    chunk = next;
  }
  void *memory = (char *)chunk + chunk->used;
  chunk->used += bytes;
  return memset(memory, 0, bytes);
}

static inline float *allocate_floats(int64_t count) { return allocate(count, sizeof(float)); }
static inline int32_t *allocate_integers(int64_t count) { return allocate(count, sizeof(int32_t)); }
