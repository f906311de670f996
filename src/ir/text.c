/* Reading of the text form; types are at the end. */
#include "ir/text.h"

#include <ctype.h>
#include <stdarg.h>
#include <string.h>

/* ---- places and errors ------------------------------------------------ */

static void skip_space(StText *x) {
  while (x->at < x->n) {
    char c = x->text[x->at];
    if (c == '/' && x->at + 1 < x->n && x->text[x->at + 1] == '/')
      while (x->at < x->n && x->text[x->at] != '\n')
        x->at++;
    else if (c == ' ' || c == '\n' || c == '\t' || c == '\r')
      x->at++;
    else
      return;
  }
}

StLoc st_text_loc(StText *x) {
  skip_space(x);
  for (; x->known < x->at; x->known++)
    if (x->text[x->known] == '\n') {
      x->line++;
      x->col = 1;
    } else {
      x->col++;
    }
  return (StLoc){x->file, x->line, x->col};
}

void st_text_fail(StText *x, const char *fmt, ...) {
  if (!x->failed) {
    char what[160];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    st_error(x->diag, st_text_loc(x), "%s", what);
  }
  x->failed = true;
  x->at = x->n;
}

/* ---- words ------------------------------------------------------------ */

char st_text_peek(StText *x) {
  skip_space(x);
  return x->at < x->n ? x->text[x->at] : 0;
}

static bool is_word(char c) {
  return isalnum((unsigned char)c) || c == '-' || c == '_';
}

bool st_text_next(StText *x, const char *word) {
  skip_space(x);
  size_t n = strlen(word);
  if (x->n - x->at < n || memcmp(x->text + x->at, word, n) != 0)
    return false;
  return !is_word(word[n - 1]) || x->at + n == x->n ||
         !is_word(x->text[x->at + n]);
}

bool st_text_accept(StText *x, const char *word) {
  if (!st_text_next(x, word))
    return false;
  x->at += strlen(word);
  return true;
}

void st_text_expect(StText *x, const char *word) {
  if (!st_text_accept(x, word))
    st_text_fail(x, "expected '%s'", word);
}

int st_text_name(StText *x, const char *(*name)(int), int n, const char *what) {
  for (int i = 0; i < n; i++)
    if (st_text_accept(x, name(i)))
      return i;
  st_text_fail(x, "expected %s", what);
  return 0;
}

static bool next_is(const StText *x, size_t i, char c) {
  return i < x->n && x->text[i] == c;
}

/* ---- numbers ---------------------------------------------------------- */

int64_t st_text_int(StText *x) {
  skip_space(x);
  bool minus = next_is(x, x->at, '-');
  size_t i = x->at + minus, first = i;
  int64_t v = 0;
  for (; i < x->n && isdigit((unsigned char)x->text[i]); i++) {
    v = v * 10 + (x->text[i] - '0');
    if (v > ST_TEXT_NUMBER) {
      st_text_fail(x, "the number is beyond 2^48");
      return 0;
    }
  }
  if (i == first) {
    st_text_fail(x, "expected a number");
    return 0;
  }
  x->at = i;
  return minus ? -v : v;
}

static int small(StText *x, int64_t v) {
  if (v < -1 || v > ST_TEXT_COUNT) {
    st_text_fail(x, "the number is out of range (-1 .. 2^24)");
    return 0;
  }
  return (int)v;
}

int st_text_small(StText *x) { return small(x, st_text_int(x)); }

