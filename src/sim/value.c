/* Queues of tokens, and who computes what. */
#include "sim/value.h"

#include <string.h>

#include "interp/scalar.h"

/* Tokens head .. tail - 1 are in it. */
typedef struct {
  uint8_t *data;
  int64_t token; /* bytes of one */
  int64_t capacity, head, tail;
} Queue;

struct StValues {
  StArena *arena;
  const StProcessNet *net;
  Queue *queue;         /* [nstreams] */
  StMover **mover;      /* [nprocesses] LOAD, STORE, FILL, DRAIN; else NULL */
  StMover **part;       /* [nstreams] outputs of a BUNDLE; else NULL */
  StMover **supply;     /* [nstreams] what makes tokens on demand; else NULL */
  StKernelRun **kernel; /* [nprocesses] KERNEL; else NULL */
};

/* ---- queues ------------------------------------------------------------- */

uint8_t *st_tokens_room(StValues *v, int stream, int64_t k) {
  Queue *q = &v->queue[stream];
  if (q->tail + k > q->capacity) {
    int64_t n = q->tail - q->head;
    uint8_t *to = q->data;
    if (2 * (n + k) > q->capacity) {
      q->capacity = 4 * (n + k);
      to = st_arena_alloc(v->arena, (size_t)(q->capacity * q->token));
    }
    if (n)
      memmove(to, q->data + q->head * q->token, (size_t)(n * q->token));
    q->data = to;
    q->head = 0;
    q->tail = n;
  }
  return q->data + q->tail * q->token;
}

void st_tokens_push(StValues *v, int stream, int64_t k) {
  v->queue[stream].tail += k;
}

/* The next k tokens of a stream that has them on demand. */
static const uint8_t *draw(StValues *v, int stream, int64_t k) {
  StMover *m = v->supply[stream];
  const uint8_t *kept = st_mover_kept_beats(m, k);
  if (kept)
    return kept;
  uint8_t *to = st_tokens_room(v, stream, k);
  st_mover_load_beats(m, to, k);
  return to;
}

const uint8_t *st_tokens_pop(StValues *v, int stream, int64_t k) {
  if (v->supply[stream])
    return draw(v, stream, k);
  Queue *q = &v->queue[stream];
  StKernelRun *producer = v->kernel[v->net->stream[stream].producer];
  if (q->tail - q->head < k && producer)
    st_kernel_run_flush(producer, v);
  ST_CHECK(q->tail - q->head >= k, "a token is popped before it is pushed");
  const uint8_t *at = q->data + q->head * q->token;
  q->head += k;
  return at;
}

/* ---- processes ---------------------------------------------------------- */

/* Loads of parameters without indices are made on demand. */
static void find_supplies(StValues *v) {
  for (int i = 0; i < v->net->nstreams; i++) {
    const StProcess *p = &v->net->process[v->net->stream[i].producer];
    StMover *m = p->kind == ST_PROC_LOAD ? v->mover[p->id] : v->part[i];
    if (m && !p->nin && st_mover_is_constant(m, v->net->module))
      v->supply[i] = m;
  }
}

bool st_values_on_demand(const StValues *v, int id) {
  const StProcess *p = &v->net->process[id];
  bool all = p->kind == ST_PROC_LOAD || p->kind == ST_PROC_BUNDLE;
  for (int i = 0; i < p->nout; i++)
    all = all && v->supply[p->out[i].stream];
  return all;
}

StValues *st_values_new(StArena *a, const StProcessNet *net, StDiag *diag) {
  StValues *v = ST_NEW(a, StValues);
  bool ok = true;
  v->arena = a;
  v->net = net;
  v->queue = ST_NEW_N(a, Queue, net->nstreams);
  v->mover = ST_NEW_N(a, StMover *, net->nprocesses);
  v->part = ST_NEW_N(a, StMover *, net->nstreams);
  v->supply = ST_NEW_N(a, StMover *, net->nstreams);
  v->kernel = ST_NEW_N(a, StKernelRun *, net->nprocesses);
  for (int i = 0; i < net->nstreams; i++) {
    const StStream *s = &net->stream[i];
    v->queue[i].token = s->elements * st_slot_bytes(s->value->type.dtype);
  }
  for (int i = 0; i < net->nprocesses; i++) {
    const StProcess *p = &net->process[i];
    switch (p->kind) {
    case ST_PROC_KERNEL:
      v->kernel[i] = st_kernel_run_new(a, p, diag);
      ok = ok && v->kernel[i];
      break;
    case ST_PROC_LOAD:
    case ST_PROC_STORE:
      v->mover[i] = st_mover_transfer(a, net->module, p, 0);
      break;
    case ST_PROC_BUNDLE:
      for (int k = 0; k < p->nout; k++)
        v->part[p->out[k].stream] = st_mover_transfer(a, net->module, p, k);
      break;
    case ST_PROC_FILL:
      v->mover[i] = st_mover_fill(a, p);
      break;
    case ST_PROC_DRAIN:
      v->mover[i] = st_mover_drain(a, p, v->mover[p->partner]);
      break;
    case ST_PROC_FORK:
      break;
    }
  }
  find_supplies(v);
  return ok ? v : NULL;
}

