/* Every rule of doc/machine.md that makes a beat wait, tested on the times of
 * the certificate. Tokens are taken in stretches: as long as the beats of both
 * ends are evenly spaced and so are their times, a condition that holds for the
 * first and the last token of a stretch holds for all between. */
#include "check/check.h"

#include <inttypes.h>
#include <string.h>

#include "check/net.h"
#include "check/times.h"

typedef struct {
  const StModule *module;
  const StTarget *target;
  StDiag *diag;
  FILE *report;
  const char *text, *end; /* what is left of the certificate */
  int line;
  StArena *arena; /* of the step */
  StCheckNet net;
  StTimes *times; /* [process] */
  int64_t P, T;
  int64_t beats; /* of all steps */
  int steps;
} Check;

/* ---- tokens ------------------------------------------------------------- */

/* The next n tokens of an end move at t, t + stride, ...; n 0: no more. */
typedef struct {
  int64_t n, t, stride;
  const StCheckEnd *end;
  int64_t *index;
  int64_t beat, left; /* of the next token; left in the innermost loop */
  StTimesCursor cursor;
} Tokens;

static int64_t inner_count(const StCheckEnd *e) {
  return e->n ? e->dim[e->n - 1].count : 1;
}

static void find_stretch(Tokens *k) {
  const StCheckEnd *e = k->end;
  StTimesCursor *c = &k->cursor;
  int64_t step = e->n ? e->dim[e->n - 1].stride : 1;
  while (k->beat >= c->beat + c->n)
    st_times_next(c);
  int64_t in_run = (c->beat + c->n - 1 - k->beat) / step + 1;
  k->n = k->left < in_run ? k->left : in_run;
  k->t = c->t + (k->beat - c->beat) * c->stride;
  k->stride = step * c->stride;
}

static Tokens tokens_new(StArena *a, const StCheckEnd *e,
                         const StTimes *times) {
  Tokens k = {.end = e,
              .index = ST_NEW_N(a, int64_t, e->n),
              .beat = e->base,
              .left = inner_count(e)};
  st_times_start(&k.cursor, times);
  if (e->tokens)
    find_stretch(&k);
  return k;
}

/* Goes to the next iteration of the loops outside the innermost one. */
static bool next_row(Tokens *k) {
  const StCheckEnd *e = k->end;
  for (int l = e->n - 2; l >= 0; l--) {
    if (++k->index[l] < e->dim[l].count)
      break;
    k->index[l] = 0;
    if (l == 0)
      return false;
  }
  if (e->n < 2)
    return false;
  k->beat = e->base;
  for (int l = 0; l < e->n - 1; l++)
    k->beat += k->index[l] * e->dim[l].stride;
  k->left = inner_count(e);
  return true;
}

/* Passes i tokens, i <= n. */
static void tokens_advance(Tokens *k, int64_t i) {
  k->n -= i;
  k->t += i * k->stride;
  k->left -= i;
  if (k->end->n)
    k->beat += i * k->end->dim[k->end->n - 1].stride;
  if (k->n)
    return;
  if (k->left || next_row(k))
    find_stretch(k);
}

static int64_t min_of(int64_t x, int64_t y) { return x < y ? x : y; }

/* How many of the next n tokens, from the first on, have late - early >= by
 * until one has not. */
static int64_t count_in_time(const Tokens *early, const Tokens *late,
                             int64_t by, int64_t n) {
  int64_t first = late->t - early->t - by;
  int64_t change = late->stride - early->stride;
  if (first < 0)
    return 0;
  if (change >= 0)
    return n;
  return min_of(n, first / -change + 1);
}

/* ---- messages ----------------------------------------------------------- */

static const char *name_of(StArena *a, const StCheckProcess *p) {
  const char *side = p->side == ST_SIDE_FILL    ? "/fill"
                     : p->side == ST_SIDE_DRAIN ? "/drain"
                                                : "";
  if (p->op->name)
    return st_arena_printf(a, "%s%s", p->op->name, side);
  return st_arena_printf(a, "%s %d%s", st_op_name(p->op->kind), p->op->id,
                         side);
}

