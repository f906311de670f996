/* Orders of streams: canonical form and equality (doc/itensor.md). */
#include "ir/itensor.h"

#include <string.h>

/* The loop that runs `outer` around `inner`, if that is one loop. */
static bool merge(const StLoop *outer, const StLoop *inner, StLoop *both) {
  if (outer->dim != inner->dim)
    return false;
  bool constant =
      st_sym_is_const(outer->trip) || st_sym_is_const(inner->trip);
  if (!constant)
    return false;
  if (outer->dim >= 0 &&
      (!st_sym_is_const(inner->trip) ||
       outer->step != inner->step * inner->trip.c))
    return false;
  *both = *inner;
  both->trip = st_sym_is_const(inner->trip)
                   ? st_sym_scale(outer->trip, inner->trip.c)
                   : st_sym_scale(inner->trip, outer->trip.c);
  return true;
}

StItensor st_itensor_canonical(StArena *a, const StItensor *x) {
  StItensor r = *x;
  r.loop = ST_NEW_N(a, StLoop, x->nloops + 1);
  r.nloops = 0;
  for (int i = 0; i < x->nloops; i++) {
    StLoop l = x->loop[i];
    if (st_sym_eq(l.trip, st_sym_const(1)))
      continue;
    if (l.dim < 0)
      l.step = 0;
    if (r.nloops && merge(&r.loop[r.nloops - 1], &l, &l))
      r.nloops--;
    r.loop[r.nloops++] = l;
  }
  return r;
}

bool st_itensor_same(StArena *scratch, const StItensor *x,
                     const StItensor *y) {
  if (x->rank != y->rank)
    return false;
  for (int d = 0; d < x->rank; d++)
    if (x->elem[d] != y->elem[d] || !st_sym_eq(x->origin[d], y->origin[d]))
      return false;
  StItensor a = st_itensor_canonical(scratch, x);
  StItensor b = st_itensor_canonical(scratch, y);
  if (a.nloops != b.nloops)
    return false;
  for (int i = 0; i < a.nloops; i++)
    if (a.loop[i].dim != b.loop[i].dim || a.loop[i].step != b.loop[i].step ||
        !st_sym_eq(a.loop[i].trip, b.loop[i].trip))
      return false;
  return true;
}

int64_t st_itensor_token(const StItensor *x) {
  int64_t n = 1;
  for (int d = 0; d < x->rank; d++)
    n *= x->elem[d];
  return n;
}

int64_t st_itensor_tokens(const StItensor *x, int64_t P, int64_t T) {
  int64_t n = 1;
  for (int i = 0; i < x->nloops; i++)
    n *= st_sym_eval(x->loop[i].trip, P, T);
  return n;
}

bool st_itensor_is_once(const StItensor *x) {
  for (int i = 0; i < x->nloops; i++)
    if (x->loop[i].dim < 0 && !st_sym_eq(x->loop[i].trip, st_sym_const(1)))
      return false;
  return true;
}
