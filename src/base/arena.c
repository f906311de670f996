/* Arenas: blocks that double in size, released together. */
#include "base/arena.h"

#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"

typedef struct Block {
  struct Block *next;
  size_t used, size; /* bytes of the data, HEADER bytes after this */
} Block;

struct StArena {
  Block *first; /* the one that is being filled */
  size_t grow;  /* size of the next block */
};

enum { ALIGN = 16, HEADER = 32, SMALLEST = 1 << 12, LARGEST = 1 << 22 };

_Static_assert(sizeof(Block) <= HEADER, "the header of a block fits");

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

/* A block with room for `bytes`. One that is made for a large request does not
 * take the place of the one that is being filled. */
static Block *add_block(StArena *a, size_t bytes) {
  size_t size = bytes > a->grow ? bytes : a->grow;
  Block *b = calloc(1, HEADER + size);
  if (!b)
    st_fatal("out of memory (%zu bytes were asked for)", size);
  b->size = size;
  if (a->first && bytes > a->grow / 4) {
    b->next = a->first->next;
    a->first->next = b;
    return b;
  }
  b->next = a->first;
  a->first = b;
  a->grow = a->grow < LARGEST ? a->grow * 2 : a->grow;
  return b;
}

void *st_arena_alloc(StArena *a, size_t bytes) {
  if (bytes > SIZE_MAX / 2)
    st_fatal("out of memory (%zu bytes were asked for)", bytes);
  bytes = bytes ? (bytes + ALIGN - 1) / ALIGN * ALIGN : ALIGN;
  Block *b = a->first;
  if (!b || b->size - b->used < bytes)
    b = add_block(a, bytes);
  void *p = (char *)b + HEADER + b->used;
  b->used += bytes;
  return p;
}

void *st_arena_alloc_n(StArena *a, size_t n, size_t size) {
  size_t bytes = 0;
  if (__builtin_mul_overflow(n, size, &bytes))
    st_fatal("out of memory (%zu times %zu bytes were asked for)", n, size);
  return st_arena_alloc(a, bytes);
}

void *st_arena_copy(StArena *a, const void *data, size_t n) {
  void *p = st_arena_alloc(a, n + 1);
  return n ? memcpy(p, data, n) : p;
}

char *st_arena_strdup(StArena *a, const char *s) {
  return st_arena_copy(a, s, strlen(s));
}

char *st_arena_printf(StArena *a, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  int n = vsnprintf(NULL, 0, fmt, args);
  va_end(args);
  if (n < 0)
    st_fatal("cannot format a text");
  char *s = st_arena_alloc(a, (size_t)n + 1);
  va_start(args, fmt);
  vsnprintf(s, (size_t)n + 1, fmt, args);
  va_end(args);
  return s;
}

void *st_vec_grow(StArena *a, const void *old, int n, int *cap, size_t size) {
  if (*cap > INT_MAX / 2)
    st_fatal("out of memory (an array of more than %d elements)", *cap);
  *cap = *cap ? 2 * *cap : 8;
  void *p = st_arena_alloc_n(a, (size_t)*cap, size);
  if (n)
    memcpy(p, old, (size_t)n * size);
  return p;
}
