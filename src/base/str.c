/* Growable byte buffers. */
#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/diag.h"

static void reserve(StStr *s, size_t more) {
  if (s->len + more + 1 <= s->cap)
    return;
  size_t cap = s->cap ? s->cap : 64;
  while (cap < s->len + more + 1)
    cap *= 2;
  char *p = realloc(s->data, cap);
  if (!p)
    st_fatal("out of memory");
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

void st_str_append(StStr *s, const void *bytes, size_t n) {
  if (!n)
    return;
  reserve(s, n);
  memcpy(s->data + s->len, bytes, n);
  s->len += n;
  s->data[s->len] = 0;
}

void st_str_printf(StStr *s, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  int n = vsnprintf(NULL, 0, fmt, args);
  va_end(args);
  if (n < 0)
    st_fatal("cannot format a text");
  reserve(s, (size_t)n);
  va_start(args, fmt);
  vsnprintf(s->data + s->len, (size_t)n + 1, fmt, args);
  va_end(args);
  s->len += (size_t)n;
}
