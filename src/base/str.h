/* A growable string, for text whose length is not known beforehand. */
#ifndef ST_BASE_STR_H
#define ST_BASE_STR_H

#include <stdarg.h>

#include "base/arena.h"

typedef struct StStr {
  char *data; /* len bytes and a zero byte */
  size_t len;
  size_t cap; /* bytes of data */
} StStr;

void st_str_init(StStr *s);
void st_str_free(StStr *s);  /* init before using it again */
void st_str_clear(StStr *s); /* keeps the storage */
void st_str_append(StStr *s, const void *data, size_t n);
void st_str_printf(StStr *s, const char *fmt, ...) ST_PRINTF(2, 3);
void st_str_vprintf(StStr *s, const char *fmt, va_list args) ST_PRINTF(2, 0);

#endif