void st_values_start(StValues *v, StMemoryImage *image) {
  const StProcessNet *net = v->net;
  for (int i = 0; i < net->nstreams; i++)
    v->queue[i].head = v->queue[i].tail = 0;
  for (int i = 0; i < net->nprocesses; i++) {
    const StProcess *p = &net->process[i];
    switch (p->kind) {
    case ST_PROC_KERNEL:
      st_kernel_run_start(v->kernel[i], net->P, net->T);
      break;
    case ST_PROC_LOAD:
    case ST_PROC_STORE:
      st_mover_start(v->mover[i], image, net->P, net->T);
      break;
    case ST_PROC_BUNDLE:
      for (int k = 0; k < p->nout; k++)
        st_mover_start(v->part[p->out[k].stream], image, net->P, net->T);
      break;
    case ST_PROC_DRAIN:
      st_mover_start_converter(v->mover[p->partner], v->mover[i], net->P,
                               net->T);
      break;
    case ST_PROC_FILL:
    case ST_PROC_FORK:
      break;
    }
  }
}

static void fork_beats(StValues *v, const StProcess *p, int64_t k) {
  const uint8_t *from = st_tokens_pop(v, p->in[0].stream, k);
  size_t bytes = (size_t)(k * v->queue[p->in[0].stream].token);
  for (int i = 0; i < p->nout; i++) {
    memcpy(st_tokens_room(v, p->out[i].stream, k), from, bytes);
    st_tokens_push(v, p->out[i].stream, k);
  }
}

static void load_beats(StValues *v, const StWalker *at, int64_t k) {
  const StProcess *p = at->process;
  StMover *m = v->mover[p->id];
  int out = p->out[0].stream;
  if (!p->nin) {
    st_mover_load_beats(m, st_tokens_room(v, out, k), k);
  } else {
    const void *index = NULL;
    if (at->nin)
      index = st_tokens_pop(v, p->in[0].stream, k);
    st_mover_gather_beats(m, st_tokens_room(v, out, k), index, k);
  }
  st_tokens_push(v, out, k);
}

static void bundle_beats(StValues *v, const StWalker *at, int64_t k) {
  for (int i = 0; i < at->nout; i++) {
    int out = at->process->out[at->out[i]].stream;
    if (v->supply[out])
      continue;
    st_mover_load_beats(v->part[out], st_tokens_room(v, out, k), k);
    st_tokens_push(v, out, k);
  }
}

void st_values_beats(void *user, const StWalker *at, int64_t k) {
  StValues *v = user;
  const StProcess *p = at->process;
  StMover *m = v->mover[p->id];
  switch (p->kind) {
  case ST_PROC_KERNEL:
    st_kernel_run_beats(v->kernel[p->id], v, at, k);
    break;
  case ST_PROC_FORK:
    fork_beats(v, p, k);
    break;
  case ST_PROC_LOAD:
    load_beats(v, at, k);
    break;
  case ST_PROC_BUNDLE:
    bundle_beats(v, at, k);
    break;
  case ST_PROC_STORE:
    st_mover_store_beats(m, st_tokens_pop(v, p->in[0].stream, k), k);
    break;
  case ST_PROC_FILL:
    st_mover_fill_beats(m, st_tokens_pop(v, p->in[0].stream, k), at->window, k);
    break;
  case ST_PROC_DRAIN:
    st_mover_drain_beats(m, st_tokens_room(v, p->out[0].stream, k), at->window,
                         k);
    st_tokens_push(v, p->out[0].stream, k);
    break;
  }
}