static int hex_digit(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

uint64_t st_text_bits(StText *x) {
  uint64_t v = 0;
  int n = 0;
  skip_space(x);
  if (next_is(x, x->at, '0') && next_is(x, x->at + 1, 'x'))
    for (size_t i = x->at + 2; i < x->n && hex_digit(x->text[i]) >= 0; i++) {
      v = v << 4 | (uint64_t)hex_digit(x->text[i]);
      n++;
    }
  if (n == 0 || n > 16)
    st_text_fail(x, "expected 0x and up to 16 hexadecimal digits (0-9, a-f)");
  else
    x->at += 2 + (size_t)n;
  return v;
}

/* Past the quote; where the string ends. */
static size_t open_string(StText *x) {
  st_text_expect(x, "\"");
  size_t end = x->at;
  while (end < x->n && x->text[end] != '"' && x->text[end] >= ' ')
    end++;
  if (!next_is(x, end, '"')) {
    st_text_fail(x, "the string does not end on its line, or holds a byte "
                    "that must be written as an escape");
    return x->at;
  }
  return end;
}

char *st_text_string(StText *x) {
  size_t end = open_string(x);
  char *s = st_arena_alloc(x->arena, end - x->at + 1), *to = s;
  while (x->at < end && !x->failed) {
    char c = x->text[x->at++];
    if (c == '\\') {
      int a = end - x->at >= 2 ? hex_digit(x->text[x->at]) : -1;
      int b = a >= 0 ? hex_digit(x->text[x->at + 1]) : -1;
      if (b < 0 || a + b == 0)
        st_text_fail(x, "an escape is a backslash and two hexadecimal digits, "
                        "not 00");
      c = (char)((unsigned)a << 4 | (unsigned)b);
      x->at += x->failed ? 0 : 2;
    }
    *to++ = c;
  }
  x->at += !x->failed;
  return s;
}

void *st_text_hex(StText *x, int64_t *bytes) {
  st_text_expect(x, "hex");
  size_t end = open_string(x), n = (end - x->at) / 2;
  unsigned char *data = st_arena_alloc(x->arena, n + 8);
  for (size_t i = 0; i < n && !x->failed; i++) {
    int a = hex_digit(x->text[x->at]), b = hex_digit(x->text[x->at + 1]);
    if (a < 0 || b < 0)
      st_text_fail(x, "expected pairs of hexadecimal digits (0-9, a-f)");
    data[i] = (unsigned char)((unsigned)a << 4 | (unsigned)b);
    x->at += x->failed ? 0 : 2;
  }
  *bytes = (int64_t)n;
  if (!next_is(x, x->at, '"'))
    st_text_fail(x, "expected pairs of hexadecimal digits (0-9, a-f)");
  x->at += !x->failed;
  return data;
}

static const char *dtype_name(int i) { return st_dtype_name((StDtype)i); }

StDtype st_text_dtype(StText *x) {
  return (StDtype)st_text_name(x, dtype_name, ST_DTYPE_COUNT,
                               "an element type such as f32");
}

/* ---- sums ------------------------------------------------------------- */

int st_text_dim(StText *x) {
  skip_space(x);
  if (!next_is(x, x->at, 'd')) {
    st_text_fail(x, "expected a dim such as d0");
    return 0;
  }
  x->at++;
  int d = st_text_small(x);
  if (d < 0)
    st_text_fail(x, "expected a dim such as d0");
  return d;
}

static bool is_large(int64_t v) {
  return v > ST_TEXT_NUMBER || v < -ST_TEXT_NUMBER;
}

StSym st_text_sym(StText *x) {
  StSym s = {0};
  skip_space(x);
  size_t used = st_sym_parse(x->text + x->at, x->n - x->at, &s);
  if (!used || is_large(s.c) || is_large(s.p) || is_large(s.t)) {
    st_text_fail(x, "expected an extent such as 64, T or P+T, up to 2^48");
    return (StSym){0};
  }
  x->at += used;
  return s;
}

/* A term "d0", "2*d1", "-d2"; false, and nothing read: there is none. */
static bool accept_term(StText *x, bool first, StTerm *t) {
  size_t back = x->at, i;
  int64_t coef = 1;
  skip_space(x);
  bool plus = !first && next_is(x, x->at, '+');
  bool minus = next_is(x, x->at, '-');
  i = x->at += plus || minus;
  while (i < x->n && isdigit((unsigned char)x->text[i]))
    i++;
  bool product = i > x->at && next_is(x, i, '*');
  size_t name = product ? i + 1 : x->at;
  if ((!first && !plus && !minus) || !next_is(x, name, 'd')) {
    x->at = back;
    return false;
  }
  if (product) {
    coef = st_text_int(x);
    x->at += !x->failed;
  }
  *t = (StTerm){st_text_dim(x), minus ? -coef : coef};
  return !x->failed;
}

StAffine st_text_affine(StText *x) {
  ST_VEC(StTerm) v = {0};
  StAffine e = {0};
  StTerm t;
  while (!x->failed && accept_term(x, v.n == 0, &t)) {
    if (t.coef == 0 || (v.n && v.at[v.n - 1].dim >= t.dim))
      st_text_fail(x, "terms are in the order of their dims, factors not 0");
    st_vec_push(x->arena, &v, t);
  }
  char c = st_text_peek(x);
  if (v.n && c == '+')
    x->at++;
  if (v.n == 0 || c == '+' || c == '-')
    e.off = st_text_sym(x);
  e.n = v.n;
  e.term = v.at;
  return e;
}

/* ---- lists ------------------------------------------------------------ */

/* After "[", before an element; false after "]". */
static bool more(StText *x, int have) {
  if (st_text_accept(x, "]"))
    return false;
  if (have)
    st_text_expect(x, ",");
  return !x->failed;
}

static void check_length(StText *x, int have, int want) {
  if (!x->failed && want >= 0 && have != want)
    st_text_fail(x, "the list has %d entries where %d belong", have, want);
}

StInts st_text_ints(StText *x, int n) {
  StInts v = {0};
  st_text_expect(x, "[");
  while (!x->failed && more(x, v.n))
    st_vec_push(x->arena, &v, st_text_int(x));
  check_length(x, v.n, n);
  if (x->failed || !v.at)
    v.at = ST_NEW_N(x->arena, int64_t, (n > v.n ? n : v.n) + 1);
  return v;
}

StSyms st_text_syms(StText *x, int n) {
  StSyms v = {0};
  st_text_expect(x, "[");
  while (!x->failed && more(x, v.n))
    st_vec_push(x->arena, &v, st_text_sym(x));
  check_length(x, v.n, n);
  if (x->failed || !v.at)
    v.at = ST_NEW_N(x->arena, StSym, (n > v.n ? n : v.n) + 1);
  return v;
}

StAffines st_text_affines(StText *x) {
  StAffines v = {0};
  st_text_expect(x, "[");
  while (!x->failed && more(x, v.n))
    st_vec_push(x->arena, &v, st_text_affine(x));
  if (!v.at)
    v.at = ST_NEW(x->arena, StAffine);
  return v;
}

int *st_text_smalls(StText *x, int *n) {
  StInts v = st_text_ints(x, -1);
  int *r = ST_NEW_N(x->arena, int, v.n + 1);
  for (int i = 0; i < v.n; i++)
    r[i] = small(x, v.at[i]);
  *n = v.n;
  return r;
}

/* ---- types ------------------------------------------------------------ */

/* One loop a term, each in one sum only: the loop walks data dim d. */
static void read_sum(StText *x, StItensor *o, int d, bool *used) {
  StAffine e = st_text_affine(x);
  o->origin[d] = e.off;
  for (int i = 0; i < e.n && !x->failed; i++) {
    int l = e.term[i].dim;
    if (l >= o->nloops || used[l] || e.term[i].coef != 1) {
      st_text_fail(x, "a loop that does not exist, stands in two places or has "
                      "a factor (that is its step)");
      return;
    }
    used[l] = true;
    o->loop[l].dim = d;
  }
}

/* "(d0, d1)->(d1+P, d0)" */
static void read_map(StText *x, StItensor *o) {
  bool *used = ST_NEW_N(x->arena, bool, o->nloops + 1);
  st_text_expect(x, "(");
  for (int i = 0; i < o->nloops && !x->failed; i++) {
    if (i)
      st_text_expect(x, ",");
    if (st_text_dim(x) != i)
      st_text_fail(x, "the loops are d0, d1, ... in order, one for each trip");
  }
  st_text_expect(x, ")");
  st_text_expect(x, "->");
  st_text_expect(x, "(");
  for (int d = 0; d < o->rank && !x->failed; d++) {
    if (d)
      st_text_expect(x, ",");
    read_sum(x, o, d, used);
  }
  st_text_expect(x, ")");
}

/* "[1, 0], [P, 0]": the data dim of each loop, -1 for none; origins. */
static void read_lists(StText *x, StItensor *o) {
  StInts dim = st_text_ints(x, o->nloops);
  for (int i = 0; i < o->nloops && !x->failed; i++)
    if (dim.at[i] < -1 || dim.at[i] >= o->rank)
      st_text_fail(x, "a loop walks a dim that does not exist");
    else
      o->loop[i].dim = (int)dim.at[i];
  st_text_expect(x, ",");
  StSyms origin = st_text_syms(x, o->rank);
  o->origin = origin.at;
}

StItensor st_text_order(StText *x, int rank) {
  StItensor o = {.rank = rank};
  o.elem = st_text_ints(x, rank).at;
  st_text_expect(x, ",");
  StSyms trip = st_text_syms(x, -1);
  st_text_expect(x, "*");
  StInts step = st_text_ints(x, trip.n);
  st_text_expect(x, ",");
  o.nloops = trip.n;
  o.origin = ST_NEW_N(x->arena, StSym, rank + 1);
  o.loop = ST_NEW_N(x->arena, StLoop, trip.n + 1);
  for (int i = 0; i < trip.n && !x->failed; i++)
    o.loop[i] = (StLoop){-1, trip.at[i], step.at[i]};
  if (st_text_peek(x) == '[')
    read_lists(x, &o);
  else
    read_map(x, &o);
  return o;
}

StType st_text_type(StText *x) {
  StType t = {0};
  bool stream = st_text_accept(x, "itensor");
  if (!stream)
    st_text_expect(x, "tensor");
  st_text_expect(x, "<");
  t.dtype = st_text_dtype(x);
  StSyms shape = st_text_syms(x, -1);
  t.rank = shape.n;
  t.shape = shape.at;
  if (stream) {
    st_text_expect(x, "by");
    t.order = ST_NEW(x->arena, StItensor);
    *t.order = st_text_order(x, t.rank);
  }
  st_text_expect(x, ">");
  return t;
}
