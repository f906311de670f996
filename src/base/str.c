/* Growable strings. */
#include "base/str.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"

enum { SMALLEST = 64 };

/* Room for `more` bytes and the zero byte. */
static void reserve(StStr *s, size_t more) {
  if (more > SIZE_MAX / 4 || s->len > SIZE_MAX / 4)
    st_fatal("out of memory");
  size_t need = s->len + more + 1, cap = s->cap ? s->cap : SMALLEST;
  if (need <= s->cap)
    return;
  while (cap < need)
    cap *= 2;
  char *p = realloc(s->data, cap);
  if (!p)
    st_fatal("out of memory (%zu bytes were asked for)", cap);
  s->data = p;
  s->cap = cap;
}

void st_str_init(StStr *s) {
  *s = (StStr){0};
  reserve(s, 0);
  s->data[0] = 0;
}

void st_str_free(StStr *s) {
  free(s->data);
  *s = (StStr){0};
}

void st_str_clear(StStr *s) {
  s->len = 0;
  s->data[0] = 0;
}

void st_str_append(StStr *s, const void *data, size_t n) {
  reserve(s, n);
  if (n)
    memcpy(s->data + s->len, data, n);
  s->len += n;
  s->data[s->len] = 0;
}

void st_str_vprintf(StStr *s, const char *fmt, va_list args) {
  va_list again;
  va_copy(again, args);
  int n = vsnprintf(NULL, 0, fmt, args);
  if (n < 0)
    st_fatal("cannot format a text");
  reserve(s, (size_t)n);
  vsnprintf(s->data + s->len, (size_t)n + 1, fmt, again);
  va_end(again);
  s->len += (size_t)n;
}

void st_str_printf(StStr *s, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  st_str_vprintf(s, fmt, args);
  va_end(args);
}
