/* Runs are numbered by content, so that a list of runs is a list of numbers.
 * Folding looks for a number's next occurrences: if what lies between comes
 * again right after, the two (and all further ones) become one new number. A
 * few rounds fold nested repetitions. */
#include "solve/certificate.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "base/diag.h"
#include "base/hash.h"
#include "base/str.h"

enum {
  ROUNDS = 6,
  TRIES = 4, /* occurrences looked at */
};

typedef struct {
  int64_t gap, beats, stride; /* a run ... */
  int length, first;          /* ... or, with length > 0, a part of `part` */
  int64_t repeats;
} Item;

struct StTimesWriter {
  StArena *arena;
  int64_t last;             /* time of the beat before */
  int64_t start, n, stride; /* the run at hand; n 0: none */
  int64_t before;           /* `last` at its begin */
  ST_VEC(Item) item;
  ST_VEC(int) part;
  ST_VEC(int) list;
  int *table; /* hash table of items; -1 empty */
  int size;   /* a power of two */
};

StTimesWriter *st_times_writer_new(StArena *a) {
  StTimesWriter *w = ST_NEW(a, StTimesWriter);
  w->arena = a;
  return w;
}

/* ---- numbering ---------------------------------------------------------- */

static uint64_t item_hash(const StTimesWriter *w, const Item *x) {
  uint64_t h = st_hash_mix((uint64_t)x->length, (uint64_t)x->repeats);
  if (!x->length) {
    h = st_hash_mix(h, (uint64_t)x->gap);
    h = st_hash_mix(h, (uint64_t)x->beats);
    return st_hash_mix(h, (uint64_t)x->stride);
  }
  for (int i = 0; i < x->length; i++)
    h = st_hash_mix(h, (uint64_t)w->part.at[x->first + i]);
  return h;
}

static bool item_equal(const StTimesWriter *w, const Item *x, const Item *y) {
  return x->gap == y->gap && x->beats == y->beats && x->stride == y->stride &&
         x->length == y->length && x->repeats == y->repeats &&
         (!x->length || !memcmp(&w->part.at[x->first], &w->part.at[y->first],
                                (size_t)x->length * sizeof *w->part.at));
}

static int *find_slot(const StTimesWriter *w, const Item *x) {
  int mask = w->size - 1;
  int at = (int)(item_hash(w, x) & (uint64_t)mask);
  while (w->table[at] >= 0 && !item_equal(w, &w->item.at[w->table[at]], x))
    at = (at + 1) & mask;
  return &w->table[at];
}

static void grow_table(StTimesWriter *w) {
  w->size = w->size ? 2 * w->size : 64;
  w->table = ST_NEW_N(w->arena, int, w->size);
  memset(w->table, -1, (size_t)w->size * sizeof *w->table);
  for (int i = 0; i < w->item.n; i++)
    *find_slot(w, &w->item.at[i]) = i;
}

static int number_of(StTimesWriter *w, Item x) {
  if (2 * w->item.n >= w->size)
    grow_table(w);
  int *slot = find_slot(w, &x);
  if (*slot < 0) {
    *slot = w->item.n;
    st_vec_push(w->arena, &w->item, x);
  }
  return *slot;
}

/* ---- runs --------------------------------------------------------------- */

static void end_run(StTimesWriter *w) {
  if (!w->n)
    return;
  Item x = {w->start - w->before, w->n, w->n > 1 ? w->stride : 0, 0, 0, 0};
  int number = number_of(w, x);
  st_vec_push(w->arena, &w->list, number);
  w->n = 0;
}

/* n beats at t, t + stride, ... */
static void add_plain(StTimesWriter *w, int64_t t, int64_t stride, int64_t n) {
  if (w->n == 1 && (n == 1 || t - w->last == stride)) {
    w->stride = t - w->last;
    w->n += n;
  } else if (w->n > 1 && t - w->last == w->stride &&
             (n == 1 || stride == w->stride)) {
    w->n += n;
  } else {
    end_run(w);
    w->before = w->last;
    w->start = t;
    w->n = n;
    w->stride = stride;
  }
  w->last = t + (n - 1) * stride;
}

