/* See system.h. */
#include "solve/system.h"

typedef struct {
  StArena *arena;
  const StProcessNet *net;
  ST_VEC(StDependency) list;
} Builder;

/* ---- boxes -------------------------------------------------------------- */

static StBox box_new(StArena *a, int64_t base, int room) {
  return (StBox){
      .base = base, .size = 1, .dim = ST_NEW_N(a, StBoxDim, room + 1)};
}

/* Adds a dim inside the others; evenly spaced neighbours become one. */
static void add_dim(StBox *x, int64_t count, int64_t stride) {
  StBoxDim *outer = x->n ? &x->dim[x->n - 1] : NULL;
  x->size *= count;
  if (outer && (count == 1 || outer->count == 1)) {
    if (count != 1)
      *outer = (StBoxDim){count, stride};
  } else if (outer && outer->stride == count * stride) {
    *outer = (StBoxDim){outer->count * count, stride};
  } else {
    x->dim[x->n++] = (StBoxDim){count, stride};
  }
}

/* The conditions are nested: the beats that one allows are intervals of a whole
 * number of the next one's cycles. */
StBox st_box_of_end(StArena *a, const StProcess *p, const StEnd *e) {
  StBox x = box_new(a, 0, e->nconds + 1);
  if (!e->tokens) {
    add_dim(&x, 0, 1);
    return x;
  }
  int64_t width = p->beats;
  for (int i = 0; i < e->nconds; i++) {
    add_dim(&x, width / e->cond[i].cycle, e->cond[i].cycle);
    x.base += e->cond[i].lo;
    width = e->cond[i].hi - e->cond[i].lo;
  }
  add_dim(&x, width, 1);
  ST_CHECK(x.size == e->tokens, "conditions of an end are not nested");
  return x;
}

StBox st_box_reverse(const StBox *x, int64_t beats) {
  StBox r = *x;
  r.base = beats - 1 - (x->size ? st_box_beat(x, x->size - 1) : 0);
  return r;
}

int64_t st_box_before(const StBox *x, int64_t beat) {
  int64_t rest = beat - x->base, inner = x->size, before = 0;
  for (int d = 0; d < x->n && rest > 0 && inner; d++) {
    int64_t index = rest / x->dim[d].stride;
    inner /= x->dim[d].count;
    if (index >= x->dim[d].count)
      return before + x->dim[d].count * inner;
    before += index * inner;
    rest -= index * x->dim[d].stride;
  }
  return rest > 0 && x->size ? before + 1 : before;
}

/* ---- streams ------------------------------------------------------------ */

static void depend(Builder *b, StDependency d) {
  if (d.count > 0)
    st_vec_push(b->arena, &b->list, d);
}

static void add_stream(Builder *b, StSystem *s, int id, int64_t cap) {
  const StStream *x = &b->net->stream[id];
  const StProcess *p = &b->net->process[x->producer];
  const StProcess *q = &b->net->process[x->consumer];
  StBox push = st_box_of_end(b->arena, p, &p->out[x->out]);
  StBox pop = st_box_of_end(b->arena, q, &q->in[x->in]);
  ST_CHECK(push.size == pop.size, "a stream with unequal ends");
  s->push[id] = push;
  s->pop[id] = pop;
  depend(b, (StDependency){x->producer, x->consumer, push, pop, 0, 0, push.size,
                           p->latency + x->fifo_latency});
  if (cap)
    depend(b, (StDependency){x->consumer, x->producer, pop, push, 0, cap,
                             push.size - cap, 1});
}

/* ---- converters --------------------------------------------------------- */

/* In every window from `first` on, beat `at` of it and then every `step`-th, in
 * all `count`. */
static StBox in_windows(StArena *a, const StProcess *p, int64_t first,
                        int64_t at, int64_t count, int64_t step) {
  StBox x = box_new(a, first * p->window + at, 2);
  add_dim(&x, p->windows - first, p->window);
  add_dim(&x, count, step);
  return x;
}