static const char *channel_of(const Check *k, const StCheckStream *x) {
  const StCheckProcess *p = &k->net.process[x->producer];
  const StCheckProcess *q = &k->net.process[x->consumer];
  const char *name = x->value->name;
  return st_arena_printf(k->arena, "stream %%%d%s%s%s (%s -> %s)", x->value->id,
                         name ? " \"" : "", name ? name : "", name ? "\"" : "",
                         name_of(k->arena, p), name_of(k->arena, q));
}

static void note_step(const Check *k, const char *what) {
  st_note(k->diag, "in the step with P = %" PRId64 ", T = %" PRId64 "; %s",
          k->P, k->T, what);
}

static const char again[] =
    "the certificate is not of this design: compile again";

/* ---- streams ------------------------------------------------------------ */

static bool check_counts(const Check *k, const StCheckStream *x) {
  if (x->out.tokens == x->in.tokens)
    return true;
  st_error(k->diag, x->value->def->loc,
           "%s: %" PRId64 " tokens go in, %" PRId64 " come out",
           channel_of(k, x), x->out.tokens, x->in.tokens);
  note_step(k, "the design would not end; compile again");
  return false;
}

/* Every token is there when it is popped. */
static bool check_arrivals(const Check *k, const StCheckStream *x) {
  const StTimes *from = &k->times[x->producer], *to = &k->times[x->consumer];
  int64_t lag = k->net.process[x->producer].latency + x->fifo_latency;
  Tokens push = tokens_new(k->arena, &x->out, from);
  Tokens pop = tokens_new(k->arena, &x->in, to);
  for (int64_t m = 0; push.n;) {
    int64_t n = min_of(push.n, pop.n);
    int64_t good = count_in_time(&push, &pop, lag, n);
    if (good < n) {
      int64_t at = pop.t + good * pop.stride;
      int64_t come = push.t + good * push.stride + lag;
      st_error(k->diag, x->value->def->loc,
               "%s: token %" PRId64 " is popped at cycle %" PRId64
               " but comes at %" PRId64,
               channel_of(k, x), m + good, at, come);
      note_step(k, again);
      return false;
    }
    m += n;
    tokens_advance(&push, n);
    tokens_advance(&pop, n);
  }
  return true;
}

/* Most slots in use: from the issue of the pushing beat up to and including the
 * cycle of the pop. */
static int64_t find_need(const Check *k, const StCheckStream *x) {
  Tokens push = tokens_new(k->arena, &x->out, &k->times[x->producer]);
  Tokens pop = tokens_new(k->arena, &x->in, &k->times[x->consumer]);
  int64_t used = 0, most = 0;
  while (push.n) {
    used++;
    while (pop.n && pop.t < push.t) {
      used--;
      tokens_advance(&pop, 1);
    }
    most = used > most ? used : most;
    tokens_advance(&push, 1);
  }
  return most;
}

/* Every beat that pushes finds a slot: token m - depth left before. */
static bool check_depth(const Check *k, const StCheckStream *x) {
  Tokens push = tokens_new(k->arena, &x->out, &k->times[x->producer]);
  Tokens pop = tokens_new(k->arena, &x->in, &k->times[x->consumer]);
  for (int64_t m = 0; m < x->value->depth && push.n;) {
    int64_t n = min_of(push.n, x->value->depth - m);
    tokens_advance(&push, n);
    m += n;
  }
  while (push.n) {
    int64_t n = min_of(push.n, pop.n);
    if (count_in_time(&pop, &push, 1, n) < n) {
      int64_t need = find_need(k, x);
      st_error(k->diag, x->value->def->loc,
               "%s: depth %" PRId64 ", the certificate needs %" PRId64,
               channel_of(k, x), x->value->depth, need);
      note_step(k, st_arena_printf(k->arena,
                                   "set the depth to %" PRId64
                                   " or more, or compile again",
                                   need));
      return false;
    }
    tokens_advance(&push, n);
    tokens_advance(&pop, n);
  }
  return true;
}

/* ---- processes ---------------------------------------------------------- */

static bool check_spacing(const Check *k, int id) {
  const StCheckProcess *p = &k->net.process[id];
  StTimesCursor c;
  int64_t last = INT64_MIN;
  if (k->times[id].beats != p->beats) {
    st_error(k->diag, p->op->loc,
             "%s: %" PRId64 " beats in the certificate, %" PRId64
             " in the design",
             name_of(k->arena, p), k->times[id].beats, p->beats);
    note_step(k, again);
    return false;
  }
  for (st_times_start(&c, &k->times[id]); c.n; st_times_next(&c)) {
    bool near = (c.n > 1 && c.stride < p->ii) ||
                (last != INT64_MIN && c.t < last + p->ii);
    if (near) {
      st_error(k->diag, p->op->loc,
               "%s: beats near %" PRId64 " follow in less than II = %d cycles",
               name_of(k->arena, p), c.beat, p->ii);
      note_step(k, again);
      return false;
    }
    last = c.t + (c.n - 1) * c.stride;
  }
  return true;
}

