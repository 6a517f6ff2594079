// Included before every source that is sanitized: after each allocation of a thread's memory comes a fence
// that must not be touched. To AddressSanitizer alone, neighbouring allocations would be one.
#pragma once

#include <sanitizer/asan_interface.h>

#include "memory.h"

static inline void release_fenced_memory(void) {
  release_memory();
  if (chunk) ASAN_UNPOISON_MEMORY_REGION(chunk, chunk->size);
}

static inline void *allocate_fenced(int64_t count, size_t size) {
  // Vectors may reach past the end, by at most the bytes of the longest: the fence begins after them.
  int64_t allowed = count * size + 64;
  char *memory = allocate(allowed, 1);
  ASAN_POISON_MEMORY_REGION(memory + allowed, 64);
  return memory;
}

#define release_memory() release_fenced_memory()
#define allocate(count, size) allocate_fenced(count, size)
#define allocate_floats(count) ((float *)allocate_fenced(count, sizeof(float)))
#define allocate_integers(count) ((int32_t *)allocate_fenced(count, sizeof(int32_t)))