static int64_t divisor(int64_t x, int64_t y) {
  while (y) {
    int64_t rest = x % y;
    x = y;
    y = rest;
  }
  return x;
}

/* Drain beat b needs fill beat ceil((b + 1) * out / in) - 1, or the last one: a
 * pattern that comes again after `in` drain and `out` fill beats. Where b needs
 * no more than b - 1 nothing is added. */
static void add_flow(Builder *b, const StProcess *f, const StProcess *d,
                     int64_t in, int64_t out) {
  int64_t by = divisor(in, out), need = 0;
  in /= by;
  out /= by;
  for (int64_t r = 0; r < in && r < d->window; r++) {
    int64_t before = need;
    need = ((r + 1) * out + in - 1) / in;
    if (need == before)
      continue;
    int64_t n = (d->window - r + in - 1) / in; /* as many drain beats */
    int64_t whole = f->window < need ? 0 : (f->window - need) / out + 1;
    int64_t count = n < whole ? n : whole;
    StBox early = in_windows(b->arena, f, 0, need - 1, count, out);
    StBox late = in_windows(b->arena, d, 0, r, count, in);
    depend(b, (StDependency){f->id, d->id, early, late, 0, 0, early.size,
                             b->net->buffer_latency});
  }
}

static void add_converter(Builder *b, const StProcess *d) {
  const StProcess *f = &b->net->process[d->partner];
  const StConverter *c = &d->op->u.converter;
  if (!f->beats || !d->beats)
    return;
  StBox early = in_windows(b->arena, f, 0, f->window - 1, 1, 1);
  int64_t at = 0;     /* drain beat that needs the whole window */
  bool added = false; /* by add_flow */
  if (c->flow) {
    int64_t in = b->net->stream[f->in[0].stream].elements;
    int64_t out = b->net->stream[d->out[0].stream].elements;
    add_flow(b, f, d, in, out);
    at = (f->window - 1) * in / out;
    added = ((at + 1) * out + in - 1) / in == f->window;
  }
  if (at < d->window && !added) {
    StBox late = in_windows(b->arena, d, 0, at, 1, 1);
    depend(b, (StDependency){f->id, d->id, early, late, 0, 0, early.size,
                             b->net->buffer_latency});
  }
  if (f->windows <= c->banks)
    return;
  early = in_windows(b->arena, d, 0, d->window - 1, 1, 1);
  StBox late = in_windows(b->arena, f, c->banks, 0, 1, 1);
  depend(b, (StDependency){d->id, f->id, early, late, 0, 0, late.size, 1});
}

/* ---- all ---------------------------------------------------------------- */

static void sort_by_target(Builder *b, StSystem *s) {
  int n = b->net->nprocesses;
  s->ndependencies = b->list.n;
  s->dependency = ST_NEW_N(b->arena, StDependency, b->list.n);
  s->first_in = ST_NEW_N(b->arena, int, n + 2);
  for (int i = 0; i < b->list.n; i++)
    s->first_in[b->list.at[i].to + 2]++;
  for (int i = 0; i < n; i++)
    s->first_in[i + 2] += s->first_in[i + 1];
  for (int i = 0; i < b->list.n; i++)
    s->dependency[s->first_in[b->list.at[i].to + 1]++] = b->list.at[i];
}

StSystem *st_system_new(StArena *a, const StProcessNet *net,
                        const int64_t *cap) {
  Builder b = {.arena = a, .net = net};
  StSystem *s = ST_NEW(a, StSystem);
  s->net = net;
  s->push = ST_NEW_N(a, StBox, net->nstreams);
  s->pop = ST_NEW_N(a, StBox, net->nstreams);
  for (int i = 0; i < net->nstreams; i++)
    add_stream(&b, s, i, cap ? cap[i] : 0);
  for (int i = 0; i < net->nprocesses; i++)
    if (net->process[i].kind == ST_PROC_DRAIN)
      add_converter(&b, &net->process[i]);
  sort_by_target(&b, s);
  return s;
}
