/* Sizes that are linear in P and T. */
#include "base/sym.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/diag.h"

__extension__ typedef __int128 Wide;

static int64_t clamp(Wide x) {
  return x > INT64_MAX ? INT64_MAX : x < INT64_MIN ? INT64_MIN : (int64_t)x;
}

StSym st_sym_const(int64_t c) { return (StSym){c, 0, 0}; }

StSym st_sym_add(StSym a, StSym b) {
  StSym s;
  ST_CHECK(!__builtin_add_overflow(a.c, b.c, &s.c) &&
               !__builtin_add_overflow(a.p, b.p, &s.p) &&
               !__builtin_add_overflow(a.t, b.t, &s.t),
           "a size is beyond 64 bits");
  return s;
}

StSym st_sym_scale(StSym a, int64_t by) {
  StSym s;
  ST_CHECK(!__builtin_mul_overflow(a.c, by, &s.c) &&
               !__builtin_mul_overflow(a.p, by, &s.p) &&
               !__builtin_mul_overflow(a.t, by, &s.t),
           "a size is beyond 64 bits");
  return s;
}

bool st_sym_eq(StSym a, StSym b) {
  return a.c == b.c && a.p == b.p && a.t == b.t;
}

bool st_sym_is_const(StSym a) { return a.p == 0 && a.t == 0; }

int64_t st_sym_eval(StSym a, int64_t P, int64_t T) {
  return clamp((Wide)a.c + (Wide)a.p * P + (Wide)a.t * T);
}

/* A linear function takes its extremes at corners of its domain, here a
 * trapezoid: T = 1 or the most, P = 0 or ctx - T. */
static void corners(StSym a, int64_t ctx, int64_t chunk, int64_t v[4]) {
  int64_t most = chunk < ctx ? chunk : ctx;
  bool symbols = most > 0;
  v[0] = symbols ? st_sym_eval(a, 0, 1) : a.c;
  v[1] = symbols ? st_sym_eval(a, ctx - 1, 1) : a.c;
  v[2] = symbols ? st_sym_eval(a, 0, most) : a.c;
  v[3] = symbols ? st_sym_eval(a, ctx - most, most) : a.c;
}

int64_t st_sym_max(StSym a, int64_t ctx, int64_t chunk) {
  int64_t v[4];
  corners(a, ctx, chunk, v);
  for (int i = 1; i < 4; i++)
    v[0] = v[i] > v[0] ? v[i] : v[0];
  return v[0];
}

int64_t st_sym_min(StSym a, int64_t ctx, int64_t chunk) {
  int64_t v[4];
  corners(a, ctx, chunk, v);
  for (int i = 1; i < 4; i++)
    v[0] = v[i] < v[0] ? v[i] : v[0];
  return v[0];
}

/* ---- text ------------------------------------------------------------- */

static int print_term(char *buf, int n, int64_t k, char name) {
  size_t room = ST_SYM_TEXT - (size_t)n;
  if (k == 1 || k == -1)
    return snprintf(buf + n, room, "%s%c", k < 0 ? "-" : n ? "+" : "", name);
  return snprintf(buf + n, room, "%s%" PRId64 "*%c", k > 0 && n ? "+" : "", k,
                  name);
}

char *st_sym_print(char *buf, StSym a) {
  int n = 0;
  buf[0] = 0;
  if (a.p)
    n += print_term(buf, n, a.p, 'P');
  if (a.t)
    n += print_term(buf, n, a.t, 'T');
  if (a.c || !n)
    snprintf(buf + n, ST_SYM_TEXT - (size_t)n, "%s%" PRId64,
             a.c > 0 && n ? "+" : "", a.c);
  return buf;
}

/* Length of the digits; their value with the sign, 0 if beyond 64 bits. */
static size_t parse_number(const char *s, size_t n, bool minus, int64_t *v) {
  size_t i = 0;
  *v = 0;
  for (; i < n && s[i] >= '0' && s[i] <= '9'; i++) {
    int64_t digit = minus ? '0' - s[i] : s[i] - '0';
    if (__builtin_mul_overflow(*v, 10, v) ||
        __builtin_add_overflow(*v, digit, v))
      return 0;
  }
  return i;
}

/* Length of "7", "P" or "7*P"; it is added to *a. */
static size_t parse_term(const char *s, size_t n, bool minus, StSym *a) {
  int64_t k = minus ? -1 : 1;
  size_t i = 0;
  int64_t *to = &a->c;
  if (n > 0 && s[0] >= '0' && s[0] <= '9') {
    i = parse_number(s, n, minus, &k);
    if (i == 0)
      return 0;
    bool product =
        i + 1 < n && s[i] == '*' && (s[i + 1] == 'P' || s[i + 1] == 'T');
    if (product) {
      to = s[i + 1] == 'P' ? &a->p : &a->t;
      i += 2;
    }
  } else {
    if (n == 0 || (s[0] != 'P' && s[0] != 'T'))
      return 0;
    to = s[0] == 'P' ? &a->p : &a->t;
    i = 1;
  }
  return __builtin_add_overflow(*to, k, to) ? 0 : i;
}

size_t st_sym_parse(const char *text, size_t n, StSym *out) {
  size_t at = 0;
  *out = (StSym){0};
  for (;;) {
    size_t sign = at < n && (text[at] == '-' || (at > 0 && text[at] == '+'));
    StSym sum = *out;
    size_t used = parse_term(text + at + sign, n - at - sign,
                             sign && text[at] == '-', &sum);
    if (!used)
      return at; /* what came before is a whole sum */
    *out = sum;
    at += sign + used;
    if (at >= n || (text[at] != '+' && text[at] != '-'))
      return at;
  }
}
