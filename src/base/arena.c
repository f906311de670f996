/* Arenas: blocks that double in size, released together. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"

typedef struct Block {
  struct Block *next;
  size_t used, size; /* bytes of data behind the header */
} Block;

struct StArena {
  Block *first;
  size_t grow; /* size of the next block */
};

enum { HEADER = 32, SMALLEST = 1 << 12, LARGEST = 1 << 22 };

StArena *st_arena_new(void) {
  StArena *a = calloc(1, sizeof *a);
  if (!a)
    st_fatal("out of memory");
  a->grow = SMALLEST;
  return a;
}

void st_arena_free(StArena *a) {
  if (!a)
    return;
  for (Block *b = a->first, *next; b; b = next) {
    next = b->next;
    free(b);
  }
  free(a);
}

static Block *add_block(StArena *a, size_t bytes) {
  size_t size = bytes > a->grow ? bytes : a->grow;
  if (size > SIZE_MAX - HEADER)
    st_fatal("out of memory");
  Block *b = calloc(1, HEADER + size);
  if (!b)
    st_fatal("out of memory (%zu bytes were asked for)", size);
  b->size = size;
  if (bytes > a->grow / 4 && a->first) { /* keep filling the current one */
    b->next = a->first->next;
    a->first->next = b;
  } else {
    b->next = a->first;
    a->first = b;
    a->grow = a->grow < LARGEST ? a->grow * 2 : a->grow;
  }
  return b;
}

void *st_arena_alloc(StArena *a, size_t bytes) {
  if (bytes > SIZE_MAX - 16)
    st_fatal("out of memory");
  bytes = (bytes + 15) & ~(size_t)15;
  Block *b = a->first;
  if (!b || b->size - b->used < bytes)
    b = add_block(a, bytes);
  void *p = (char *)b + HEADER + b->used;
  b->used += bytes;
  return p;
}

char *st_arena_strdup(StArena *a, const char *s) {
  size_t n = strlen(s) + 1;
  return memcpy(st_arena_alloc(a, n), s, n);
}

char *st_arena_printf(StArena *a, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  int n = vsnprintf(NULL, 0, fmt, args);
  va_end(args);
  if (n < 0)
    st_fatal("cannot format a message");
  char *s = st_arena_alloc(a, (size_t)n + 1);
  va_start(args, fmt);
  vsnprintf(s, (size_t)n + 1, fmt, args);
  va_end(args);
  return s;
}

void *st_vec_grow(StArena *a, const void *old, int n, int *cap, size_t size) {
  if (*cap > INT32_MAX / 2)
    st_fatal("out of memory");
  *cap = *cap ? 2 * *cap : 8;
  void *p = st_arena_alloc(a, (size_t)*cap * size);
  if (n)
    memcpy(p, old, (size_t)n * size);
  return p;
}