/* ---- converters --------------------------------------------------------- */

/* Time of beat b; beats are asked for in increasing order. */
static int64_t time_of(StTimesCursor *c, int64_t b) {
  while (b >= c->beat + c->n)
    st_times_next(c);
  return c->t + (b - c->beat) * c->stride;
}

static bool refuse_window(const Check *k, const StCheckProcess *p, int64_t beat,
                          const char *what) {
  st_error(k->diag, p->op->loc, "%s: beat %" PRId64 " %s", name_of(k->arena, p),
           beat, what);
  note_step(k, again);
  return false;
}

/* Drain beats after what they need of their window. */
static bool check_drain(const Check *k, int fill, int drain) {
  const StCheckProcess *f = &k->net.process[fill];
  const StCheckProcess *d = &k->net.process[drain];
  const StConverter *c = &d->op->u.converter;
  int64_t in = 1, out = 1;
  for (int i = 0; i < c->fill.rank; i++) {
    in *= c->fill.elem[i];
    out *= c->drain.elem[i];
  }
  StTimesCursor at, from;
  st_times_start(&at, &k->times[drain]);
  st_times_start(&from, &k->times[fill]);
  for (int64_t w = 0; w < d->windows && f->window; w++)
    for (int64_t b = 0, n = 0; b < d->window && n < f->window; b++) {
      n = c->flow ? ((b + 1) * out + in - 1) / in : f->window;
      n = min_of(n, f->window);
      int64_t filled = time_of(&from, w * f->window + n - 1);
      if (time_of(&at, w * d->window + b) < filled + k->target->latency.buffer)
        return refuse_window(k, d, w * d->window + b,
                             "reads a window that is not filled");
    }
  return true;
}

/* Fill beats after the window that they overwrite is drained. */
static bool check_fill(const Check *k, int fill, int drain) {
  const StCheckProcess *f = &k->net.process[fill];
  const StCheckProcess *d = &k->net.process[drain];
  StTimesCursor at, from;
  st_times_start(&at, &k->times[fill]);
  st_times_start(&from, &k->times[drain]);
  for (int64_t w = f->op->u.converter.banks;
       w < f->windows && f->window && d->window; w++) {
    int64_t old = w - f->op->u.converter.banks;
    int64_t drained = time_of(&from, (old + 1) * d->window - 1);
    if (time_of(&at, w * f->window) < drained + 1)
      return refuse_window(k, f, w * f->window,
                           "overwrites a window that is not drained");
  }
  return true;
}

/* ---- a step ------------------------------------------------------------- */

static bool check_step(Check *k) {
  const StCheckNet *net = &k->net;
  bool ok = true;
  for (int i = 0; i < net->nprocesses; i++)
    ok = check_spacing(k, i) && ok;
  if (!ok)
    return false; /* times may be missing */
  int64_t beats = 0, last = 0;
  for (int i = 0; i < net->nprocesses; i++) {
    beats += net->process[i].beats;
    if (k->times[i].last > last)
      last = k->times[i].last;
    if (net->process[i].side == ST_SIDE_DRAIN)
      ok = check_drain(k, i - 1, i) && check_fill(k, i - 1, i) && ok;
  }
  for (int i = 0; i < net->nstreams; i++) {
    const StCheckStream *x = &net->stream[i];
    ok = check_counts(k, x) && check_arrivals(k, x) && check_depth(k, x) && ok;
  }
  k->beats += beats;
  k->steps++;
  if (ok && k->report)
    fprintf(k->report,
            "step P=%" PRId64 " T=%" PRId64 ": %" PRId64
            " beats, the last at cycle %" PRId64 "\n",
            k->P, k->T, beats, last);
  return ok;
}

/* ---- the text ----------------------------------------------------------- */

typedef struct {
  const char *data;
  size_t n;
} Line;