/* The groups of a line after a beat at w->last. */
static void add_groups(StTimesWriter *w, const StLine *line, int64_t groups) {
  int64_t gap = line->stride + line->jump;
  if (line->group == 1) {
    add_plain(w, w->last + gap, gap, groups);
    return;
  }
  end_run(w);
  int one = number_of(w, (Item){gap, line->group, line->stride, 0, 0, 0});
  Item x = {.length = 1, .first = w->part.n, .repeats = groups};
  st_vec_push(w->arena, &w->part, one);
  int all = groups > 1 ? number_of(w, x) : one;
  st_vec_push(w->arena, &w->list, all);
  w->last += groups * (line->stride * line->group + line->jump);
}

void st_times_writer_add(StTimesWriter *w, const StLine *line, int64_t n) {
  int64_t rest = st_line_rest(line, n);
  add_plain(w, line->t, line->stride, rest);
  n -= rest;
  if (n >= line->group) {
    int64_t groups = n / line->group;
    add_groups(w, line, groups);
    n -= groups * line->group;
  }
  if (n > 0)
    add_plain(w, w->last + line->stride + line->jump, line->stride, n);
}

/* ---- folding ------------------------------------------------------------ */

/* How often the p numbers at i come one after another. */
static int count_repeats(const StTimesWriter *w, int i, int p) {
  const int *list = w->list.at;
  int j = i;
  while (j + p < w->list.n && list[j] == list[j + p])
    j++;
  return (j - i) / p + 1;
}

static int fold_at(StTimesWriter *w, int i, const int *next, int *used) {
  int best = 0, period = 0;
  for (int j = next[i], k = 0; j >= 0 && k < TRIES; j = next[j], k++) {
    int r = count_repeats(w, i, j - i);
    if (r > 1 && (r - 1) * (j - i) > best) {
      best = (r - 1) * (j - i);
      period = j - i;
      break;
    }
  }
  if (best < 2) {
    *used = 1;
    return w->list.at[i];
  }
  Item x = {.length = period, .first = w->part.n, .repeats = best / period + 1};
  for (int j = 0; j < period; j++)
    st_vec_push(w->arena, &w->part, w->list.at[i + j]);
  *used = best + period;
  return number_of(w, x);
}

/* False: nothing was found. */
static bool fold(StTimesWriter *w) {
  int n = w->list.n, kept = 0;
  int *next = ST_NEW_N(w->arena, int, n);
  int *seen = ST_NEW_N(w->arena, int, w->item.n);
  memset(seen, -1, (size_t)w->item.n * sizeof *seen);
  for (int i = n; i-- > 0;) {
    next[i] = seen[w->list.at[i]];
    seen[w->list.at[i]] = i;
  }
  for (int i = 0, used; i < n; i += used)
    w->list.at[kept++] = fold_at(w, i, next, &used);
  w->list.n = kept;
  return kept < n;
}

static void print_item(const StTimesWriter *w, StStr *out, int number) {
  const Item *x = &w->item.at[number];
  if (!x->length && x->beats == 1) {
    st_str_printf(out, " %" PRId64, x->gap);
  } else if (!x->length) {
    st_str_printf(out, " %" PRId64 ":%" PRId64 ":%" PRId64, x->gap, x->beats,
                  x->stride);
  } else {
    st_str_append(out, " [", 2);
    for (int i = 0; i < x->length; i++)
      print_item(w, out, w->part.at[x->first + i]);
    st_str_printf(out, " ]%" PRId64, x->repeats);
  }
}

void st_times_writer_flush(StTimesWriter *w, StStr *out) {
  end_run(w);
  for (int i = 0; i < ROUNDS && fold(w); i++)
    ;
  for (int i = 0; i < w->list.n; i++)
    print_item(w, out, w->list.at[i]);
  StArena *a = w->arena;
  *w = (StTimesWriter){.arena = a};
}
