/* See times.h. */
#include "check/times.h"

#include <string.h>

static const int64_t limit = (int64_t)1 << 60;

typedef struct {
  StArena *arena;
  const char *text;
  size_t n, at;
  StTimes *out;
  const char *why;
} Parser;

/* What a list of items amounts to. */
typedef struct {
  int first, last;
  int64_t beats, span; /* span: from the beat before it to its last beat */
} List;

static bool fail(Parser *p, const char *why) {
  p->why = why;
  return false;
}

static bool is_at(const Parser *p, char c) {
  return p->at < p->n && p->text[p->at] == c;
}

static bool parse_number(Parser *p, int64_t *x) {
  size_t start = p->at;
  *x = 0;
  while (p->at < p->n && p->text[p->at] >= '0' && p->text[p->at] <= '9') {
    if (*x > limit / 10 - 1)
      return fail(p, "a number is too large");
    *x = 10 * *x + (p->text[p->at++] - '0');
  }
  return p->at > start || fail(p, "a number is missing");
}

static bool add_product(Parser *p, int64_t *sum, int64_t x, int64_t y) {
  int64_t product;
  if (__builtin_mul_overflow(x, y, &product) ||
      __builtin_add_overflow(*sum, product, sum) || *sum > limit)
    return fail(p, "the times are too large");
  return true;
}

static bool append(Parser *p, List *list, StTimesItem x) {
  int at = p->out->item.n;
  if (at == INT32_MAX)
    return fail(p, "there are too many items");
  st_vec_push(p->arena, &p->out->item, x);
  if (list->last >= 0)
    p->out->item.at[list->last].next = at;
  else
    list->first = at;
  list->last = at;
  return true;
}

static bool parse_run(Parser *p, List *list) {
  StTimesItem x = {.next = -1, .child = -1, .beats = 1};
  if (!parse_number(p, &x.gap))
    return false;
  if (is_at(p, ':')) {
    p->at++;
    if (!parse_number(p, &x.beats))
      return false;
    if (!x.beats || !is_at(p, ':'))
      return fail(p, "gap:beats:stride was expected");
    p->at++;
    if (!parse_number(p, &x.stride))
      return false;
  }
  return add_product(p, &list->beats, x.beats, 1) &&
         add_product(p, &list->span, x.gap, 1) &&
         add_product(p, &list->span, x.beats - 1, x.stride) &&
         append(p, list, x);
}

static bool parse_list(Parser *p, List *list, int nesting);

static bool parse_part(Parser *p, List *list, int nesting) {
  List inner;
  StTimesItem x = {.next = -1};
  if (nesting == ST_TIMES_NESTING)
    return fail(p, "too many repetitions inside each other");
  p->at++;
  if (!parse_list(p, &inner, nesting + 1))
    return false;
  if (!is_at(p, ']') || inner.first < 0)
    return fail(p, "the end of a repeated part was expected");
  p->at++;
  if (!parse_number(p, &x.repeats))
    return false;
  if (!x.repeats)
    return fail(p, "a part is repeated 0 times");
  x.child = inner.first;
  return add_product(p, &list->beats, inner.beats, x.repeats) &&
         add_product(p, &list->span, inner.span, x.repeats) &&
         append(p, list, x);
}

static bool parse_list(Parser *p, List *list, int nesting) {
  *list = (List){.first = -1, .last = -1};
  for (;;) {
    while (is_at(p, ' '))
      p->at++;
    if (p->at == p->n || is_at(p, ']'))
      return true;
    if (is_at(p, '[') ? !parse_part(p, list, nesting) : !parse_run(p, list))
      return false;
  }
}

bool st_times_parse(StArena *a, const char *text, size_t n, StTimes *out,
                    const char **why, size_t *at) {
  Parser p = {.arena = a, .text = text, .n = n, .out = out};
  List list;
  memset(out, 0, sizeof *out);
  bool ok = parse_list(&p, &list, 0);
  if (ok && p.at < n)
    ok = fail(&p, "unexpected text");
  *why = p.why;
  *at = p.at;
  out->first = list.first;
  out->beats = list.beats;
  out->last = list.span;
  return ok;
}

/* ---- cursors ------------------------------------------------------------ */

/* Goes down to the first run of the item at hand. */
static void descend(StTimesCursor *c) {
  const StTimesItem *item = c->times->item.at;
  int64_t last = c->n ? c->t + (c->n - 1) * c->stride : 0;
  for (;;) {
    const StTimesItem *x = &item[c->level[c->depth].item];
    if (x->child < 0) {
      c->beat += c->n;
      c->t = last + x->gap;
      c->n = x->beats;
      c->stride = x->stride;
      return;
    }
    c->depth++;
    c->level[c->depth].first = c->level[c->depth].item = x->child;
    c->level[c->depth].left = x->repeats - 1;
  }
}

void st_times_start(StTimesCursor *c, const StTimes *times) {
  c->times = times;
  c->beat = c->n = c->t = c->stride = 0;
  c->depth = 0;
  c->level[0].first = c->level[0].item = times->first;
  c->level[0].left = 0;
  if (times->first >= 0)
    descend(c);
}

void st_times_next(StTimesCursor *c) {
  while (c->depth >= 0) {
    int next = c->times->item.at[c->level[c->depth].item].next;
    if (next < 0 && c->level[c->depth].left > 0) {
      c->level[c->depth].left--;
      next = c->level[c->depth].first;
    }
    if (next >= 0) {
      c->level[c->depth].item = next;
      descend(c);
      return;
    }
    c->depth--;
  }
  c->beat += c->n;
  c->n = 0;
  c->depth = 0;
}
