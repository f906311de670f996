/* Extents that are linear in P and T. */
#include "base/sym.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

StSym st_sym_const(int64_t c) { return (StSym){c, 0, 0}; }

StSym st_sym_add(StSym a, StSym b) {
  return (StSym){a.c + b.c, a.p + b.p, a.t + b.t};
}

StSym st_sym_scale(StSym a, int64_t by) {
  return (StSym){a.c * by, a.p * by, a.t * by};
}

bool st_sym_eq(StSym a, StSym b) {
  return a.c == b.c && a.p == b.p && a.t == b.t;
}

bool st_sym_is_const(StSym a) { return a.p == 0 && a.t == 0; }

int64_t st_sym_eval(StSym a, int64_t P, int64_t T) {
  return a.c + a.p * P + a.t * T;
}

/* A linear function takes its extremes at the corners of the triangle. */
static void corners(StSym a, int64_t ctx, int64_t chunk, int64_t v[4]) {
  int64_t most = chunk < ctx ? chunk : ctx;
  v[0] = st_sym_eval(a, 0, 1);
  v[1] = st_sym_eval(a, ctx - 1, 1);
  v[2] = st_sym_eval(a, 0, most);
  v[3] = st_sym_eval(a, ctx - most, most);
}

int64_t st_sym_max(StSym a, int64_t ctx, int64_t chunk) {
  if (ctx <= 0 || st_sym_is_const(a))
    return a.c;
  int64_t v[4];
  corners(a, ctx, chunk, v);
  for (int i = 1; i < 4; i++)
    v[0] = v[i] > v[0] ? v[i] : v[0];
  return v[0];
}

int64_t st_sym_min(StSym a, int64_t ctx, int64_t chunk) {
  return -st_sym_max(st_sym_scale(a, -1), ctx, chunk);
}

char *st_sym_print(char *buf, StSym a) {
  int n = 0;
  const struct {
    int64_t k;
    char name;
  } part[] = {{a.p, 'P'}, {a.t, 'T'}};
  for (int i = 0; i < 2; i++) {
    int64_t k = part[i].k;
    if (!k)
      continue;
    if (k == 1 || k == -1)
      n += snprintf(buf + n, ST_SYM_TEXT - (size_t)n, "%s%c",
                    k < 0 ? "-" : n ? "+" : "", part[i].name);
    else
      n += snprintf(buf + n, ST_SYM_TEXT - (size_t)n, "%s%" PRId64 "*%c",
                    k > 0 && n ? "+" : "", k, part[i].name);
  }
  if (a.c || !n)
    snprintf(buf + n, ST_SYM_TEXT - (size_t)n, "%s%" PRId64,
             a.c > 0 && n ? "+" : "", a.c);
  return buf;
}

/* An integer without sign; 0 bytes if there is none or it is too large. */
static size_t parse_number(const char *s, size_t n, int64_t *v) {
  size_t i = 0;
  *v = 0;
  for (; i < n && s[i] >= '0' && s[i] <= '9'; i++) {
    if (*v > (INT64_C(1) << 56))
      return 0;
    *v = *v * 10 + (s[i] - '0');
  }
  return i;
}

static size_t parse_term(const char *s, size_t n, int64_t sign, StSym *a) {
  int64_t k = 1;
  size_t i = parse_number(s, n, &k);
  if (i == 0)
    k = 1;
  bool product = i > 0 && i + 1 < n && s[i] == '*' &&
                 (s[i + 1] == 'P' || s[i + 1] == 'T');
  if (i > 0 && !product) {
    a->c += sign * k;
    return i;
  }
  i += product;
  if (i >= n || (s[i] != 'P' && s[i] != 'T'))
    return 0;
  if (s[i] == 'P')
    a->p += sign * k;
  else
    a->t += sign * k;
  return i + 1;
}

size_t st_sym_parse(const char *text, size_t n, StSym *a) {
  size_t at = 0;
  *a = (StSym){0};
  for (;;) {
    int64_t sign = 1;
    if (at < n && (text[at] == '-' || (at > 0 && text[at] == '+')))
      sign = text[at++] == '-' ? -1 : 1;
    size_t used = parse_term(text + at, n - at, sign, a);
    if (!used)
      return 0;
    at += used;
    if (at >= n || (text[at] != '+' && text[at] != '-'))
      return at;
  }
}
