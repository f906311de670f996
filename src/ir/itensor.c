/* Orders of streams: canonical form and equality (doc/itensor.md). */
#include "ir/itensor.h"

static const StSym one = {.c = 1};

/* A token at the same place in every iteration: what is inside is streamed
 * again. */
static bool is_again(const StLoop *l) { return l->dim < 0 || l->step == 0; }

/* ---- loops that stream again ------------------------------------------ */

static int64_t magnitude(int64_t x) { return x < 0 ? -x : x; }

static int64_t gcd(int64_t a, int64_t b) {
  for (a = magnitude(a), b = magnitude(b); b;) {
    int64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

static int compare(StSym a, StSym b) {
  int64_t x[] = {a.p, a.t, a.c}, y[] = {b.p, b.t, b.c};
  for (int i = 0; i < 3; i++)
    if (x[i] != y[i])
      return x[i] < y[i] ? -1 : 1;
  return 0;
}

/* Only the product of neighbouring trips counts. As a polynomial in P and T it
 * has one factorisation into a number and linear forms without a common
 * divisor: the forms sorted, the number multiplied into the first. */
static void push_again(StItensor *r, const StLoop *l, int n) {
  StSym number = one;
  int first = r->nloops;
  for (int i = 0; i < n; i++) {
    StSym s = l[i].trip;
    if (st_sym_is_const(s)) {
      number = st_sym_scale(number, s.c);
      continue;
    }
    int64_t g = gcd(s.c, gcd(s.p, s.t));
    number = st_sym_scale(number, g);
    s = (StSym){s.c / g, s.p / g, s.t / g};
    int at = r->nloops++;
    for (; at > first && compare(s, r->loop[at - 1].trip) < 0; at--)
      r->loop[at] = r->loop[at - 1];
    r->loop[at] = (StLoop){-1, s, 0};
  }
  if (r->nloops > first)
    r->loop[first].trip = st_sym_scale(r->loop[first].trip, number.c);
  else if (number.c != 1)
    r->loop[r->nloops++] = (StLoop){-1, number, 0};
}

/* ---- loops that advance ----------------------------------------------- */

/* The last loop of r and l inside it are one loop; it replaces the last. */
static bool merge(StItensor *r, const StLoop *l) {
  StLoop *outer = r->nloops ? &r->loop[r->nloops - 1] : NULL;
  int64_t span;
  if (!outer || outer->dim != l->dim || !st_sym_is_const(l->trip) ||
      __builtin_mul_overflow(l->step, l->trip.c, &span) || outer->step != span)
    return false;
  outer->trip = st_sym_scale(outer->trip, l->trip.c);
  outer->step = l->step;
  return true;
}

static bool is_empty(const StItensor *x) {
  for (int i = 0; i < x->nloops; i++)
    if (st_sym_is_const(x->loop[i].trip) && x->loop[i].trip.c <= 0)
      return true;
  return false;
}

StItensor st_itensor_canonical(StArena *a, const StItensor *x) {
  StItensor r = *x;
  r.loop = ST_NEW_N(a, StLoop, x->nloops + 1);
  r.nloops = 0;
  if (is_empty(x)) {
    r.origin = ST_NEW_N(a, StSym, x->rank + 1);
    r.loop[r.nloops++] = (StLoop){.dim = -1};
    return r;
  }
  for (int i = 0; i < x->nloops;) {
    const StLoop *l = &x->loop[i];
    int run = i; /* end of the loops that stream again, and of single ones */
    while (run < x->nloops &&
           (is_again(&x->loop[run]) || st_sym_eq(x->loop[run].trip, one)))
      run++;
    push_again(&r, l, run - i);
    i = run;
    if (i < x->nloops && !merge(&r, &x->loop[i]))
      r.loop[r.nloops++] = x->loop[i];
    i++;
  }
  return r;
}

bool st_itensor_same(StArena *scratch, const StItensor *x, const StItensor *y) {
  if (x->rank != y->rank)
    return false;
  StItensor a = st_itensor_canonical(scratch, x);
  StItensor b = st_itensor_canonical(scratch, y);
  for (int d = 0; d < a.rank; d++)
    if (a.elem[d] != b.elem[d] || !st_sym_eq(a.origin[d], b.origin[d]))
      return false;
  if (a.nloops != b.nloops)
    return false;
  for (int i = 0; i < a.nloops; i++)
    if (a.loop[i].dim != b.loop[i].dim || a.loop[i].step != b.loop[i].step ||
        !st_sym_eq(a.loop[i].trip, b.loop[i].trip))
      return false;
  return true;
}

StItensor st_itensor_row_major(StArena *a, const StType *t, int64_t width) {
  StItensor r = {.rank = t->rank, .nloops = t->rank};
  r.elem = ST_NEW_N(a, int64_t, t->rank + 1);
  r.origin = ST_NEW_N(a, StSym, t->rank + 1);
  r.loop = ST_NEW_N(a, StLoop, t->rank + 1);
  for (int d = 0; d < t->rank; d++) {
    bool wide = d == t->rank - 1 && width > 1;
    r.elem[d] = wide ? width : 1;
    r.loop[d] = (StLoop){d, t->shape[d], r.elem[d]};
    if (wide)
      r.loop[d].trip = st_sym_const(t->shape[d].c / width);
  }
  return r;
}

StItensor st_itensor_tokens_last(StArena *a, const StType *t, int64_t width) {
  StItensor r = st_itensor_row_major(a, t, width);
  StItensor o = r;
  o.loop = ST_NEW_N(a, StLoop, t->rank + 1);
  o.nloops = 0;
  for (int varies = 0; varies < 2; varies++)
    for (int d = 0; d < t->rank; d++)
      if (st_sym_is_const(t->shape[d]) == !varies)
        o.loop[o.nloops++] = r.loop[d];
  return o;
}

/* Dims from *at on up to the next that varies: their product; *at is that. */
static double skip_constant(const StType *t, int *at) {
  double n = 1;
  for (; *at < t->rank && st_sym_is_const(t->shape[*at]); ++*at)
    n *= (double)t->shape[*at].c;
  return n;
}

bool st_itensor_is_reshape(const StType *x, const StType *y) {
  for (int i = 0, j = 0;; i++, j++) {
    if (skip_constant(x, &i) != skip_constant(y, &j))
      return false;
    if (i == x->rank || j == y->rank)
      return i == x->rank && j == y->rank;
    if (!st_sym_eq(x->shape[i], y->shape[j]))
      return false;
  }
}

StItensor st_itensor_reshaped(StArena *a, const StType *in, const StType *out) {
  int64_t width = st_itensor_token(out->order);
  StItensor rows = st_itensor_row_major(a, out, width);
  return st_itensor_same(a, &rows, out->order)
             ? st_itensor_row_major(a, in, width)
             : st_itensor_tokens_last(a, in, width);
}

int64_t st_itensor_token(const StItensor *x) {
  int64_t n = 1;
  for (int d = 0; d < x->rank; d++)
    n *= x->elem[d];
  return n;
}

int64_t st_type_token_bits(const StType *t) {
  return st_itensor_token(t->order) * st_dtype_bits(t->dtype);
}

int64_t st_itensor_tokens(const StItensor *x, int64_t P, int64_t T) {
  int64_t n = 1;
  for (int i = 0; i < x->nloops; i++)
    n *= st_sym_eval(x->loop[i].trip, P, T);
  return n;
}

bool st_itensor_is_once(const StItensor *x) {
  for (int i = 0; i < x->nloops; i++)
    if (is_again(&x->loop[i]) && !st_sym_eq(x->loop[i].trip, one))
      return false;
  return true;
}

StSym st_itensor_extent(const StItensor *x, int d, int first) {
  StSym e = st_sym_const(x->elem[d]), less = st_sym_const(-1);
  for (int i = first; i < x->nloops; i++)
    if (x->loop[i].dim == d)
      e = st_sym_add(
          e, st_sym_scale(st_sym_add(x->loop[i].trip, less), x->loop[i].step));
  return e;
}

StItensor st_itensor_elements(StArena *a, const StItensor *x, int shared) {
  StItensor r = {.rank = x->rank};
  r.elem = ST_NEW_N(a, int64_t, x->rank + 1);
  r.origin = ST_NEW_N(a, StSym, x->rank + 1);
  r.loop = ST_NEW_N(a, StLoop, x->nloops + x->rank + 1);
  for (int i = shared; i < x->nloops; i++)
    if (x->loop[i].dim >= 0)
      r.loop[r.nloops++] = x->loop[i];
  for (int d = 0; d < x->rank; d++) {
    r.elem[d] = 1;
    if (x->elem[d] > 1)
      r.loop[r.nloops++] = (StLoop){d, st_sym_const(x->elem[d]), 1};
  }
  return r;
}