static Line take_line(Check *k) {
  const char *end = memchr(k->text, '\n', (size_t)(k->end - k->text));
  Line line = {k->text, (size_t)((end ? end : k->end) - k->text)};
  k->text = end ? end + 1 : k->end;
  k->line++;
  return line;
}

static bool refuse_text(Check *k, size_t at, const char *what) {
  StLoc loc = {"certificate", k->line, (int)(at < 100000 ? at + 1 : 0)};
  st_error(k->diag, loc, "%s", what);
  st_note(k->diag, "%s", again);
  return false;
}

static bool take_word(Line *line, const char *word) {
  size_t n = strlen(word);
  if (line->n < n || memcmp(line->data, word, n))
    return false;
  line->data += n;
  line->n -= n;
  return true;
}

static bool take_number(Line *line, int64_t *x) {
  size_t i = 0;
  for (*x = 0;
       i < line->n && line->data[i] >= '0' && line->data[i] <= '9' && i < 18;
       i++)
    *x = 10 * *x + (line->data[i] - '0');
  line->data += i;
  line->n -= i;
  return i > 0;
}

static bool read_step(Check *k) {
  Line line = take_line(k);
  if (!take_word(&line, "step ") || !take_number(&line, &k->P) ||
      !take_word(&line, " ") || !take_number(&line, &k->T) || line.n)
    return refuse_text(k, 0, "\"step P T\" was expected");
  bool symbols = k->module->ctx && k->module->chunk;
  if (symbols
          ? k->T < 1 || k->T > k->module->chunk || k->P > k->module->ctx - k->T
          : k->P != 0 || k->T != 1)
    return refuse_text(k, 0, "this step is none of the design");
  if (!st_check_net(k->arena, k->module, k->target, k->P, k->T, k->diag,
                    &k->net))
    return false;
  k->times = ST_NEW_N(k->arena, StTimes, k->net.nprocesses);
  for (int i = 0; i < k->net.nprocesses; i++) {
    int64_t number;
    const char *why;
    size_t at;
    line = take_line(k);
    const char *start = line.data;
    if (!take_word(&line, "process ") || !take_number(&line, &number) ||
        number != i || (line.n && line.data[0] != ' '))
      return refuse_text(k, 0,
                         st_arena_printf(k->arena,
                                         "\"process %d\" and "
                                         "its times were expected",
                                         i));
    if (!st_times_parse(k->arena, line.data, line.n, &k->times[i], &why, &at))
      return refuse_text(k, (size_t)(line.data - start) + at, why);
  }
  return true;
}

/* The steps at the ends of the ranges of P and T. */
static int required_steps(const StModule *m, int64_t step[4][2]) {
  bool symbols = m->ctx && m->chunk;
  int64_t ends[4][2] = {
      {0, 1}, {m->ctx - 1, 1}, {0, m->chunk}, {m->ctx - m->chunk, m->chunk}};
  memcpy(step, ends, sizeof ends);
  return symbols ? 4 : 1;
}

bool st_check(const StModule *m, const StTarget *t, const char *certificate,
              size_t n, StDiag *diag, FILE *report) {
  Check k = {.module = m,
             .target = t,
             .diag = diag,
             .report = report,
             .text = n ? certificate : "",
             .end = n ? certificate + n : ""};
  int64_t required[4][2];
  int nrequired = required_steps(m, required), streams = 0;
  bool found[4] = {false}, ok = true;
  Line line = take_line(&k);
  if (!take_word(&line, "certificate 1") || line.n)
    return refuse_text(&k, 0, "\"certificate 1\" was expected");
  while (ok && k.text < k.end) {
    k.arena = st_arena_new();
    ok = read_step(&k) && check_step(&k);
    streams = k.net.nstreams;
    for (int i = 0; i < nrequired; i++)
      found[i] |= required[i][0] == k.P && required[i][1] == k.T;
    st_arena_free(k.arena);
  }
  for (int i = 0; i < nrequired && ok; i++)
    if (!found[i]) {
      st_error(diag, (StLoc){.file = "certificate"},
               "the step with P = %" PRId64 ", T = %" PRId64 " is missing",
               required[i][0], required[i][1]);
      st_note(diag, "%s", again);
      ok = false;
    }
  if (ok && report)
    fprintf(report, "ok: %d streams, %" PRId64 " beats, %d steps\n", streams,
            k.beats, k.steps);
  return ok;
}
