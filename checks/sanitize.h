// Included in front of every source that is sanitized: behind each piece of a thread's memory lies what must
// not be touched. For AddressSanitizer alone, pieces that lie side by side are one.
#pragma once

#include <sanitizer/asan_interface.h>

#include "memory.h"

static inline void forget_fenced(void) {
  forget();
  if (chunk) ASAN_UNPOISON_MEMORY_REGION(chunk, chunk->size);
}

static inline void *zeros_fenced(int64_t count, size_t size) {
  // Vectors may reach past the end, by as many bytes as the longest has: the fence begins behind them.
  int64_t allowed = count * size + 64;
  char *piece = zeros(allowed, 1);
  ASAN_POISON_MEMORY_REGION(piece + allowed, 64);
  return piece;
}

#define forget() forget_fenced()
#define zeros(count, size) zeros_fenced(count, size)
#define floats(count) ((float *)zeros_fenced(count, sizeof(float)))
#define integers(count) ((int32_t *)zeros_fenced(count, sizeof(int32_t)))
